"""The request's own fields: what JSON may say for each type, and that whatever else comes is refused by name."""

from typing import Any

import pytest

from engine.caps import Used
from engine.decide import Reference, context, decide, question_of, read_context
from engine.errors import EngineError, Refused
from engine.lang.program import Perk
from engine.lang.types import DATE, DAYS, MOMENT
from tests.engine.small import MOMENT as NOW
from tests.engine.small import PERSON, asked, release

GOOD = PERSON | {"money.cover": 125}  # 720


def villa() -> Perk:
    return next(p for p in fielded().perks if p.id == "villa")


def fielded() -> Any:
    more = "      notice: {type: duration}\n"
    fields = "      late: {type: bool}\n      at: {type: timestamp}\n"
    return release("perks.yaml", more, more + fields)


@pytest.mark.parametrize("said", ["2024-03-01", "2024-03-01T00:00:01", "2024-03-01 00:00:01Z", True, 1_709_251_201])
def test_a_moment_is_not_guessed_from_a_day_or_without_a_zone(said: object) -> None:
    """In rule files a day is its first moment; of a request nobody knows which hour was meant."""
    with pytest.raises(Refused, match="`at` is not") as error:
        read_context(villa(), {"at": said})
    assert (error.value.code, error.value.hint) == (
        "bad_context",
        "write the time and its zone, as 2026-03-01T18:30:00Z",
    )


@pytest.mark.parametrize(
    ("name", "said", "held"),
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
def test_a_field_is_read_as_its_type_says(name: str, said: object, held: object) -> None:
    found = read_context(villa(), {name: said})
    assert found[name] == held
    assert type(found[name]) is type(held)
    assert set(found) == {"nights", "starts", "town", "rate", "view", "notice", "late", "at"}, "absent ones are missing"


@pytest.mark.parametrize(
    ("name", "said"),
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
def test_whatever_else_is_refused_by_the_field_s_name(name: str, said: object) -> None:
    with pytest.raises(Refused, match=f"the value of `{name}` is not") as refused:
        read_context(villa(), {name: said})
    assert (refused.value.code, refused.value.where) == ("bad_context", f"context.{name}")
    assert len(str(refused.value)) < 200, "what was said is not told back"


@pytest.mark.parametrize("said", [1, None, 1.5, "x"])
def test_an_unknown_field_is_refused_with_the_known_ones(said: object) -> None:
    with pytest.raises(Refused, match="unknown field `night`") as refused:
        read_context(villa(), {"night": said})
    assert "`villa` takes nights, starts, town" in refused.value.hint
    room = release().perk("room")
    assert room
    with pytest.raises(Refused, match="unknown field `nights`") as refused:
        read_context(room, {"nights": 1})
    assert refused.value.hint == "`room` takes none"
    with pytest.raises(Refused, match="unknown field `amount`"):  # the amount is not to be said twice
        read_context(villa(), {"amount": 1})


@pytest.mark.parametrize(
    ("name", "held"), [("nights", 61), ("nights", "2"), ("late", 1), ("view", "pool"), ("starts", 2**40)]
)
def test_a_value_that_is_held_is_seen_to_fit_too(name: str, held: Any) -> None:
    with pytest.raises(Refused, match=f"the value of `{name}` is not"):
        context(villa(), {name: held})


def test_moments_and_durations_keep_to_the_calendar_so_that_sums_fit() -> None:
    types = {a.name: a.type for a in villa().request}
    for name, widest in (("starts", DATE), ("at", MOMENT), ("notice", DAYS)):
        assert (types[f"request.{name}"].low, types[f"request.{name}"].high) == (widest.low, widest.high)
    sums = "request.starts + request.notice <= as_of + 365d and request.starts < 2024-03-05"
    assert release("perks.yaml", "held and request.nights <= 7", f"held and {sums}").perk("villa")


def test_a_field_that_is_not_given_is_unknown_and_closes() -> None:
    for said, outcome in (
        ({}, "DECLINE"),
        ({"nights": 7}, "PARTIAL"),
        ({"nights": 8}, "DECLINE"),
        ({"town": "Basra"}, "PARTIAL"),
    ):
        found = decide(Reference(release()), asked("villa", 200_000, "CNY", GOOD, context=said))
        assert found.outcome == outcome, said
        record = found.record()
        assert set(record["question"]["context"]) == {"nights", "starts", "town", "rate", "view", "notice"}
        assert decide(Reference(release()), question_of(record)).canonical() == found.canonical()


@pytest.mark.parametrize("wrong", ["", "now", "2024-03-01", "2024-03-01T00:00:00", "2024-13-01T00:00:00Z", "20240301Z"])
@pytest.mark.parametrize("which", ["as_of", "asked_at", "held_since", "used"])
def test_a_moment_that_cannot_be_read_makes_no_decision(which: str, wrong: str) -> None:
    """A moment without an offset is a guess: it is not made."""
    more: dict[str, Any] = {"held_since": NOW, which: wrong} if which != "used" else {}
    used = (Used("villa", "CNY", 100, wrong if which == "used" else NOW, True),)
    with pytest.raises(EngineError, match="cannot be read"):
        decide(Reference(release()), asked("villa", 200_000, "CNY", GOOD, used=used, **more))


def test_the_day_is_that_of_utc() -> None:
    for as_of, day in (
        ("2024-03-01T07:59:59+08:00", 19_782),
        ("2024-03-01T08:00:00+08:00", 19_783),
        ("2024-02-29T20:00:00-04:00", 19_783),
    ):
        assert asked("room", 1, "CNY", GOOD, as_of=as_of).day == day


def test_fields_of_the_request_do_not_hide_behind_the_catalogue() -> None:
    """`request.` names are the perk's: a value of the person under such a name is not looked at."""
    person = GOOD | {"request.nights": 3, "request.amount": 1, "score": 950, "held": True}
    found = decide(Reference(release()), asked("villa", 200_000, "CNY", person))
    assert (found.outcome, found.scored.score) == ("DECLINE", 720)


def test_a_number_too_long_to_be_written_is_refused_like_any_other() -> None:
    with pytest.raises(Refused, match="the value of `nights` is not"):
        read_context(villa(), {"nights": 10**5_000})  # Python itself refuses to write it
