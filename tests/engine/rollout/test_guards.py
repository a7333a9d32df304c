"""Check the verdicts about guards: what they wait for, hold and break on, and what they need."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Rejected
from engine.rollout.plan import DEFAULT_GUARDS, DEFAULT_PLAN, MEASURES, PSI, Guard
from engine.rollout.sequential import (
    BROKEN,
    HOLDS,
    MIN_ANSWERS,
    WAITS,
    Arm,
    GuardVerdict,
    PairCounts,
    Pairs,
    PairSums,
    judge,
    judge_pairs,
)

CHAMPION = Arm(
    answers=10_000,
    admits=6_000,
    unscorable=200,
    waived_sum=60_000_000,
    waived_square_sum=720_000_000_000,
    disputes=20,
    seconds_sum=500.0,
    seconds_square_sum=50.0,
    score_bins=(800, 2_000, 3_000, 2_500, 1_500),
)
SHARES = st.floats(0, 1)


def times(arm: Arm, factor: float) -> Arm:
    """An arm with so many times the answers, all else alike."""
    seconds = {name: value * factor for name, value in vars(arm).items() if name.startswith("seconds")}
    counts = {name: round(value * factor) for name, value in vars(arm).items() if name != "score_bins"}
    return Arm(**counts | seconds, score_bins=tuple(round(count * factor) for count in arm.score_bins))


def part(arm: Arm, divisor: int) -> Arm:
    return times(arm, 1 / divisor)


def verdict(measure: str, champion: Arm, candidate: Arm) -> GuardVerdict:
    [guard] = [guard for guard in DEFAULT_GUARDS if guard.measure == measure]
    [judged] = judge([guard], champion, candidate)
    return judged


def statuses(verdicts: tuple[GuardVerdict, ...]) -> dict[str, str]:
    return {judged.guard.measure: judged.status for judged in verdicts}


def test_a_candidate_that_is_as_the_champion_holds_with_enough_answers():
    assert set(statuses(judge(DEFAULT_PLAN, CHAMPION, CHAMPION)).values()) == {HOLDS}


def test_without_answers_every_guard_waits_and_says_nothing():
    for judged in judge(DEFAULT_PLAN, Arm(), Arm()):
        assert judged == GuardVerdict(judged.guard)


def test_before_the_first_answer_each_guard_says_what_it_will_need():
    """It assumes that the candidate is as the champion is."""
    for judged in judge(DEFAULT_PLAN, CHAMPION, Arm(score_bins=(0,) * 5)):
        assert (judged.status, judged.estimate, judged.low) == (WAITS, None, None)
        assert judged.needs is not None
        assert MIN_ANSWERS <= judged.needs < 10_000


def test_with_few_answers_no_guard_has_an_interval():
    small = part(CHAMPION, 101)
    assert small.answers < MIN_ANSWERS
    for judged in judge(DEFAULT_PLAN, CHAMPION, small):
        assert (judged.status, judged.low, judged.high) == (WAITS, None, None)
        assert judged.estimate is not None


@pytest.mark.parametrize(
    ("measure", "change"),
    [
        ("admit_rate", {"admits": 4_500}),
        ("admit_rate", {"admits": 7_500}),
        ("unscorable_rate", {"unscorable": 700}),
        ("dispute_rate", {"disputes": 300}),
        ("waived", {"waived_sum": 80_000_000, "waived_square_sum": 960_000_000_000}),
        ("latency", {"seconds_sum": 900.0, "seconds_square_sum": 150.0}),
        ("score_psi", {"score_bins": (3_000, 3_000, 2_000, 1_000, 500)}),
    ],
)
def test_a_change_beyond_its_bounds_breaks_its_guard_and_no_other(measure, change):
    judged = statuses(judge(DEFAULT_PLAN, CHAMPION, replace(CHAMPION, **change)))
    assert judged[measure] == BROKEN
    assert {status for name, status in judged.items() if name != measure} == {HOLDS}


def test_a_rate_is_a_difference_in_points_and_a_mean_relative_to_the_champions():
    candidate = replace(CHAMPION, admits=6_300, waived_sum=63_000_000, seconds_sum=400.0)
    estimates = [verdict(name, CHAMPION, candidate).estimate for name in ("admit_rate", "waived", "latency")]
    assert estimates == [pytest.approx(0.03), pytest.approx(0.05), pytest.approx(-0.2)]


def test_the_index_is_the_sum_over_the_bins():
    """By hand, with half an answer more in each bin: 0.5 against 60.5 / 101, and 0.5 against 40.5 / 101: the shares differ by 0.09901,
    and the logarithms are 0.18069 and -0.22067, so 0.09901 * 0.40136 = 0.03974."""
    champion, candidate = (Arm(answers=100, score_bins=bins) for bins in ((50, 50), (60, 40)))
    assert verdict("score_psi", champion, candidate).estimate == pytest.approx(0.03974, abs=1e-5)


def test_noise_alone_does_not_break_the_index():
    """Few scores in many bins: the index is far above 0.2, by chance."""
    champion, candidate = (
        Arm(answers=100, score_bins=bins)
        for bins in ((20, 0, 15, 5, 10, 15, 20, 5, 5, 5), (10, 5, 5, 15, 20, 5, 10, 10, 15, 5))
    )
    judged = verdict("score_psi", champion, candidate)
    assert judged.estimate is not None
    assert judged.estimate > 0.2
    assert judged.status == WAITS
    assert judged.low is not None
    assert judged.low < 0.001


def test_bins_that_differ_are_rejected():
    with pytest.raises(Rejected, match="5 and 2 bins of the score"):
        judge(DEFAULT_PLAN, CHAMPION, Arm())


def test_an_arm_without_a_dispute_is_no_proof_that_there_are_none():
    """A rate of 3 % gives none in 100 answers now and then: 0.97^100 = 0.048."""
    judged = verdict("dispute_rate", replace(CHAMPION, disputes=0), replace(part(CHAMPION, 100), disputes=0))
    assert (judged.status, judged.estimate) == (WAITS, 0.0)
    assert judged.high is not None
    assert judged.high > 0.03


def test_means_that_never_vary_are_no_proof_either():
    champion, candidate = (Arm(answers=n, seconds_sum=n, seconds_square_sum=n) for n in (100, 100))
    judged = verdict("latency", champion, candidate)
    assert judged.low is not None
    assert judged.low < 0 < judged.high


def test_a_champion_that_waives_nothing_has_no_ratio():
    zero = replace(CHAMPION, waived_sum=0, waived_square_sum=0)
    judged = verdict("waived", zero, CHAMPION)
    assert (judged.status, judged.estimate, judged.needs) == (WAITS, None, None)


@given(st.integers(100, 5_000), st.integers(100, 5_000), SHARES, SHARES)
def test_exchanging_the_arms_turns_a_rates_interval_around(first, second, one, other):
    arms = Arm(first, round(first * one)), Arm(second, round(second * other))
    [forth] = judge([Guard("admit_rate", most=Decimal("0.05"))], *arms)
    [back] = judge([Guard("admit_rate", least=Decimal("-0.05"))], *reversed(arms))
    assert (forth.low, forth.high) == (pytest.approx(-back.high), pytest.approx(-back.low))
    assert forth.status == back.status


@given(st.integers(100, 3_000), SHARES, SHARES, st.integers(2, 20))
def test_an_interval_holds_its_estimate_and_its_status_follows_from_the_bounds(answers, one, other, ratio):
    champion, candidate = Arm(answers * ratio, round(answers * ratio * one)), Arm(answers, round(answers * other))
    judged = verdict("admit_rate", champion, candidate)
    low, high = judged.low, judged.high
    assert low < judged.estimate < high
    within, beyond = low >= -0.05 and high <= 0.05, low > 0.05 or high < -0.05
    assert judged.status == (HOLDS if within else BROKEN if beyond else WAITS)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("divisor", [20, 60])
def test_a_guard_is_decided_at_about_the_answers_that_it_says_it_needs(measure, divisor):
    champion, candidate = CHAMPION, part(CHAMPION, divisor)
    now = verdict(measure, champion, candidate)
    needs = now.needs
    assert needs is not None
    factor = needs / candidate.answers
    after = verdict(measure, times(champion, 1.1 * factor), times(candidate, 1.1 * factor))
    assert after.status != WAITS
    if (
        now.status == WAITS and needs > 1.2 * MIN_ANSWERS and measure != PSI
    ):  # the expected index has noise that this one lacks
        before = verdict(measure, times(champion, 0.8 * factor), times(candidate, 0.8 * factor))
        assert before.status == WAITS


def test_an_estimate_on_a_bound_never_decides():
    candidate = replace(CHAMPION, admits=6_500)
    judged = verdict("admit_rate", CHAMPION, candidate)
    assert (judged.status, judged.needs) == (WAITS, None)


def test_answers_that_a_person_gets_again_and_again_count_once():
    """Each person has five answers that are alike: the intervals are those of one answer of each person, and it takes five times the
    answers to decide."""
    for divisor in (2, 20, 200):
        arms = CHAMPION, part(CHAMPION, divisor)
        repeated = [replace(times(arm, 5), answers_square_sum=25 * arm.answers) for arm in arms]
        for one, five in zip(judge(DEFAULT_PLAN, *arms), judge(DEFAULT_PLAN, *repeated), strict=True):
            assert (five.status, five.estimate) == (one.status, pytest.approx(one.estimate))
            assert (five.low, five.high) == (pytest.approx(one.low), pytest.approx(one.high))
            assert five.needs == pytest.approx(5 * one.needs, abs=5)


def test_people_who_ask_unequally_often_count_as_fewer_still():
    """By hand: 900 people with one answer and 10 with ten: (900 + 10 * 100) / 1,000 = 1.9 answers count as one."""
    assert Arm(answers=1_000, answers_square_sum=1_900).repetition == pytest.approx(1.9)
    assert Arm(answers=1_000).repetition == Arm().repetition == 1


def test_a_higher_confidence_needs_more_answers():
    guard, small = DEFAULT_GUARDS[0], part(CHAMPION, 10)
    needs = [judge([guard], CHAMPION, small, confidence)[0].needs for confidence in (0.9, 0.99, Decimal("0.999"))]
    assert needs == sorted(needs)
    assert len(set(needs)) == 3


def test_the_confidence_of_a_plan_is_divided_among_its_stages_and_guards():
    """Bonferroni: three stages with a champion, so a third of the error for the guards of one stage."""
    by_plan, by_guards = (
        judge(DEFAULT_PLAN, CHAMPION, CHAMPION),
        judge(DEFAULT_GUARDS, CHAMPION, CHAMPION, 1 - 0.01 / 3),
    )
    assert [judged.as_dict() for judged in by_plan] == [judged.as_dict() for judged in by_guards]
    single, among = (
        judge(DEFAULT_GUARDS[:1], CHAMPION, CHAMPION, 1 - 0.01 / 6)[0],
        judge(DEFAULT_GUARDS, CHAMPION, CHAMPION)[0],
    )
    assert single.low == pytest.approx(among.low)


def test_a_verdict_is_plain_json():
    judged = GuardVerdict(DEFAULT_GUARDS[0], BROKEN, 0.07654321, 0.0512, 0.1, 2_000)
    assert judged.as_dict() == {
        "measure": "admit_rate",
        "status": "broken",
        "least": "-5%",
        "most": "5%",
        "estimate": 0.076543,
        "low": 0.0512,
        "high": 0.1,
        "needs": 2_000,
    }


SHADOW = Pairs(
    answers=500,
    admits=PairCounts(both=240, champion_only=3, candidate_only=2),
    unscorable=PairCounts(both=10),
    waived=PairSums(2_400_000, 28_000_000_000, 2_390_000, 27_950_000_000, 27_900_000_000),
    seconds=PairSums(20.0, 2.0, 21.0, 2.2, 2.05),
    champion_bins=(40, 100, 140, 70, 50),
    candidate_bins=(41, 99, 141, 69, 50),
)


def test_pairs_that_agree_hold_with_far_fewer_answers_than_two_arms():
    paired = {judged.guard.measure: judged for judged in judge_pairs(DEFAULT_GUARDS, SHADOW)}
    arms = [Arm(500, admits, 10) for admits in (243, 242)]
    [independent] = judge(DEFAULT_GUARDS[:1], *arms, 1 - 0.01 / 6)
    assert (paired["admit_rate"].status, independent.status) == (HOLDS, WAITS)
    assert paired["admit_rate"].estimate == pytest.approx(-1 / 500)
    assert paired["admit_rate"].needs < independent.needs / 4
    assert paired["waived"].status == HOLDS


def test_pairs_that_all_move_one_way_break():
    moved_pairs = replace(SHADOW, admits=PairCounts(both=180, champion_only=60))
    assert statuses(judge_pairs(DEFAULT_GUARDS, moved_pairs))["admit_rate"] == BROKEN


def test_a_shadow_has_no_disputes_about_the_candidate():
    [judged] = judge_pairs([Guard("dispute_rate", most=Decimal("0.01"))], SHADOW)
    assert judged == GuardVerdict(judged.guard)


def test_few_pairs_wait():
    for judged in judge_pairs(
        DEFAULT_GUARDS, replace(SHADOW, answers=99, champion_bins=(99, 0), candidate_bins=(99, 0))
    ):
        assert (judged.status, judged.low) == (WAITS, None)
    for judged in judge_pairs(DEFAULT_GUARDS, Pairs()):
        assert judged == GuardVerdict(judged.guard)


def test_pairs_of_a_person_count_once_too():
    repeated = Pairs(
        answers=1_000,
        admits=PairCounts(480, 6, 4),
        unscorable=PairCounts(20),
        waived=PairSums(*(2 * value for value in vars(SHADOW.waived).values())),
        seconds=PairSums(*(2 * value for value in vars(SHADOW.seconds).values())),
        champion_bins=tuple(2 * count for count in SHADOW.champion_bins),
        candidate_bins=tuple(2 * count for count in SHADOW.candidate_bins),
        answers_square_sum=2_000,
    )
    for one, two in zip(judge_pairs(DEFAULT_GUARDS, SHADOW), judge_pairs(DEFAULT_GUARDS, repeated), strict=True):
        assert (two.status, two.low, two.high) == (one.status, pytest.approx(one.low), pytest.approx(one.high))
