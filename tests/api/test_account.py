"""What the request says of itself, and what was given before: fields, caps and holds, from the merchant's side."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from api.decisions import decisions
from api.world import World
from engine.decide import Reference, decide, question_of
from tests.api.door import Door, refused


@pytest.fixture
def door(town: World) -> Door:
    return Door(town)


def best(door: Door, least: int = 700, below: int = 951) -> Iterator[str]:
    """People who are knocked out of nothing: the hotel gives them a room."""
    within = door.scores.filter(pl.col("score").is_between(least, below - 1))
    for person in within["person"]:
        if door.ask(person, amount=100).json()["outcome"] == "ADMIT":
            yield str(person)
    raise AssertionError("nobody of such a score")


def record(door: Door, answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = decisions.record_of(door.world.database, answer["decision_id"])["decision"]
    return found


def test_the_request_s_fields_are_read_by_the_rules_and_recorded(door: Door) -> None:
    person = next(best(door, 650, 700))
    short = door.ask(person, amount=200_000, context={"nights": 3}).json()
    long = door.ask(person, amount=200_000, context={"nights": 4}).json()
    none = door.ask(person, amount=200_000).json()
    assert (short["waived_amount"], long["waived_amount"], none["waived_amount"]) == (200_000, 100_000, 100_000)
    assert record(door, short)["question"]["context"] == {"nights": 3}
    assert door.ask(person, amount=200_000, context={"nights": None}).json()["waived_amount"] == 100_000
    assert record(door, none)["unknown"]["hotel.650_short"] == ["request.nights"]


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
def test_a_field_that_the_perk_has_not_or_of_another_sort_is_refused(door: Door, context: dict[str, Any]) -> None:
    refused(door.ask(next(best(door)), context=context), 422, "bad_context")


@pytest.mark.parametrize("context", [{"nights": [3]}, "three", {"n" * 61: 1}], ids=str)
def test_what_no_field_can_be_is_refused(door: Door, context: Any) -> None:
    refused(door.ask(next(best(door)), context=context), 422, "bad_request")


def test_the_same_transaction_with_other_fields_is_another_question(door: Door) -> None:
    person = next(best(door))
    first = door.ask(person, transaction_id="T-9", context={"nights": 3}).json()
    assert door.ask(person, transaction_id="T-9", context={"nights": 3}).json() == first
    refused(door.ask(person, transaction_id="T-9", context={"nights": 4}), 409, "transaction_mismatch")


def test_asking_again_does_not_use_up_a_cap_and_another_merchant_does(door: Door) -> None:
    person, other = next(best(door)), door.issue("merchant", "lodge")
    for _ in range(3):  # a room of 5,000 of the 10,000 that thirty days have
        assert door.ask(person, amount=500_000).json()["waived_amount"] == 500_000
    assert door.ask(person, other, amount=500_000).json()["waived_amount"] == 500_000
    third = door.ask(person, door.issue("merchant", "hostel"), amount=500_000).json()
    assert (third["outcome"], third["waived_amount"]) == ("DECLINE", 0)
    assert record(door, third)["answer"]["because"] == ["waived_enough"]
    door.now += timedelta(days=1)
    assert door.ask(person, door.issue("merchant", "motel"), amount=500_000).json()["waived_amount"] == 500_000


def test_the_newest_answer_to_a_merchant_takes_the_place_of_the_one_before(door: Door) -> None:
    """Only it can become an order, so that what the one before waived is free again."""
    person, inn = next(best(door)), door.issue("merchant", "manor")
    for amount in (300_000, 100, 500_000, 1):
        assert door.ask(person, inn, amount=amount).json()["waived_amount"] == amount
    other = door.ask(person, door.issue("merchant", "lodge"), amount=500_000).json()
    assert [u["waived"] for u in record(door, other)["question"]["used"]] == [100, 1]  # 100: when the person was found


def test_an_answer_that_has_run_out_without_an_order_uses_nothing_up(door: Door) -> None:
    person, inn = next(best(door)), door.issue("merchant", "manor")
    assert door.ask(person, inn, amount=300_000).json()["waived_amount"] == 300_000
    door.now += timedelta(hours=24)
    other = door.ask(person, door.issue("merchant", "lodge"), amount=500_000).json()
    assert record(door, other)["question"]["used"] == []


def test_merchants_who_ask_at_the_same_time_are_not_given_more_than_the_cap(door: Door) -> None:
    person = next(best(door))
    door.now += timedelta(days=2)  # what was asked to find them has run out
    tokens = [door.issue("merchant", f"inn-{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda token: door.ask(person, token, amount=300_000).json(), tokens))
    waived = [a["waived_amount"] for a in answers]
    assert sum(waived) == 1_000_000  # all that the thirty days have, to the last unit
    for answer in answers:
        made = record(door, answer)
        question = question_of(made)
        again = decide(Reference(door.world.release.at(question.day)), question)
        assert json.loads(again.canonical()) == made


def test_a_perk_is_held_from_one_decision_to_the_next(door: Door) -> None:
    person = next(best(door))
    first = record(door, door.ask(person, perk="bicycle", amount=10_000).json())
    assert first["held_since"] == first["question"]["asked_at"]
    assert first["question"]["held_since"] is None
    door.now += timedelta(days=3)
    later = record(door, door.ask(person, perk="bicycle", amount=10_000).json())
    assert (later["held_since"], later["question"]["held_since"]) == (first["held_since"], first["held_since"])


def test_each_decision_says_whether_relationships_made_a_difference(door: Door) -> None:
    made = [
        record(door, door.ask(person, perk="car", amount=2_500_000).json()) for person in door.scores["person"][:40]
    ]
    assert {m["same_without_relationships"] for m in made} == {True, False}
    for one in made:
        assert one["alone"]["waived"] <= one["answer"]["waived"]


def test_another_perk_s_hold_is_not_this_one_s(door: Door) -> None:
    """Two people, two perks: each is held for itself."""
    ann, bob = (p for _, p in zip(range(2), best(door), strict=False))
    held = record(door, door.ask(ann, perk="bicycle", amount=10_000).json())["held_since"]
    assert held is not None
    door.now += timedelta(days=1)
    for person, perk, amount in ((ann, "hotel", 100), (ann, "power_bank", 9_900), (bob, "bicycle", 10_000)):
        question = record(door, door.ask(person, perk=perk, amount=amount).json())["question"]
        assert question["held_since"] is None, (person, perk)
    assert record(door, door.ask(ann, perk="bicycle", amount=10_000).json())["question"]["held_since"] == held


def test_a_merchant_s_own_answer_that_waits_uses_nothing_up_and_that_of_its_other_perk_does(door: Door) -> None:
    """Of the 10,000 that thirty days have, two merchants; of what is open over all perks, a merchant's other perk."""
    person, lodge = next(best(door)), door.issue("merchant", "lodge")
    door.now += timedelta(days=2)
    for amount in (500_000, 400_000, 500_000):
        own = record(door, door.ask(person, amount=amount).json())["question"]["used"]
        assert own == []
    assert door.ask(person, perk="power_bank", amount=9_900).json()["outcome"] == "ADMIT"
    used = record(door, door.ask(person, amount=450_000).json())["question"]["used"]
    assert [(u["perk"], u["waived"], u["open"]) for u in used] == [("power_bank", 9_900, True)]
    other = record(door, door.ask(person, lodge, amount=500_000).json())["question"]["used"]
    assert sorted((u["perk"], u["waived"]) for u in other) == [("hotel", 450_000), ("power_bank", 9_900)]
