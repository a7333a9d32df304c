"""Check that a decision is a function of its question and the release: its rejections, its record, and its replay."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from engine.decide.decide import (
    Decision,
    DecisionInputs,
    ReferenceEvaluator,
    assess,
    decide,
    question_from_record,
    validate_values,
)
from engine.errors import EngineError, Rejected
from engine.lang.engines.durable import DurableEvaluator
from engine.lang.model.types import MAX_INTEGER, Value
from tests.engine.small_rules import DAY, PERSON, SCHEMA, make_question, release

QUESTION = make_question("room", 60_000, "CNY", PERSON, known_at="2024-03-02T00:00:00Z")
GOLDEN = "b165e7cdf5661d42a3d9ae45c4d7a54460f17128fc812aa1d4dc268177eef629"


def decide_question(question: DecisionInputs = QUESTION, values: Mapping[str, Value | None] | None = None) -> Decision:
    return decide(ReferenceEvaluator(release()), replace(question, values={**question.values, **(values or {})}))


def feature_values(**values: Value | None) -> dict[str, Value | None]:
    return {k.replace("_", ".", 1): v for k, v in values.items()}


@pytest.mark.parametrize(
    ("amount", "values", "outcome", "waived", "reasons"),
    [
        (50_000, {}, "PARTIAL", 16_500, ("cover", "balance", "ties")),  # 670: the tier of 600, a share of 33 %
        (50_001, {}, "DECLINE", 0, ("cover", "balance", "ties")),  # beyond what the tier of 600 looks at
        (50_000, {"money_cover": 125}, "ADMIT", 50_000, ()),  # 720: the tier of 700
        (100_001, {"money_cover": 125}, "PARTIAL", 100_000, ("balance", "ties")),
        (50_000, {"credit_missed": 3}, "DECLINE", 0, ("missed", "cover", "balance", "ties")),
        (50_000, {"identity_kind": None}, "DECLINE", 0, ("guest", "cover", "balance", "ties")),
        (50_000, {"identity_kind": "guest", "credit_missed": 3}, "DECLINE", 0, ("missed", "guest", "cover", "balance")),
        (50_000, {"identity_level": 0}, "UNSCORABLE", 0, ("thin",)),
    ],
)
def test_a_decision_worked_out_by_hand(
    amount: int, values: dict[str, Any], outcome: str, waived: int, reasons: tuple[str, ...]
) -> None:
    decision = decide_question(replace(QUESTION, amount=amount), feature_values(**values))
    assert (decision.outcome, decision.answer.waived, decision.reasons) == (outcome, waived, reasons)
    assert decision.answer.waived + decision.answer.deposit == amount


def test_the_perk_of_an_unscorable_person_is_not_evaluated() -> None:
    decision = decide_question(values=feature_values(identity_level=None))
    assert (decision.scored.score, decision.statuses) == (None, {})


@pytest.mark.parametrize("amount", [1, 500_000])
def test_the_smallest_and_largest_amounts_are_accepted(amount: int) -> None:
    assert decide_question(replace(QUESTION, amount=amount)).answer.deposit >= 0


@pytest.mark.parametrize("amount", [0, -1, 500_001, 10**18])
def test_other_amounts_are_rejected(amount: int) -> None:
    with pytest.raises(Rejected, match="out of range") as error:
        decide_question(replace(QUESTION, amount=amount))
    assert (error.value.code, error.value.where) == ("bad_amount", "amount")
    assert "from 1 to 500000 in minor units of CNY" in error.value.hint


def test_another_currency_is_refused() -> None:
    with pytest.raises(Rejected, match="`room` is in CNY") as error:
        decide_question(replace(QUESTION, currency="JPY"))
    assert error.value.code == "wrong_currency"


def test_an_unknown_perk_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Rejected, match="unknown perk `rooms`") as error:
        decide_question(replace(QUESTION, perk="rooms"))
    assert (error.value.code, error.value.hint) == ("unknown_perk", "use one of room, scooter, villa")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("identity.level", 4),
        ("identity.level", -1),
        ("identity.level", True),
        ("identity.level", "2"),
        ("identity.level", 2.0),
        ("identity.kind", "robot"),
        ("identity.kind", 0),
        ("money.paused", 1),
        ("money.paused", "true"),
        ("money.cover", 1.0),
        ("money.cover", 10**6),
        ("credit.last_missed", "2024-01-01"),
        ("money.balance", MAX_INTEGER + 1),
    ],
)
def test_an_invalid_value_gives_no_decision_and_is_not_repeated(name: str, value: Any) -> None:
    evaluator = ReferenceEvaluator(release())
    for ask in (lambda: decide_question(values={name: value}), lambda: assess(evaluator, {**PERSON, name: value}, DAY)):
        with pytest.raises(EngineError, match=f"the value of `{name}` does not fit") as error:
            ask()
        fits = SCHEMA[name].type
        assert str(error.value) == f"the value of `{name}` does not fit {fits} (build the features again)"


def test_the_record_keeps_only_values_that_rules_read() -> None:
    values = validate_values(release(), {"identity.level": 1, "money.huge": 5, "no.such": 1})
    assert "money.huge" not in values
    assert "no.such" not in values
    assert values["credit.missed"] is None
    assert sorted(values) == list(release().features)


def test_the_record_has_every_input_of_the_decision() -> None:
    decision = decide_question()
    record = json.loads(decision.canonical())
    assert record["release"] == release().release
    assert record["version"] == 2
    question = record["question"]
    assert {k: question[k] for k in ("subject", "perk", "amount", "currency", "as_of", "known_at", "purpose")} == {
        "subject": "ann",
        "perk": "room",
        "amount": 60_000,
        "currency": "CNY",
        "as_of": "2024-03-01T00:00:00Z",
        "known_at": "2024-03-02T00:00:00Z",
        "purpose": "perks",
    }
    assert question["values"] == {n: PERSON[n] for n in release().features}
    assert record["statuses"] == {"room.bad": False, "room.guest": False, "room.700": False, "room.600": False}
    assert {p["id"]: p["points"] for p in record["scored"]["parts"]}["missed"] == 120
    assert record["answer"] == {"outcome": "DECLINE", "waived": 0, "deposit": 60_000, "tier": None, "because": []}
    assert record["valid_hours"] == 24


def test_a_decision_replayed_from_its_record_is_equal() -> None:
    for values in (
        {},
        feature_values(money_cover=125),
        feature_values(identity_level=None),
        feature_values(identity_kind=None),
    ):
        first = decide_question(values=values)
        question = question_from_record(json.loads(first.canonical()))
        assert decide(ReferenceEvaluator(release()), question).canonical() == first.canonical()


def test_the_online_engine_writes_the_same_record() -> None:
    evaluator = DurableEvaluator(release())
    try:
        for values in (
            {},
            feature_values(money_cover=125),
            feature_values(identity_level=None),
            feature_values(identity_kind=None),
        ):
            question = replace(QUESTION, values={**PERSON, **values})
            assert decide(evaluator, question).canonical() == decide_question(question).canonical()
    finally:
        evaluator.close()


def test_the_order_of_values_does_not_change_the_record() -> None:
    other = replace(QUESTION, values=dict(reversed(PERSON.items())))
    assert decide_question(other).canonical() == decide_question().canonical()


def test_moments_of_global_features_are_recorded_if_given() -> None:
    question = replace(QUESTION, global_as_of="2024-01-01T00:00:00Z", global_known_at="2024-01-02T00:00:00Z")
    record = decide_question(question).record()
    assert (record["version"], record["question"]["global_as_of"]) == (3, "2024-01-01T00:00:00Z")
    assert decide(ReferenceEvaluator(release()), question_from_record(record)).record() == record


def test_the_canonical_form_never_changes() -> None:
    assert hashlib.sha256(decide_question().canonical().encode()).hexdigest() == GOLDEN
