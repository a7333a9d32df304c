"""Count, on releases that we draw, how often guards and intervals are wrong, and whether they find a real break.

Each draw has a fixed seed. A share of errors is one of so many draws: we compare it with the level that the interval promises.
"""

from dataclasses import dataclass, fields
from math import log

import numpy as np
import pytest
from scipy.stats import binom, chi2, kstest

from engine.rollout.contrasts import stability_index
from engine.rollout.outcomes import BOTH, CHAMPION, PersonOutcomes, compare_in_shadow
from engine.rollout.plan import DEFAULT_GUARDS, PSI, Guard
from engine.rollout.sequential import BROKEN, HOLDS, WAITS, Arm, GuardVerdict, judge
from tests.effort import by_effort

LOOKS = 200
ALPHA = 0.05
RUNS = by_effort(20, 150)
BINS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.2, 0.13, 0.1, 0.04, 0.01)
SHIFTED = (0.12, 0.15, 0.15, 0.15, 0.15, 0.1, 0.08, 0.06, 0.03, 0.01)


@dataclass(frozen=True)
class AnswerModel:
    """How a release decides: rates, the mean of what it waives for an admitted order, and its seconds."""

    admit_rate: float = 0.6
    unscorable_rate: float = 0.01
    dispute_rate: float = 0.002
    waived: float = 10_000.0
    latency: float = 1.0
    bins: tuple[float, ...] = BINS

    def answers(self, draws: np.random.Generator, count: int) -> Arm:
        admits = draws.binomial(count, self.admit_rate)
        waived = np.rint(draws.gamma(2, self.waived / 2, admits))
        seconds = draws.lognormal(0, 0.8, count) * self.latency
        return Arm(
            count,
            admits,
            draws.binomial(count, self.unscorable_rate),
            int(waived.sum()),
            int((waived**2).sum()),
            draws.binomial(count, self.dispute_rate),
            seconds.sum(),
            (seconds**2).sum(),
            tuple(int(n) for n in draws.multinomial(count, self.bins)),
        )

    def truth(self, champion: "AnswerModel", measure: str) -> float:
        """What a guard compares: the difference of two rates, the ratio of two means minus 1, or the index of two distributions."""
        if measure == PSI:
            return sum((p - q) * log(p / q) for p, q in zip(self.bins, champion.bins, strict=True))
        if measure == "waived":
            return self.admit_rate * self.waived / champion.admit_rate / champion.waived - 1
        if measure == "latency":
            return self.latency / champion.latency - 1
        return float(getattr(self, measure) - getattr(champion, measure))


def total(one: Arm, other: Arm) -> Arm:
    names = [field.name for field in fields(Arm) if field.name != "score_bins"]
    bins = tuple(a + b for a, b in zip(one.score_bins, other.score_bins, strict=True))
    return Arm(**{name: getattr(one, name) + getattr(other, name) for name in names}, score_bins=bins)


def release(
    seed: int, candidate: AnswerModel, share: float, answers: int, guards: tuple[Guard, ...] = DEFAULT_GUARDS
) -> list[tuple[GuardVerdict, ...]]:
    """The verdicts about a candidate at each look, while both arms grow."""
    draws = np.random.default_rng(seed)
    arms = [Arm(score_bins=(0,) * len(BINS))] * 2
    looks = []
    for _ in range(LOOKS):
        size = draws.binomial(answers // LOOKS, share)
        sizes = answers // LOOKS - size, size
        models = AnswerModel(), candidate
        arms = [total(arm, b.answers(draws, n)) for arm, b, n in zip(arms, models, sizes, strict=True)]
        looks.append(judge(guards, *arms, 1 - ALPHA))
    return looks


def at_most(share: float, runs: int) -> int:
    """The errors that a chance of `share` exceeds in one of a thousand series of runs."""
    return int(binom.ppf(0.999, runs, share))


def misses(looks: list[tuple[GuardVerdict, ...]], candidate: AnswerModel) -> bool:
    judged = [verdict for look in looks for verdict in look if verdict.low is not None and verdict.high is not None]
    return any(not v.low <= candidate.truth(AnswerModel(), v.guard.measure) <= v.high for v in judged)


@pytest.mark.parametrize(("share", "answers"), [(0.01, 200_000), (0.05, 100_000), (0.5, 20_000)])
def test_a_candidate_without_a_difference_breaks_no_guard_in_200_looks(share, answers):
    runs = [release(seed, AnswerModel(), share, answers) for seed in range(RUNS)]
    broken = [any(verdict.status == BROKEN for look in looks for verdict in look) for looks in runs]
    assert sum(broken) == 0
    assert sum(misses(looks, AnswerModel()) for looks in runs) <= at_most(ALPHA, RUNS)


ON_THE_BOUNDS = AnswerModel(
    admit_rate=0.65, unscorable_rate=0.03, dispute_rate=0.012, waived=10_000 * 1.1 * 0.6 / 0.65, latency=1.3
)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_candidate_on_its_bounds_is_rarely_judged_at_all(share):
    """The hardest case: each difference is its bound, and any verdict, of either kind, is an error. So is an interval that misses."""
    guards = tuple(guard for guard in DEFAULT_GUARDS if guard.measure != PSI)
    runs = [release(seed, ON_THE_BOUNDS, share, int(4_000 / share), guards) for seed in range(RUNS)]
    judged = [any(verdict.status != WAITS for look in looks for verdict in look) for looks in runs]
    assert sum(judged) <= at_most(ALPHA, RUNS)
    assert sum(misses(looks, ON_THE_BOUNDS) for looks in runs) <= at_most(ALPHA, RUNS)


@pytest.mark.parametrize(
    ("measure", "candidate"),
    [
        ("admit_rate", AnswerModel(admit_rate=0.48)),
        ("unscorable_rate", AnswerModel(unscorable_rate=0.08)),
        ("dispute_rate", AnswerModel(dispute_rate=0.04)),
        ("waived", AnswerModel(waived=14_000)),
        ("latency", AnswerModel(latency=2)),
        (PSI, AnswerModel(bins=SHIFTED)),
    ],
)
def test_a_real_break_is_found_within_a_stage_of_a_twentieth(measure, candidate):
    """5,000 answers of the candidate."""
    for seed in range(by_effort(4, 40)):
        last = release(seed, candidate, 0.05, 100_000)[-1]
        assert {verdict.guard.measure: verdict.status for verdict in last}[measure] == BROKEN


def test_a_candidate_without_a_difference_is_trusted_in_the_end():
    for seed in range(by_effort(4, 40)):
        last = release(seed, AnswerModel(), 0.2, 40_000)[-1]
        assert {verdict.status for verdict in last} == {HOLDS}


def test_without_a_shift_the_index_over_its_noise_is_chi_square():
    """Yurdakul's limit, by SciPy's test of Kolmogorov and Smirnov."""
    draws = np.random.default_rng(5)
    indices = []
    for _ in range(2_000):
        champion, candidate = draws.multinomial(20_000, BINS), draws.multinomial(4_000, BINS)
        index = stability_index(champion, candidate)
        assert index is not None
        indices.append(index.estimate / index.noise)
    assert kstest(indices, chi2(len(BINS) - 1).cdf).pvalue > 0.01


def shadow_orders(
    draws: np.random.Generator, people: int, repeats: float, declined: float, rates: tuple[float, float]
) -> list[PersonOutcomes]:
    """Orders of people who have one order, or several that often end alike; `rates` of the declined ones, and of those of both."""
    rows = []
    for n in range(people):
        shared = draws.random()
        for _ in range(1 + draws.poisson(repeats)):
            is_declined = draws.random() < declined
            fate = shared if repeats and draws.random() < 0.5 else draws.random()
            is_bad = bool(fate < rates[0 if is_declined else 1])
            rows.append(PersonOutcomes(str(n), CHAMPION if is_declined else BOTH, 1, int(is_bad)))
    return rows


@pytest.mark.parametrize(
    ("people", "repeats", "declined", "rates"),
    [
        (1_000, 0, 0.1, (0.06, 0.03)),
        (1_000, 0, 0.1, (0.5, 0.03)),
        (300, 0, 0.1, (0.1, 0.02)),
        (1_000, 0, 0.5, (0.15, 0.03)),
        (400, 2, 0.3, (0.12, 0.05)),
        (400, 2, 0.3, (0.05, 0.05)),
    ],
)
def test_the_interval_of_the_overlapping_sets_holds_the_truth_in_95_of_100(people, repeats, declined, rates):
    runs = by_effort(150, 2_000)
    draws = np.random.default_rng(17)
    truth = declined * (rates[0] - rates[1])
    wrong = 0
    for _ in range(runs):
        overdue, _ = compare_in_shadow(shadow_orders(draws, people, repeats, declined, rates))
        assert overdue.low is not None
        assert overdue.high is not None
        wrong += not overdue.low <= truth <= overdue.high
    assert wrong <= at_most(0.055, runs)
