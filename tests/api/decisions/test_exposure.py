"""Request fields, caps and held perks, tested through the merchant's API."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from api.decisions import decisions
from api.decisions.exposure import PriorDecision, exposure_of, prior_decisions, prior_decisions_query
from api.people.erasure import erase
from api.runtime.context import AppContext
from api.store.clock import micros
from api.store.database import fetch_rows, reading
from engine.decide.decide import ReferenceEvaluator, decide, question_from_record
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.town import NOW


@pytest.fixture
def client(town: AppContext) -> MerchantClient:
    return MerchantClient(town)


def admitted_people(client: MerchantClient, min_score: int = 700, below: int = 951) -> Iterator[str]:
    """People without any knock-out, so the hotel perk admits them."""
    candidates = client.scores.filter(pl.col("score").is_between(min_score, below - 1))
    for person in candidates["person"]:
        if client.ask(person, amount=100).json()["outcome"] == "ADMIT":
            yield str(person)
    raise AssertionError("nobody of such a score")


def decision_of(client: MerchantClient, answer: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = decisions.record_of(client.context.database, answer["decision_id"])["decision"]
    return content


def test_the_request_s_fields_are_read_by_the_rules_and_recorded(client: MerchantClient) -> None:
    person = next(admitted_people(client, 650, 700))
    short = client.ask(person, amount=200_000, context={"nights": 3}).json()
    long = client.ask(person, amount=200_000, context={"nights": 4}).json()
    none = client.ask(person, amount=200_000).json()
    assert (short["waived_amount"], long["waived_amount"], none["waived_amount"]) == (200_000, 100_000, 100_000)
    assert decision_of(client, short)["question"]["context"] == {"nights": 3}
    assert client.ask(person, amount=200_000, context={"nights": None}).json()["waived_amount"] == 100_000
    assert decision_of(client, none)["unknown"]["hotel.650_short"] == ["request.nights"]


@pytest.mark.parametrize(
    "context",
    [
        {"nigths": 3},
        {"nights": "many"},
        {"nights": 0},
        {"nights": 61},
        {"nights": True},
        {"nights": 2.5},
        {"nights": 2.0},
        {"nights": "3"},
        {"nights": "Infinity"},
        {"nights": 10**30},
        {"city": "Hangzhou"},
    ],
    ids=str,
)
def test_an_unknown_field_or_one_of_another_type_is_refused(client: MerchantClient, context: dict[str, Any]) -> None:
    assert_problem(client.ask(next(admitted_people(client)), context=context), 422, "bad_context")


@pytest.mark.parametrize("context", [{"nights": [3]}, "three", {"n" * 61: 1}], ids=str)
def test_a_context_that_no_field_accepts_is_refused(client: MerchantClient, context: Any) -> None:
    assert_problem(client.ask(next(admitted_people(client)), context=context), 422, "bad_request")


def test_the_same_transaction_with_other_fields_is_a_different_question(client: MerchantClient) -> None:
    person = next(admitted_people(client))
    first = client.ask(person, transaction_id="T-9", context={"nights": 3}).json()
    assert client.ask(person, transaction_id="T-9", context={"nights": 3}).json() == first
    assert_problem(client.ask(person, transaction_id="T-9", context={"nights": 4}), 409, "transaction_mismatch")


def test_repeating_a_question_uses_no_cap_and_another_merchants_answer_does(client: MerchantClient) -> None:
    person, other = next(admitted_people(client)), client.issue("merchant", "lodge")
    for _ in range(3):  # a room of 5,000 of the 10,000 that thirty days have
        assert client.ask(person, amount=500_000).json()["waived_amount"] == 500_000
    assert client.ask(person, other, amount=500_000).json()["waived_amount"] == 500_000
    third = client.ask(person, client.issue("merchant", "hostel"), amount=500_000).json()
    assert (third["outcome"], third["waived_amount"]) == ("DECLINE", 0)
    assert decision_of(client, third)["answer"]["because"] == ["waived_enough"]
    client.now += timedelta(days=1)
    assert client.ask(person, client.issue("merchant", "motel"), amount=500_000).json()["waived_amount"] == 500_000


def test_the_newest_answer_to_a_merchant_replaces_the_earlier_one(client: MerchantClient) -> None:
    """Only the newest answer can become an order, so the amount of the earlier one is available again."""
    person, inn = next(admitted_people(client)), client.issue("merchant", "manor")
    for amount in (300_000, 100, 500_000, 1):
        assert client.ask(person, inn, amount=amount).json()["waived_amount"] == amount
    other = client.ask(person, client.issue("merchant", "lodge"), amount=500_000).json()
    assert [u["waived"] for u in decision_of(client, other)["question"]["used"]] == [
        100,
        1,
    ]  # 100: from the search for the person


def test_an_expired_answer_without_an_order_uses_no_cap(client: MerchantClient) -> None:
    person, inn = next(admitted_people(client)), client.issue("merchant", "manor")
    assert client.ask(person, inn, amount=300_000).json()["waived_amount"] == 300_000
    client.now += timedelta(hours=24)
    other = client.ask(person, client.issue("merchant", "lodge"), amount=500_000).json()
    assert decision_of(client, other)["question"]["used"] == []


def test_concurrent_merchants_together_get_at_most_the_cap(client: MerchantClient) -> None:
    person = next(admitted_people(client))
    client.now += timedelta(days=2)  # the answers of that search have expired
    tokens = [client.issue("merchant", f"inn-{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda token: client.ask(person, token, amount=300_000).json(), tokens))
    waived = [a["waived_amount"] for a in answers]
    assert sum(waived) == 1_000_000  # the whole cap of thirty days
    for answer in answers:
        decision_record = decision_of(client, answer)
        question = question_from_record(decision_record)
        decision = decide(ReferenceEvaluator(client.context.release.at(question.day)), question)
        assert json.loads(decision.canonical()) == decision_record


def test_a_perk_is_held_from_one_decision_to_the_next(client: MerchantClient) -> None:
    person = next(admitted_people(client))
    first = decision_of(client, client.ask(person, perk="bicycle", amount=10_000).json())
    assert first["held_since"] == first["question"]["asked_at"]
    assert first["question"]["held_since"] is None
    client.now += timedelta(days=3)
    later = decision_of(client, client.ask(person, perk="bicycle", amount=10_000).json())
    assert (later["held_since"], later["question"]["held_since"]) == (first["held_since"], first["held_since"])


def test_each_decision_says_whether_relationships_made_a_difference(client: MerchantClient) -> None:
    records = [
        decision_of(client, client.ask(person, perk="car", amount=2_500_000).json())
        for person in client.scores["person"][:40]
    ]
    assert {m["same_without_relationships"] for m in records} == {True, False}
    for item in records:
        assert item["alone"]["waived"] <= item["answer"]["waived"]


def test_holds_are_kept_for_each_perk_separately(client: MerchantClient) -> None:
    """Two people, two perks: we record each hold separately."""
    ann, bob = (p for _, p in zip(range(2), admitted_people(client), strict=False))
    held_since = decision_of(client, client.ask(ann, perk="bicycle", amount=10_000).json())["held_since"]
    assert held_since is not None
    client.now += timedelta(days=1)
    for person, perk, amount in ((ann, "hotel", 100), (ann, "power_bank", 9_900), (bob, "bicycle", 10_000)):
        question = decision_of(client, client.ask(person, perk=perk, amount=amount).json())["question"]
        assert question["held_since"] is None, (person, perk)
    assert (
        decision_of(client, client.ask(ann, perk="bicycle", amount=10_000).json())["question"]["held_since"]
        == held_since
    )


def test_a_merchants_open_answer_uses_no_cap_unless_it_is_for_another_perk(
    client: MerchantClient,
) -> None:
    """Of the cap of 10,000 in thirty days, two merchants use a part; the cap over all perks includes a merchant's other perk."""
    person, lodge = next(admitted_people(client)), client.issue("merchant", "lodge")
    client.now += timedelta(days=2)
    for amount in (500_000, 400_000, 500_000):
        own_usage = decision_of(client, client.ask(person, amount=amount).json())["question"]["used"]
        assert own_usage == []
    assert client.ask(person, perk="power_bank", amount=9_900).json()["outcome"] == "ADMIT"
    usage = decision_of(client, client.ask(person, amount=450_000).json())["question"]["used"]
    assert [(u["perk"], u["waived"], u["open"]) for u in usage] == [("power_bank", 9_900, True)]
    other_usage = decision_of(client, client.ask(person, lodge, amount=500_000).json())["question"]["used"]
    assert sorted((u["perk"], u["waived"]) for u in other_usage) == [("hotel", 450_000), ("power_bank", 9_900)]


def test_an_exposure_counts_orders_by_their_state() -> None:
    """Two in service; one due and two overdue, so three unpaid; a settled and a cancelled one count as none of them."""
    states = ("in_service", "due", "overdue", "settled", "in_service", "cancelled", "overdue", None)
    decided_at, valid_until = micros(NOW), micros(NOW + timedelta(hours=1))
    prior = [
        PriorDecision(seq, "inn", "hotel", "CNY", 5, "ADMIT", 5, decided_at, valid_until, None, state)
        for seq, state in enumerate(states)
    ]
    exposure = exposure_of(prior, "lodge", "hotel", NOW)
    assert (exposure.in_service, exposure.unpaid, exposure.overdue) == (2, 3, 2)
    assert len(exposure.used) == 7  # all but the cancelled one; that without an order is the newest answer


@pytest.mark.parametrize("town_url", ["postgresql"], indirect=True)
def test_earlier_decisions_come_oldest_first_wherever_the_database_keeps_them(client: MerchantClient) -> None:
    """The newest row takes the place of a row of a person who was erased, before the older rows. SQLite moves no rows."""
    database = client.context.database
    other, person = (candidate for _, candidate in zip(range(2), admitted_people(client), strict=False))
    erase(database, other, client.now)
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM")
    for amount in (200, 300):
        client.ask(person, amount=amount)
    with reading(database) as connection:
        (rows,) = fetch_rows(connection, prior_decisions_query([person]))
    assert [decision.amount for decision in prior_decisions(rows, [person])[person]] == [100, 200, 300]
