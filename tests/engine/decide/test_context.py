"""Check the request's own fields: the valid JSON for each type, and that we reject everything else by name."""

from typing import Any

import pytest

from engine.decide.caps import PriorWaiver
from engine.decide.decide import ReferenceEvaluator, decide, question_from_record
from engine.decide.questions import check_context, read_context
from engine.errors import EngineError, Rejected
from engine.lang.model.program import Perk
from engine.lang.model.types import DATE, DAYS, MOMENT
from tests.engine.small_rules import MOMENT as NOW
from tests.engine.small_rules import PERSON, make_question, release

GOOD = PERSON | {"money.cover": 125}  # 720


def villa() -> Perk:
    return next(p for p in program_with_fields().perks if p.id == "villa")


def program_with_fields() -> Any:
    more = "      notice: {type: duration}\n"
    fields = "      late: {type: bool}\n      at: {type: timestamp}\n"
    return release("perks.yaml", more, more + fields)


@pytest.mark.parametrize("payload", ["2024-03-01", "2024-03-01T00:00:01", "2024-03-01 00:00:01Z", True, 1_709_251_201])
def test_a_moment_is_not_guessed_from_a_day_or_without_a_zone(payload: object) -> None:
    """In rule files a date means its first moment. In a request we do not guess the hour."""
    with pytest.raises(Rejected, match="`at` is not") as error:
        read_context(villa(), {"at": payload})
    assert (error.value.code, error.value.hint) == (
        "bad_context",
        "write the time and its zone, as 2026-03-01T18:30:00Z",
    )


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        ("nights", 1, 1),
        ("nights", 60, 60),
        ("starts", "2024-03-05", 19_787),
        ("town", "Basra", "Basra"),
        ("town", "12", "12"),
        ("town", "true", "true"),
        ("town", "Ćuprija; --", "Ćuprija; --"),
        ("rate", "0.05", 5),
        ("rate", 9_000, 900_000),
        ("view", "sea", "sea"),
        ("notice", "90d", 90),
        ("notice", "48h", 2),
        ("late", False, False),
        ("at", "2024-03-01T00:00:01Z", 19_783 * 86_400 + 1),
        ("nights", None, None),
    ],
)
def test_a_field_is_read_by_its_type(name: str, payload: object, expected: object) -> None:
    fields = read_context(villa(), {name: payload})
    assert fields[name] == expected
    assert type(fields[name]) is type(expected)
    assert set(fields) == {"nights", "starts", "town", "rate", "view", "notice", "late", "at"}, (
        "absent ones are missing"
    )


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        *(("nights", v) for v in (0, 61, True, "2", 2.0, float("nan"), 10**30, [2], {}, b"2")),
        *(("starts", v) for v in ("2024-02-30", "2024-W01-1", 19_787, "", "2024-03-05T00:00:00Z", True)),
        *(("town", v) for v in (5, True, "", "x" * 129, 1.5, ["Basra"])),
        *(("rate", v) for v in ("0.005", "Infinity", "NaN", "1e1", "9000.01", "-0.01", 1.5, 9_001, True, " 1", "１")),
        *(("view", v) for v in ("pool", "Sea", 0, True, "")),
        *(("notice", v) for v in (90, "36h", "90", "1w", "9999999999999999d", True)),
        *(("late", v) for v in ("true", 1, 0, "", 0.0)),
        *(("at", v) for v in ("2024-03-01T00:00:00+08:00", "2024-03-01T00:00:00", 1_709_251_200, "now")),
    ],
)
def test_any_other_value_is_refused_with_the_name_of_the_field(name: str, payload: object) -> None:
    with pytest.raises(Rejected, match=f"the value of `{name}` is not") as error:
        read_context(villa(), {name: payload})
    assert (error.value.code, error.value.where) == ("bad_context", f"context.{name}")
    assert len(str(error.value)) < 200, "what was said is not told back"


@pytest.mark.parametrize("payload", [1, None, 1.5, "x"])
def test_an_unknown_field_is_refused_with_the_known_ones(payload: object) -> None:
    with pytest.raises(Rejected, match="unknown field `night`") as error:
        read_context(villa(), {"night": payload})
    assert "`villa` takes nights, starts, town" in error.value.hint
    room = release().perk("room")
    assert room
    with pytest.raises(Rejected, match="unknown field `nights`") as error:
        read_context(room, {"nights": 1})
    assert error.value.hint == "`room` takes none"
    with pytest.raises(Rejected, match="unknown field `amount`"):  # the amount must not occur twice
        read_context(villa(), {"amount": 1})


@pytest.mark.parametrize(
    ("name", "value"), [("nights", 61), ("nights", "2"), ("late", 1), ("view", "pool"), ("starts", 2**40)]
)
def test_internal_values_are_checked_against_the_field(name: str, value: Any) -> None:
    with pytest.raises(Rejected, match=f"the value of `{name}` is not"):
        check_context(villa(), {name: value})


def test_moments_and_durations_keep_to_the_calendar_so_that_sums_fit() -> None:
    types = {a.name: a.type for a in villa().request}
    for name, widest in (("starts", DATE), ("at", MOMENT), ("notice", DAYS)):
        assert (types[f"request.{name}"].low, types[f"request.{name}"].high) == (widest.low, widest.high)
    sums = "request.starts + request.notice <= as_of + 365d and request.starts < 2024-03-05"
    assert release("perks.yaml", "held and request.nights <= 7", f"held and {sums}").perk("villa")


def test_a_missing_field_is_unknown_and_meets_no_condition() -> None:
    for request, outcome in (
        ({}, "DECLINE"),
        ({"nights": 7}, "PARTIAL"),
        ({"nights": 8}, "DECLINE"),
        ({"town": "Basra"}, "PARTIAL"),
    ):
        decision = decide(ReferenceEvaluator(release()), make_question("villa", 200_000, "CNY", GOOD, context=request))
        assert decision.outcome == outcome, request
        record = decision.record()
        assert set(record["question"]["context"]) == {"nights", "starts", "town", "rate", "view", "notice"}
        assert decide(ReferenceEvaluator(release()), question_from_record(record)).canonical() == decision.canonical()


@pytest.mark.parametrize("wrong", ["", "now", "2024-03-01", "2024-03-01T00:00:00", "2024-13-01T00:00:00Z", "20240301Z"])
@pytest.mark.parametrize("field", ["as_of", "asked_at", "held_since", "used"])
def test_an_unreadable_moment_gives_no_decision(field: str, wrong: str) -> None:
    """We would have to guess a moment without an offset."""
    more: dict[str, Any] = {"held_since": NOW, field: wrong} if field != "used" else {}
    waivers = (PriorWaiver("villa", "CNY", 100, wrong if field == "used" else NOW, True),)
    with pytest.raises(EngineError, match="cannot be read"):
        decide(ReferenceEvaluator(release()), make_question("villa", 200_000, "CNY", GOOD, used=waivers, **more))


def test_the_day_is_in_utc() -> None:
    for as_of, day in (
        ("2024-03-01T07:59:59+08:00", 19_782),
        ("2024-03-01T08:00:00+08:00", 19_783),
        ("2024-02-29T20:00:00-04:00", 19_783),
    ):
        assert make_question("room", 1, "CNY", GOOD, as_of=as_of).day == day


def test_request_fields_are_not_overridden_by_catalogue_values() -> None:
    """`request.` names belong to the perk: we ignore a person's value with such a name."""
    person = GOOD | {"request.nights": 3, "request.amount": 1, "score": 950, "held": True}
    decision = decide(ReferenceEvaluator(release()), make_question("villa", 200_000, "CNY", person))
    assert (decision.outcome, decision.scored.score) == ("DECLINE", 720)


def test_a_number_too_long_to_be_written_is_refused_like_any_other() -> None:
    with pytest.raises(Rejected, match="the value of `nights` is not"):
        read_context(villa(), {"nights": 10**5_000})  # Python itself refuses to print it
