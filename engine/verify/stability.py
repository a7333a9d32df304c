"""How far a population has moved away from a reference: PSI of the score, and CSI of each characteristic.

Both compare the shares of people by bin. Keep the bins fixed between the two populations.

References:

- Siddiqi, Credit Risk Scorecards, Wiley 2006, chapter 8: the system stability report and the characteristic analysis report.
- Lewis, An Introduction to Credit Scoring, 1994: the limits 0.1 and 0.25, which are a habit, not a test.
- Kullback and Leibler, On information and sufficiency, 1951: PSI is their divergence J, the sum of both directions.
- Yurdakul, Statistical Properties of Population Stability Index, Western Michigan University 2018: the expectation below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Final

from engine.errors import Rejected

WATCH_FROM: Final = 0.1  # below it, a population counts as stable
ACT_FROM: Final = 0.25
LEAST_SHARE: Final = 0.0001  # an empty bin counts as this share, because the logarithm of 0 is not finite


@dataclass(frozen=True)
class Shift:
    """How far the bins of one characteristic have moved. `points`: the mean change of the score by it, in points."""

    index: float
    verdict: str  # stable, watch, act
    by_chance: float
    points: float | None = None


def psi(now: Sequence[int], reference: Sequence[int]) -> float:
    """The population stability index: the sum over the bins of (a - e) ln(a / e), with shares a now and e at the reference.

    0 for equal shares, at least 0, and the same if you exchange the two. Give the number of people in each bin. Raises Rejected
    `bad_lengths`, or `no_people` if one of the two is empty.
    """
    return sum((a - e) * log(a / e) for a, e in zip(_shares(now), _shares_of_same(now, reference), strict=True))


def by_chance(now: Sequence[int], reference: Sequence[int]) -> float:
    """The PSI to expect of two random samples of one population: (b - 1)(1/n + 1/m), for b bins that are not empty in both.

    A PSI of this size tells nothing. Reference: Yurdakul 2018, section 3.
    """
    _shares_of_same(now, reference)
    bins = sum(1 for a, e in zip(now, reference, strict=True) if a or e)
    return (bins - 1) * (1 / sum(now) + 1 / sum(reference))


def verdict(index: float) -> str:
    """The usual reading of an index: stable, watch or act."""
    return "stable" if index < WATCH_FROM else "watch" if index < ACT_FROM else "act"


def shift(now: Mapping[str, int], reference: Mapping[str, int], points: Mapping[str, int] | None = None) -> Shift:
    """The shift between two counts of people by bin. With the points of each bin, also what it does to the mean score.

    The characteristic stability index is PSI over the bins of one characteristic. `points` is Siddiqi's index of the
    characteristic analysis report: the sum of (a - e) times the points of the bin. A bin that one of the two lacks has nobody.
    """
    bins = sorted({*now, *reference})
    counts, before = [now.get(b, 0) for b in bins], [reference.get(b, 0) for b in bins]
    index = psi(counts, before)
    mean_change = None
    if points is not None:
        total, total_before = sum(counts), sum(before)
        mean_change = sum(
            (a / total - e / total_before) * points.get(b, 0) for b, a, e in zip(bins, counts, before, strict=True)
        )
    return Shift(index, verdict(index), by_chance(counts, before), mean_change)


def _shares_of_same(now: Sequence[int], reference: Sequence[int]) -> list[float]:
    if len(now) != len(reference):
        message = f"{len(now)} bins now and {len(reference)} bins at the reference"
        raise Rejected(message, where="reference", hint="count both by the same bins", code="bad_lengths")
    return _shares(reference)


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    if total <= 0:
        raise Rejected(
            "nobody to count", where="counts", hint="compare populations of at least one person", code="no_people"
        )
    return [max(count / total, LEAST_SHARE) for count in counts]
