"""Measure how well a score separates good from bad outcomes: AUC and KS, as usual in credit scoring, with intervals.

A higher score should mean a better outcome. People without a score have no rank. `sample` separates and counts them, so
that you always see a figure together with the number of people behind it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import Rejected

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]
Statistic = Callable[[Scores, Flags], float]
TAILS: Final = (0.025, 0.975)  # of a 95 % interval
SAMPLES: Final = 1000


@dataclass(frozen=True, eq=False)
class Sample:
    """The scored people (`scores` beside `bad`), and the number of unscored ones by outcome."""

    scores: Scores
    bad: Flags
    unscored_good: int
    unscored_bad: int


def sample(scores: Iterable[float | None], bad: Iterable[bool]) -> Sample:
    """Separate the people without a score. Raises Rejected if the two inputs differ in length."""
    values, flags = np.array([np.nan if s is None else s for s in scores], float), np.array(list(bad), bool)
    _equally_long(values, flags)
    has_score = ~np.isnan(values)
    unscored = flags[~has_score]
    return Sample(values[has_score], flags[has_score], int((~unscored).sum()), int(unscored.sum()))


def auc(scores: ArrayLike, bad: ArrayLike) -> float:
    """The probability that a random good person scores above a random bad one; a tie counts half.

    0.5: no order, 1: perfect.

    This is the Mann-Whitney U over the number of pairs, and also the area under the ROC curve. Raises Rejected unless
    you give both good and bad outcomes, each with a score. Cost: O(n log n). Reference: Hanley and McNeil, The meaning
    and use of the area under a ROC curve, Radiology 143, 1982.
    """
    good, poor = _split_by_outcome(scores, bad)
    below, up_to = np.searchsorted(poor, good, "left"), np.searchsorted(poor, good, "right")
    return float((below + up_to).sum() / (2 * good.size * poor.size))


def ks(scores: ArrayLike, bad: ArrayLike) -> float:
    """The largest difference between the cumulative shares of good and bad people over all cut-offs, 0 to 1.

    This is the two-sided, two-sample Kolmogorov-Smirnov statistic. Raises Rejected as `auc` does. Cost: O(n log n).
    Reference: Thomas, Edelman and Crook, Credit Scoring and Its Applications, SIAM 2002, section 7.
    """
    good, poor = _split_by_outcome(scores, bad)
    cuts = np.concatenate([good, poor])
    shares = (np.searchsorted(half, cuts, "right") / half.size for half in (good, poor))
    return float(np.abs(np.subtract(*shares)).max())


def bootstrap(
    scores: ArrayLike, bad: ArrayLike, statistic: Statistic, *, seed: int, samples: int = SAMPLES
) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic: we resample the people with replacement, `samples` times.

    A resample with only good or only bad people is useless, so we draw it again. The same seed gives the same interval.
    KS is the maximum of many differences, which resampling increases: its interval is biased upwards, and misses a
    value near 0. Raises Rejected as `auc` does. Cost: `samples` times the cost of the statistic. Reference: Efron and
    Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    """
    _split_by_outcome(scores, bad)
    values, flags = np.asarray(scores, float), np.asarray(bad, bool)
    draws = np.random.default_rng(seed)
    statistics: list[float] = []
    while len(statistics) < samples:
        indices = draws.integers(0, values.size, values.size)
        if flags[indices].any() and not flags[indices].all():
            statistics.append(statistic(values[indices], flags[indices]))
    low, high = np.quantile(statistics, TAILS)
    return float(low), float(high)


def _split_by_outcome(scores: ArrayLike, bad: ArrayLike) -> tuple[Scores, Scores]:
    """The scores of the good and of the bad people, each sorted."""
    values, flags = np.asarray(scores, float), np.asarray(bad, bool)
    _equally_long(values, flags)
    if np.isnan(values).any():
        raise Rejected(
            "a score is missing", where="scores", hint="separate people without a score with `sample`", code="unscored"
        )
    if flags.all() or not flags.any():
        hint = "measure on people of whom some turned out good and some bad"
        raise Rejected("goods and bads are both needed", where="bad", hint=hint, code="one_outcome")
    return np.sort(values[~flags]), np.sort(values[flags])


def _equally_long(values: Scores, flags: Flags) -> None:
    if values.shape != flags.shape or values.ndim != 1:
        message = f"{values.size} scores and {flags.size} outcomes"
        raise Rejected(message, where="scores", hint="give one outcome for each score", code="bad_lengths")
