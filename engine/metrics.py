"""How well a score tells the good from the bad: AUC and KS, as the credit field reports them, each with an interval.

A higher score is meant to be better. Whoever could not be scored has no place in an order: `sample` puts them aside and
counts them, so that a figure is always read beside how many it is about.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import Refused

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]
Statistic = Callable[[Scores, Flags], float]
TAILS: Final = (0.025, 0.975)  # of a 95 % interval
SAMPLES: Final = 1000


@dataclass(frozen=True, eq=False)
class Sample:
    """Those who were scored, `scores` beside `bad`, and how many were not, by what became of them."""

    scores: Scores
    bad: Flags
    unscored_good: int
    unscored_bad: int


def sample(scores: Iterable[float | None], bad: Iterable[bool]) -> Sample:
    """Puts aside whoever has no score. Raises Refused when the two are not equally long."""
    values, flags = np.array([np.nan if s is None else s for s in scores], float), np.array(list(bad), bool)
    _equally_long(values, flags)
    known = ~np.isnan(values)
    unscored = flags[~known]
    return Sample(values[known], flags[known], int((~unscored).sum()), int(unscored.sum()))


def auc(scores: ArrayLike, bad: ArrayLike) -> float:
    """The probability that a good one scores above a bad one, drawn at random; a tie is half. 0.5: no order, 1: perfect.

    The Mann-Whitney U over the number of pairs, so also the area under the ROC curve. Raises Refused unless there are
    both goods and bads, each with a score. Cost: O(n log n).
    Reference: Hanley and McNeil, The meaning and use of the area under a ROC curve, Radiology 143, 1982.
    """
    good, poor = _parted(scores, bad)
    below, up_to = np.searchsorted(poor, good, "left"), np.searchsorted(poor, good, "right")
    return float((below + up_to).sum() / (2 * good.size * poor.size))


def ks(scores: ArrayLike, bad: ArrayLike) -> float:
    """The widest gap between the cumulative shares of goods and of bads over all cut-offs, 0 to 1.

    The two-sided, two-sample Kolmogorov-Smirnov statistic. Raises Refused as `auc` does. Cost: O(n log n).
    Reference: Thomas, Edelman and Crook, Credit Scoring and Its Applications, SIAM 2002, section 7.
    """
    good, poor = _parted(scores, bad)
    cuts = np.concatenate([good, poor])
    shares = (np.searchsorted(half, cuts, "right") / half.size for half in (good, poor))
    return float(np.abs(np.subtract(*shares)).max())


def bootstrap(
    scores: ArrayLike, bad: ArrayLike, statistic: Statistic, *, seed: int, samples: int = SAMPLES
) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic: people drawn again with replacement, `samples` times.

    A draw of goods only or of bads only says nothing and is made again. The same seed gives the same interval. KS is
    the largest of many gaps, which drawing again widens: its interval leans upwards, and misses a value near 0.
    Raises Refused as `auc` does. Cost: `samples` times the statistic's.
    Reference: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    """
    _parted(scores, bad)
    values, flags = np.asarray(scores, float), np.asarray(bad, bool)
    draws = np.random.default_rng(seed)
    found: list[float] = []
    while len(found) < samples:
        drawn = draws.integers(0, values.size, values.size)
        if flags[drawn].any() and not flags[drawn].all():
            found.append(statistic(values[drawn], flags[drawn]))
    low, high = np.quantile(found, TAILS)
    return float(low), float(high)


def _parted(scores: ArrayLike, bad: ArrayLike) -> tuple[Scores, Scores]:
    """The scores of the goods and those of the bads, each sorted."""
    values, flags = np.asarray(scores, float), np.asarray(bad, bool)
    _equally_long(values, flags)
    if np.isnan(values).any():
        raise Refused(
            "a score is missing", where="scores", hint="put who has none aside with `sample`", code="unscored"
        )
    if flags.all() or not flags.any():
        hint = "measure on people of whom some turned out good and some bad"
        raise Refused("goods and bads are both needed", where="bad", hint=hint, code="one_outcome")
    return np.sort(values[~flags]), np.sort(values[flags])


def _equally_long(values: Scores, flags: Flags) -> None:
    if values.shape != flags.shape or values.ndim != 1:
        message = f"{values.size} scores and {flags.size} outcomes"
        raise Refused(message, where="scores", hint="give one outcome for each score", code="bad_lengths")
