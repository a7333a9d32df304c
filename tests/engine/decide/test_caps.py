"""Check caps and holds against manual calculations for the small villa, to the second, and replays from their records.

The villa waives 80 % of a deposit in Basra, up to 8,000.00. The caps are 20,000.00 in thirty days, two waivers in
ninety days, and 30,000.00 for open waivers over all perks in CNY. We grant it from 640 points, and the person holds it
for at least thirty days and as long as the score is at least 600.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.decide.caps import PriorWaiver, perk_is_held, remaining_by_cap, seconds_between
from engine.decide.decide import Decision, ReferenceEvaluator, decide, question_from_record
from engine.decide.perks import PerkOutcome, perk_outcome
from engine.errors import EngineError
from engine.lang.engines.durable import DurableEvaluator
from engine.lang.model.program import Perk, Program
from engine.lang.model.types import Value
from tests.engine.small_rules import PERSON, make_question, release

NOW = datetime(2024, 3, 1, tzinfo=UTC)
DAY, SECOND, MICROSECOND = timedelta(days=1), timedelta(seconds=1), timedelta(microseconds=1)
BASRA = {"town": "Basra"}


def ago(past: timedelta) -> str:
    return (NOW - past).isoformat()


def waiver(
    waived: int, past: timedelta = DAY, perk: str = "villa", currency: str = "CNY", open_: bool = True
) -> PriorWaiver:
    return PriorWaiver(perk, currency, waived, ago(past), open_)


def perk_of(name: str = "villa", program: Program | None = None) -> Perk:
    result = (program or release()).perk(name)
    assert result
    return result


def remaining(*before: PriorWaiver, name: str = "villa", program: Program | None = None) -> tuple[int | None, ...]:
    return remaining_by_cap(perk_of(name, program), before, NOW.isoformat())


def decide_villa(amount: int, *before: PriorWaiver, program: Program | None = None, **more: Any) -> Decision:
    person: Mapping[str, Value | None] = more.pop("person", PERSON)
    question = make_question("villa", amount, "CNY", person, **{"context": BASRA, "used": before, **more})
    return decide(ReferenceEvaluator(program or release()), question)


def test_without_earlier_waivers_the_whole_cap_remains() -> None:
    assert remaining() == (2_000_000, None, 3_000_000)


def test_waivers_within_the_days_are_subtracted() -> None:
    assert remaining(waiver(500_000), waiver(300_000, 29 * DAY)) == (1_200_000, 0, 2_200_000)


@pytest.mark.parametrize(
    ("past", "month"),
    [
        (30 * DAY - SECOND, 1_500_000),
        (30 * DAY - MICROSECOND, 1_500_000),
        (30 * DAY, 2_000_000),
        (30 * DAY + SECOND, 2_000_000),
        (timedelta(0), 1_500_000),
        (-SECOND, 1_500_000),  # from a clock that is ahead
    ],
)
def test_days_are_counted_to_the_second(past: timedelta, month: int) -> None:
    assert remaining(waiver(500_000, past))[0] == month


@pytest.mark.parametrize(("past", "third"), [(90 * DAY - SECOND, 0), (90 * DAY, None)])
def test_times_are_counted_in_their_own_days(past: timedelta, third: int | None) -> None:
    assert remaining(waiver(1), waiver(1, past))[1] == third
    assert remaining(waiver(1))[1] is None


def test_without_days_open_waivers_count_at_any_age_and_closed_ones_do_not() -> None:
    assert remaining(waiver(500_000, 4_000 * DAY)) == (2_000_000, None, 2_500_000)
    assert remaining(waiver(500_000, DAY, open_=False)) == (1_500_000, None, 3_000_000)


def test_other_perks_in_the_currency_count_for_the_shared_cap_only() -> None:
    assert remaining(waiver(500_000, perk="room")) == (2_000_000, None, 2_500_000)
    assert remaining(waiver(500_000, perk="long_gone")) == (2_000_000, None, 2_500_000)
    assert remaining(waiver(300, perk="scooter", currency="JPY")) == (2_000_000, None, 3_000_000)
    assert remaining(waiver(500_000), name="room") == (2_500_000,)
    assert remaining(waiver(300, perk="scooter", currency="JPY"), name="scooter") == ()


def test_amounts_from_when_the_perk_had_another_currency_are_not_added_but_count_as_times() -> None:
    assert remaining(waiver(500_000, currency="JPY")) == (2_000_000, None, 3_000_000)
    assert remaining(waiver(500_000, currency="JPY"), waiver(1)) == (1_999_999, 0, 2_999_999)


def test_the_remaining_amount_is_never_negative() -> None:
    assert remaining(waiver(5_000_000)) == (0, None, 0)


def yen_program() -> Program:
    return release(
        "perks.yaml",
        "    most: 500 JPY\n",
        "    most: 500 JPY\n    caps: [{waived: 350 JPY, days: 1, reason: capped}]\n",
    )


def test_yen_have_no_smaller_unit() -> None:
    assert remaining(name="scooter", program=yen_program()) == (350,)
    before = waiver(100, perk="scooter", currency="JPY"), waiver(9, 2 * DAY, perk="scooter", currency="JPY")
    assert remaining(*before, name="scooter", program=yen_program()) == (350,), "a day ago is a day"
    before = (waiver(100, DAY - SECOND, perk="scooter", currency="JPY"),)
    assert remaining(*before, name="scooter", program=yen_program()) == (250,)
    decision = decide(ReferenceEvaluator(yen_program()), make_question("scooter", 300, "JPY", PERSON, used=before))
    assert (decision.outcome, decision.reasons[0]) == (
        "DECLINE",
        "capped",
    )  # 250 of 300, and a scooter is all or nothing
    assert (
        decide(ReferenceEvaluator(yen_program()), make_question("scooter", 250, "JPY", PERSON, used=before)).outcome
        == "ADMIT"
    )


@pytest.mark.parametrize(
    ("amount", "before", "outcome", "waived"),
    [
        (1_000_000, (), "PARTIAL", 800_000),
        (1_000_000, (waiver(1_200_000),), "PARTIAL", 800_000),  # exactly the remaining amount
        (1_000_000, (waiver(1_200_001),), "PARTIAL", 799_999),
        (1_000_000, (waiver(1_999_999),), "PARTIAL", 1),
        (1_000_000, (waiver(2_000_000),), "DECLINE", 0),
        (1_000_000, (waiver(1), waiver(1)), "DECLINE", 0),  # twice in ninety days
        (1_000_000, (waiver(2_500_000, perk="room"),), "PARTIAL", 500_000),  # of 30,000.00 open
        (1_000_000, (waiver(2_500_000, perk="room", open_=False),), "PARTIAL", 800_000),
        (
            1_000_000,
            (waiver(1_900_000), waiver(600_000, perk="room")),
            "PARTIAL",
            100_000,
        ),  # the smallest remaining amount
    ],
)
def test_a_cap_reduces_the_waiver(amount: int, before: tuple[PriorWaiver, ...], outcome: str, waived: int) -> None:
    decision = decide_villa(amount, *before)
    assert (decision.outcome, decision.answer.waived, decision.answer.deposit) == (outcome, waived, amount - waived)
    cut = waived < 800_000
    assert decision.answer.because == (("capped",) if cut else ())
    assert (decision.reasons[0] == "capped") is cut, "before what cost points"
    assert decision.answer.tier == ("villa.town" if waived else None)


def test_a_cap_that_does_not_reduce_gives_no_reason() -> None:
    statuses = {"villa.town": True, "villa.short": None}
    assert perk_outcome(perk_of(), statuses, 100, (80, None, 80)) == PerkOutcome("PARTIAL", 80, 20, "villa.town", ())
    assert perk_outcome(perk_of(), statuses, 100, (79, None, 0)) == PerkOutcome("DECLINE", 0, 100, None, ("capped",))


def test_caps_with_one_reason_give_it_once_and_with_two_give_both() -> None:
    other = release("perks.yaml", "{times: 2, days: 90, reason: capped}", "{times: 2, days: 90, reason: guest}")
    before = (waiver(2_000_000), waiver(1))
    assert decide_villa(1_000_000, *before).answer.because == ("capped",)
    assert decide_villa(1_000_000, *before, program=other).answer.because == ("capped", "guest")


def score_of(changes: dict[str, Value | None]) -> int:
    score = decide_villa(100, person=PERSON | changes).scored.score
    assert score is not None
    return score


# Scores by hand: 500 + missed (120, 20, -100) + cover (-20, 10, 60; missing 5) + steady 40 (unknown 10) + late (-60).
AT_640: dict[str, Value | None] = {"money.cover": 79}
AT_620: dict[str, Value | None] = {"credit.missed": 1, "money.cover": 125}
AT_600: dict[str, Value | None] = {"money.cover": 79, "money.paused": True}
AT_570: dict[str, Value | None] = {"credit.missed": 1, "money.cover": 100}


def test_the_people_in_the_hold_tests_have_these_scores() -> None:
    assert [score_of(c) for c in (AT_640, AT_620, AT_600, AT_570)] == [640, 620, 600, 570]


@pytest.mark.parametrize(
    ("changes", "since", "is_held"),
    [
        (AT_640, None, True),  # granted
        (AT_620, None, False),
        (AT_620, 40 * DAY, True),  # kept above the lower limit
        (AT_600, 40 * DAY, True),
        (AT_570, 40 * DAY, False),  # lost
        (AT_570, 30 * DAY, False),  # thirty days are over
        (AT_570, 30 * DAY - SECOND, True),  # promised
        (AT_570, timedelta(0), True),
        (AT_570, -DAY, True),  # from a clock that is ahead
        (AT_570, None, False),
    ],
)
def test_a_perk_is_held_down_to_its_lower_score_and_for_its_minimum_days(
    changes: dict[str, Value | None], since: timedelta | None, is_held: bool
) -> None:
    before = None if since is None else ago(since)
    decision = decide_villa(1_000_000, person=PERSON | changes, held_since=before)
    assert decision.outcome == ("PARTIAL" if is_held else "DECLINE")
    assert decision.held_since == ((before or decision.question.asked_at) if is_held else None)


def test_a_lost_hold_can_be_granted_again() -> None:
    lost = decide_villa(1_000_000, person=PERSON | AT_570, held_since=ago(60 * DAY))
    assert lost.held_since is None
    still = decide_villa(1_000_000, person=PERSON | AT_620, held_since=lost.held_since)
    assert still.held_since is None, "620 keeps, and does not grant"
    regranted = decide_villa(1_000_000, person=PERSON | AT_640, held_since=still.held_since)
    assert regranted.held_since == regranted.question.asked_at


@pytest.mark.parametrize(("since", "is_held"), [(None, False), (29 * DAY, True), (30 * DAY, False)])
def test_an_unknown_condition_neither_grants_nor_keeps_a_hold(since: timedelta | None, is_held: bool) -> None:
    unknown = release(
        "perks.yaml", "granted: score >= 640, kept: score >= 600", "granted: money.huge > 0, kept: money.huge > 0"
    )
    before = None if since is None else ago(since)
    decision = decide_villa(1_000_000, program=unknown, held_since=before)
    assert (decision.held_since is not None) is is_held
    assert perk_is_held(perk_of(program=unknown).hold, {"granted": None, "kept": None}, None) is False  # type: ignore[arg-type]


def test_an_unscorable_decision_leaves_the_hold_unchanged() -> None:
    decision = decide_villa(1_000_000, person=PERSON | {"identity.level": 0}, held_since=ago(DAY))
    assert (decision.outcome, decision.held_since) == ("UNSCORABLE", ago(DAY))


def test_a_perk_without_a_hold_is_not_held() -> None:
    decision = decide(ReferenceEvaluator(release()), make_question("room", 100, "CNY", PERSON, held_since=ago(DAY)))
    assert decision.held_since is None


def test_seconds_are_whole_and_counted_across_offsets() -> None:
    assert seconds_between("2024-03-01T00:00:00Z", "2024-03-01T08:00:00+08:00") == 0
    assert seconds_between("2024-03-01T00:00:00.000001Z", "2024-03-01T00:00:01Z") == 0
    assert seconds_between("2024-03-01T00:00:01Z", "2024-03-01T00:00:00.999999Z") == -1
    assert seconds_between("1900-01-01T00:00:00Z", "2100-01-01T00:00:00Z") == 73_049 * 86_400


@pytest.mark.parametrize("moment", ["yesterday", "", "2024-03-01", "2024-03-01T00:00:00"])
def test_an_ambiguous_moment_gives_no_decision(moment: str) -> None:
    for moments in ((moment, "2024-03-01T00:00:00Z"), ("2024-03-01T00:00:00Z", moment)):
        with pytest.raises(EngineError, match="cannot be read"):
            seconds_between(*moments)
    with pytest.raises(EngineError, match="cannot be read"):
        decide_villa(100, as_of=moment)


def test_a_perk_that_is_all_or_nothing_is_declined_by_a_cap_only_if_it_would_be_given_without() -> None:
    before = (waiver(300, perk="scooter", currency="JPY", past=DAY - SECOND),)
    for amount, because in ((300, ("capped",)), (301, ())):  # a tier gives up to 300
        decision = decide(
            ReferenceEvaluator(yen_program()), make_question("scooter", amount, "JPY", PERSON, used=before)
        )
        assert (decision.outcome, decision.answer.because) == ("DECLINE", because)
        assert (
            decide(ReferenceEvaluator(yen_program()), make_question("scooter", amount, "JPY", PERSON)).answer.because
            == ()
        )


@pytest.mark.parametrize("changes", [{}, AT_570, AT_620, {"identity.level": None}, {"money.cover": None}])
def test_a_decision_replayed_from_its_record_is_equal(changes: dict[str, Value | None]) -> None:
    before = (waiver(1_200_001), waiver(400, perk="room"), waiver(300, 90 * DAY, "scooter", "JPY", open_=False))
    first = decide_villa(1_000_000, *before, person=PERSON | changes, held_since=ago(3 * DAY + MICROSECOND))
    question = question_from_record(json.loads(first.canonical()))
    assert question == first.question
    assert decide(ReferenceEvaluator(release()), question).canonical() == first.canonical()
    evaluator = DurableEvaluator(release())
    assert decide(evaluator, question).canonical() == first.canonical()
    evaluator.close()


def test_the_record_has_the_earlier_waivers() -> None:
    record = json.loads(decide_villa(1_000_000, waiver(1_200_001), held_since=ago(DAY)).canonical())
    assert record["question"]["used"] == [
        {"perk": "villa", "currency": "CNY", "waived": 1_200_001, "at": "2024-02-29T00:00:00+00:00", "open": True}
    ]
    assert (record["question"]["held_since"], record["held_since"]) == (ago(DAY), ago(DAY))
    assert record["answer"]["because"] == ["capped"]


def test_the_order_of_earlier_waivers_does_not_change_the_answer() -> None:
    before = [waiver(700_000, n * DAY, open_=n % 2 == 0) for n in range(1, 40, 9)]
    assert decide_villa(1_000_000, *before).answer == decide_villa(1_000_000, *reversed(before)).answer
