"""The chain binds the columns that later decisions read: we detect every change of them. On both databases."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from api.decisions import decisions
from api.decisions.question import EligibilityQuestion
from api.people.erasure import erase
from api.runtime.context import AppContext
from api.store.database import reading
from api.supervision import audit
from api.supervision.exposure import MISCOUNTED
from engine.decide.decide import ReferenceEvaluator, decide
from engine.errors import Rejected
from tests.api.audit_client import tamper, undo_tampering
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.order_client import OrderClient
from tests.api.town import NOW
from tests.engine.small_rules import PERSON, make_question, release

COLUMNS = {
    "subject": "'nobody-else'",
    "merchant": "'somewhere'",
    "transaction_id": "'T-999'",
    "context": """'{"nights":59}'""",
    "held_since": "1700000000000000",
    "salt": "'00'",
    "record": "replace(record, 'merchant', 'salesman')",
}


@pytest.fixture
def client(town: AppContext) -> MerchantClient:
    return MerchantClient(town)


def ask_questions(client: MerchantClient) -> dict[str, int]:
    """Two merchants ask about two people with consent and two without. Returns the `seq` of each decision by its case."""
    ann, bob, *strangers = client.scores.filter(client.scores["score"] >= 700)["person"].to_list()
    lodge = client.issue("merchant", "lodge")
    for person in (ann, bob):
        for token in (client.token, lodge):
            client.now += timedelta(minutes=1)
            assert client.ask(person, token, amount=100, context={"nights": 3}).status_code == 200
            assert client.ask(person, token, perk="bicycle", amount=10_000).status_code == 200
    for person, token in ((strangers[0], client.token), (strangers[1], lodge)):
        assert_problem(client.post_question(person, token, context={"nights": 2}), 403, "no_consent")
    with reading(client.context.database) as connection:
        rows = connection.execute(text("select seq, perk, outcome from decisions order by seq")).all()
    seqs = {"a room": rows[0].seq, "a bicycle": rows[-3].seq, "refused": rows[-2].seq, "refused last": rows[-1].seq}
    assert [r.outcome for r in rows[-2:]] == ["REFUSED"] * 2
    assert rows[-3].perk == "bicycle"
    return seqs


def first_break(client: MerchantClient) -> tuple[int | None, str] | None:
    problem = audit.verify(client.context.database).first_break
    return problem and (problem.seq, problem.problem)


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # the compared values are the same on both databases
def test_a_change_of_any_column_beside_a_decision_or_refusal_is_detected(client: MerchantClient) -> None:
    for entry_kind, seq in ask_questions(client).items():
        for column, value in COLUMNS.items():
            with undo_tampering(client.context.database):
                tamper(client.context.database, f"update decision_subjects set {column} = {value} where seq = {seq}")
                problem = first_break(client)
            assert problem is not None, (entry_kind, column)
            assert problem[0] == seq
            assert problem[1] in (
                "its record was altered",
                f"columns that later questions read were altered: {column}",
            ), (entry_kind, column)
    assert first_break(client) is None


def test_a_decision_is_verified_with_its_transaction(client: MerchantClient) -> None:
    """Every decision for a merchant has a transaction."""
    ask_questions(client)
    with reading(client.context.database) as connection:
        query = "select count(*) from decision_subjects where transaction_id is not null"
        assert connection.execute(text(query)).scalar() == 8
    assert first_break(client) is None


def declined_person(client: MerchantClient) -> str:
    """A person without the score for the bicycle perk."""
    for person in client.scores.filter(client.scores["score"].is_between(350, 600))["person"]:
        if client.ask(person, perk="bicycle", amount=10_000).json()["outcome"] == "DECLINE":
            return str(person)
    raise AssertionError("everybody may have a bicycle")


def test_a_hold_gained_by_a_forged_moment_is_detected_even_after_it_is_undone(client: MerchantClient) -> None:
    person = declined_person(client)
    other = next(p for p in client.scores["person"] if p != person)
    client.ask(other, perk="bicycle", amount=10_000)
    held_since = decisions.micros(client.now - timedelta(days=1))
    condition = f"where subject = '{person}'"
    for table in ("decision_subjects", "counting_decisions"):
        tamper(client.context.database, f"update {table} set held_since = {held_since} {condition}")
    assert client.ask(person, perk="bicycle", amount=10_000).json()["outcome"] == "ADMIT"
    problem = first_break(client)
    assert problem is not None
    assert problem[1] == "columns that later questions read were altered: held_since"
    first = f"select min(seq) from decision_subjects {condition}"
    tamper(client.context.database, f"update decision_subjects set held_since = null where seq = ({first})")
    problem = first_break(client)
    assert problem is not None
    assert problem[1] == "its `held_since` of the perk differs from the decision before it"


@pytest.mark.parametrize(
    ("forgery", "problem"),
    [
        (
            "update counting_decisions set held_since = 1",
            "its `held_since` of the perk differs from the decision before it",
        ),
        ("delete from counting_decisions", MISCOUNTED),
    ],
)
def test_a_forged_list_of_what_counts_is_detected_by_the_decisions_themselves(
    client: MerchantClient, forgery: str, problem: str
) -> None:
    """An answer reads the list, and an audit what the list repeats."""
    person = declined_person(client)
    admitted = client.scores.filter(client.scores["score"] >= 700)["person"][0]
    client.ask(admitted, amount=10_000)
    tamper(client.context.database, forgery)
    for subject in (person, admitted):
        client.ask(subject, client.issue("merchant", "lodge"), perk="bicycle", amount=10_000)
    chain_break = first_break(client)
    assert chain_break is not None
    assert chain_break[1] == problem


def test_a_refused_question_ends_no_hold_and_breaks_no_chain(client: MerchantClient) -> None:
    """Otherwise a merchant without consent could end a hold by asking."""
    person = next(p for p in client.scores.filter(client.scores["score"] >= 700)["person"])
    first = client.ask(person, perk="bicycle", amount=10_000).json()
    held_since = decisions.record_of(client.context.database, first["decision_id"])["decision"]["held_since"]
    assert held_since is not None
    lodge = client.issue("merchant", "lodge")
    client.sign_up(lodge, "bicycle")
    assert_problem(client.post_question(person, lodge, service="bicycle", amount=10_000), 403, "no_consent")
    client.now += timedelta(days=1)
    second = client.ask(person, perk="bicycle", amount=10_000).json()
    question = decisions.record_of(client.context.database, second["decision_id"])["decision"]["question"]
    assert question["held_since"] == held_since
    assert first_break(client) is None


def test_a_record_has_the_request_as_received(client: MerchantClient) -> None:
    ask_questions(client)
    with reading(client.context.database) as connection:
        rows = connection.execute(text("select subject, context, record from decision_subjects")).all()
    for subject, context, record in rows:
        content = json.loads(record)
        assert (content["subject"], content["context"]) == (subject, json.loads(context))


def test_an_order_without_its_decision_is_detected(client: MerchantClient) -> None:
    person = client.scored_person(700)
    answer = client.ask(person, amount=100).json()
    form = {"out_order_no": "O-1", "service": "hotel", "decision_id": answer["decision_id"]}
    form |= {"risk_fund": {"amount": 100}, "service_introduction": "a room"}
    assert client.http.post("/v1/orders", json=form, headers=client.bearer(client.token)).status_code == 201
    deletions = ("delete from decisions", "delete from decision_subjects")
    tamper(client.context.database, *deletions, f"update chain_head set length = 0, hash = '{decisions.GENESIS_HASH}'")
    problem = audit.verify(client.context.database).first_break
    assert problem is not None
    assert (problem.id, problem.problem) == (answer["decision_id"], "there is an order of it, and no decision")


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_decisions_are_numbered_from_one_without_a_gap(client: MerchantClient) -> None:
    ask_questions(client)
    with reading(client.context.database) as connection:
        numbers = connection.execute(text("select seq from decisions order by seq")).scalars().all()
    assert list(numbers) == list(range(1, 11))  # eight answers and two refusals


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_a_decision_and_a_refusal_record_the_newest_move_of_any_order(town: AppContext) -> None:
    """So nobody can drop the last moves of orders unseen once a question was asked after them."""
    client = OrderClient(town)
    database = town.database

    def recorded_moves() -> list[str]:
        with reading(database) as connection:
            records = connection.execute(text("select record from decision_subjects order by seq")).scalars()
            return [json.loads(record)["order_moves"] for record in records]

    def newest_move() -> str:
        with reading(database) as connection:
            return str(connection.execute(text("select hash from order_moves order by seq desc limit 1")).scalar_one())

    client.decide()
    assert set(recorded_moves()) == {decisions.GENESIS_HASH}
    for number in ("O-1", "O-2"):
        client.start_order(number)
        client.decide()
        assert recorded_moves()[-1] == newest_move()
    assert_problem(client.post_question("nobody"), 403, "no_consent")
    assert recorded_moves()[-1] == newest_move()
    assert len(set(recorded_moves())) >= 3


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_a_record_that_never_was_or_left_with_its_person_is_refused(town: AppContext) -> None:
    client = OrderClient(town)
    name = client.decide()["decision_id"]
    assert decisions.record_of(town.database, name)["subject"] == client.person
    erase(town.database, client.person, client.now)
    for missing_name in ("0" * 32, name):
        with pytest.raises(Rejected) as error:
            decisions.record_of(town.database, missing_name)
        assert (error.value.code, error.value.where) == ("unknown_decision", "decision_id")


def test_a_refusal_s_record_is_about_as_long_as_that_of_the_decision_that_was_discarded() -> None:
    """A longer record takes longer to write. The quotes in the padding are escaped, which adds up to a fifth."""
    decision = decide(ReferenceEvaluator(release()), make_question("room", 50_000, "CNY", PERSON))
    question = EligibilityQuestion("inn", "t-1", "ann", "room", 50_000, "CNY", NOW)
    row = decisions.row_of(question, decision)
    refusal = decisions.refusal_of(question, row, "no_consent")
    assert len(row.record) > 1_500
    assert 0.95 < len(refusal.record) / len(row.record) < 1.2
