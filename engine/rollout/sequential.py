"""Judge the guards of a partial release, at any moment and as often as you like.

You give the sums of both arms, as one query reads them. Each guard waits until its interval lies within its bounds (it holds) or
beyond them (it is broken). The intervals are confidence sequences (`confidence_sequences`): at all looks, of all guards and in all
stages of a plan together, the chance of a wrong verdict is at most 1 - confidence.

This assumes:

- The arms are of one stage. If you add up stages with other shares, what changes with time looks like a difference.
- People divide at random, and answers of two people are independent. Of those of one person we assume the worst: that they are all
  alike. So give `answers_square_sum`, or count one answer of each person. If you do neither, the intervals are far too narrow.
- Both arms have enough answers for the central limit. Below `MIN_ANSWERS` every guard waits.
- Amounts are of one currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from math import ceil, inf
from typing import Any, Final, TypeVar

from engine.rollout.confidence_sequences import least_factor
from engine.rollout.contrasts import (
    Contrast,
    MeanSums,
    RateDifference,
    Share,
    mean_ratio,
    paired_mean_ratio,
    paired_rate_difference,
    stability_index,
)
from engine.rollout.plan import DEFAULT_CONFIDENCE, PSI, RATES, Guard, Plan

WAITS, HOLDS, BROKEN = "waits", "holds", "broken"
MIN_ANSWERS: Final = 100  # of each arm
MAX_NEEDS: Final = 10**9  # we state no larger estimate of `needs`
NO_MARGIN: Final = 0.01  # the half width for which we tune the interval of a guard whose bounds are all 0
Guards = Plan | Sequence[Guard]
_Sums = TypeVar("_Sums", "Arm", "Pairs", "PairCounts", "PairSums")


@dataclass(frozen=True)
class Arm:
    """The sums of the answers of one release in one stage.

    `waived` is in minor units, 0 for an answer that waives nothing. `score_bins` counts the scores in bins that are fixed before the
    release, alike for both arms; an answer without a score is in none.

    `answers_square_sum` adds up the square of each person's number of answers; 0 says that each answer is of another person.
    """

    answers: int = 0
    admits: int = 0
    unscorable: int = 0
    waived_sum: int = 0
    waived_square_sum: int = 0
    disputes: int = 0
    seconds_sum: float = 0
    seconds_square_sum: float = 0
    score_bins: tuple[int, ...] = (0, 0)
    answers_square_sum: int = 0

    @property
    def repetition(self) -> float:
        """The design effect of people who ask often, at its worst: how many answers count as one."""
        return _repetition(self.answers, self.answers_square_sum)

    def successes(self, measure: str) -> int:
        """The answers that a rate counts."""
        return {"admit_rate": self.admits, "unscorable_rate": self.unscorable, "dispute_rate": self.disputes}[measure]

    def sums(self, measure: str) -> MeanSums:
        """The sums of a mean."""
        if measure == "waived":
            return MeanSums(self.answers, self.waived_sum, self.waived_square_sum)
        return MeanSums(self.answers, self.seconds_sum, self.seconds_square_sum)

    def size(self, measure: str) -> int:
        """The number of answers that a measure looks at."""
        return sum(self.score_bins) if measure == PSI else self.answers

    def scaled(self, factor: float) -> "Arm":
        """An arm with so many times the answers, all else alike: its counts need not be whole."""
        return _scaled(self, factor)


@dataclass(frozen=True)
class PairCounts:
    """The answers that both releases give, and those that one of them gives alone."""

    both: int = 0
    champion_only: int = 0
    candidate_only: int = 0


@dataclass(frozen=True)
class PairSums:
    """The sums of two values of each answer, of their squares, and of their product."""

    champion_sum: float = 0
    champion_square_sum: float = 0
    candidate_sum: float = 0
    candidate_square_sum: float = 0
    product_sum: float = 0


@dataclass(frozen=True)
class Pairs:
    """The sums of a shadow: both releases decide each question, and only the champion answers.

    So there are no disputes about the candidate. Fields are as in `Arm`.
    """

    answers: int = 0
    admits: PairCounts = PairCounts()
    unscorable: PairCounts = PairCounts()
    waived: PairSums = PairSums()
    seconds: PairSums = PairSums()
    champion_bins: tuple[int, ...] = (0, 0)
    candidate_bins: tuple[int, ...] = (0, 0)
    answers_square_sum: int = 0


@dataclass(frozen=True)
class GuardVerdict:
    """A guard `waits`, `holds` or is `broken`, with the estimate and its interval, in the units of the guard's bounds.

    `needs` says after about how many answers of the candidate, from the first one on, the guard is decided, if the estimate stays as
    it is; for a decided guard, the answers so far. It is None if we cannot tell: without enough answers of the champion, or with an estimate on a bound. The estimate is None
    without answers, the interval with fewer than `MIN_ANSWERS`.
    """

    guard: Guard
    status: str = WAITS
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    needs: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The verdict for a JSON answer, rounded to six decimals."""
        numbers = {"estimate": self.estimate, "low": self.low, "high": self.high}
        rounded = {name: None if value is None else round(value, 6) for name, value in numbers.items()}
        bounds = self.guard.as_dict()
        return {"measure": self.guard.measure, "status": self.status, **bounds, **rounded, "needs": self.needs}


def judge(
    guards: Guards, champion: Arm, candidate: Arm, confidence: Decimal | float | None = None
) -> tuple[GuardVerdict, ...]:
    """Judge the guards of a plan, or any guards, on two independent arms.

    Without `confidence`, that of the plan applies, or 99 %. It holds for all guards together, and with a plan for all its stages.
    Raises Rejected if the arms differ in the bins of the score. Cost: about 100 logarithms for a guard.
    """
    alpha = _alpha(guards, confidence)
    return tuple(_judge_arms(guard, alpha, champion, candidate) for guard in _guards_of(guards))


def judge_pairs(guards: Guards, pairs: Pairs, confidence: Decimal | float | None = None) -> tuple[GuardVerdict, ...]:
    """Judge the guards on a shadow, in which both releases decide the same questions.

    What both decide alike adds no error, so a difference shows with far fewer answers than in two arms. The index of the scores is
    judged as if the arms were independent: the interval is too wide rather than too narrow, because the scores of one person go
    together. `dispute_rate` always waits. Otherwise as `judge`.
    """
    alpha = _alpha(guards, confidence)
    effective = _scaled(pairs, 1 / _repetition(pairs.answers, pairs.answers_square_sum))
    verdicts = []
    for guard in _guards_of(guards):
        contrast = _pair_contrast(guard.measure, effective)
        bins = effective.champion_bins, effective.candidate_bins
        size = min(map(sum, bins)) if guard.measure == PSI else effective.answers
        verdicts.append(_verdict(guard, alpha, contrast, pairs.answers, is_enough=size >= MIN_ANSWERS))
    return tuple(verdicts)


def _guards_of(guards: Guards) -> Sequence[Guard]:
    return guards.guards if isinstance(guards, Plan) else guards


def _alpha(guards: Guards, confidence: Decimal | float | None) -> float:
    """The chance of error of one verdict, by Bonferroni."""
    if isinstance(guards, Plan):
        return (1 - float(confidence or guards.confidence)) / guards.comparisons
    return (1 - float(confidence or DEFAULT_CONFIDENCE)) / max(1, len(guards))


def _judge_arms(guard: Guard, alpha: float, champion: Arm, candidate: Arm) -> GuardVerdict:
    arms = champion.scaled(1 / champion.repetition), candidate.scaled(1 / candidate.repetition)
    sizes = [arm.size(guard.measure) for arm in arms]
    contrast = _arm_contrast(guard.measure, *arms)
    verdict = _verdict(guard, alpha, contrast, candidate.answers, is_enough=min(sizes) >= MIN_ANSWERS)
    if verdict.low is None and sizes[0] >= MIN_ANSWERS:
        return replace(verdict, needs=_planned_needs(guard, alpha, arms, champion.repetition))
    return verdict


def _planned_needs(guard: Guard, alpha: float, arms: tuple[Arm, Arm], repetition: float) -> int | None:
    """The answers that a candidate needs if it is as the champion is, and takes part in the same share as so far."""
    champion, candidate = arms
    grown = champion.scaled(max(1.0, MIN_ANSWERS / candidate.answers)) if candidate.answers else champion
    contrast = _arm_contrast(guard.measure, grown, champion.scaled(MIN_ANSWERS / champion.answers))
    return _needs(guard, alpha, contrast, MIN_ANSWERS * repetition) if contrast else None


def _arm_contrast(measure: str, champion: Arm, candidate: Arm) -> Contrast | None:
    if measure == PSI:
        return stability_index(champion.score_bins, candidate.score_bins)
    if measure in RATES:
        if not champion.answers or not candidate.answers:
            return None
        first, second = (Share(arm.successes(measure), arm.answers) for arm in (champion, candidate))
        return RateDifference(first, second)
    return mean_ratio(champion.sums(measure), candidate.sums(measure))


def _pair_contrast(measure: str, pairs: Pairs) -> Contrast | None:
    if measure == PSI:
        return stability_index(pairs.champion_bins, pairs.candidate_bins)
    if measure == "dispute_rate":
        return None
    if measure in RATES:
        counts = pairs.admits if measure == "admit_rate" else pairs.unscorable
        return paired_rate_difference(pairs.answers, counts.champion_only, counts.candidate_only)
    sums = pairs.waived if measure == "waived" else pairs.seconds
    champion = MeanSums(pairs.answers, sums.champion_sum, sums.champion_square_sum)
    candidate = MeanSums(pairs.answers, sums.candidate_sum, sums.candidate_square_sum)
    return paired_mean_ratio(champion, candidate, sums.product_sum)


def _verdict(guard: Guard, alpha: float, contrast: Contrast | None, answers: int, *, is_enough: bool) -> GuardVerdict:
    if contrast is None:
        return GuardVerdict(guard)
    if not is_enough:
        return GuardVerdict(guard, estimate=contrast.estimate)
    low, high = contrast.limits(contrast.tuned(alpha, _tightest_bound(guard)))
    status = _status(guard, low, high)
    needs = _needs(guard, alpha, contrast, answers) if status == WAITS else answers
    return GuardVerdict(guard, status, contrast.estimate, low, high, needs)


def _status(guard: Guard, low: float, high: float) -> str:
    least = -inf if guard.least is None else float(guard.least)
    most = inf if guard.most is None else float(guard.most)
    if low > most or high < least:
        return BROKEN
    return HOLDS if least <= low and high <= most else WAITS


def _tightest_bound(guard: Guard) -> float:
    """The half width for which we tune the interval: it depends on the guard alone, as it must not depend on the data."""
    return min((abs(float(bound)) for bound in (guard.least, guard.most) if bound), default=NO_MARGIN)


def _needs(guard: Guard, alpha: float, contrast: Contrast, answers: float) -> int | None:
    """The answers of the candidate at which the guard is decided, if both arms grow as so far and the estimate stays."""
    tuned = contrast.tuned(alpha, _tightest_bound(guard))

    def is_decided(factor: float) -> bool:
        return _status(guard, *contrast.scaled(factor).limits(tuned)) != WAITS

    factor = least_factor(is_decided)
    needs = inf if factor is None else max(MIN_ANSWERS, factor * answers)
    return ceil(needs) if needs <= MAX_NEEDS else None


def _repetition(answers: float, answers_square_sum: float) -> float:
    """(Sum of m^2) / (sum of m) over the numbers m of answers of each person: Kish's design effect for answers that are all alike."""
    return max(1.0, answers_square_sum / answers) if answers else 1.0


def _scaled(sums: _Sums, factor: float) -> _Sums:
    """Each number of a dataclass times the factor, also those within."""
    values = {field.name: getattr(sums, field.name) for field in fields(sums)}
    return replace(sums, **{name: _product(value, factor) for name, value in values.items()})


def _product(value: Any, factor: float) -> Any:
    if isinstance(value, tuple):
        return tuple(count * factor for count in value)
    return value * factor if isinstance(value, int | float) else _scaled(value, factor)
