"""Estimate how the candidate differs from the champion: rates, ratios of means, and the population stability index.

A contrast gives its estimate, its limits under a boundary, and the contrast that we expect with more answers. No standard error is 0:
an arm without a dispute must not look as if there could be none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Final, Protocol

from engine.errors import Rejected
from engine.proportions import Limits, difference, wilson
from engine.rollout.confidence_sequences import Boundary, boundary

PSEUDO_COUNT: Final = 0.5  # in each bin, because the index is infinite where a bin is empty


class Contrast(Protocol):
    """A difference between two releases, in the units of a guard's bounds."""

    @property
    def estimate(self) -> float: ...

    def tuned(self, alpha: float, bound: float) -> Boundary:
        """The boundary that is tightest where the limits are as wide as `bound`."""

    def limits(self, tuned: Boundary) -> Limits:
        """The lower and the upper limit."""

    def scaled(self, factor: float) -> "Contrast":
        """What we expect with so many times the answers, if the truth is as it seems."""


@dataclass(frozen=True)
class MeanSums:
    """The number of values, their sum and the sum of their squares."""

    count: float
    total: float
    square_total: float

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def variance(self) -> float:
        """The sample variance, with one value more that is off by the mean."""
        spread = max(0.0, self.count * self.square_total - self.total**2) / (self.count * (self.count - 1))
        return spread + self.mean**2 / self.count


@dataclass(frozen=True)
class Share:
    """Successes among independent answers."""

    successes: float
    count: float

    @property
    def value(self) -> float:
        return self.successes / self.count

    @property
    def variance(self) -> float:
        """Of the share, with one success and one failure more: Agresti and Caffo, American Statistician 54, 2000."""
        share = (self.successes + 1) / (self.count + 2)
        return share * (1 - share) / self.count

    def limits(self, critical: float) -> Limits:
        """The wider one of Wilson's limit and that of Agresti and Caffo, on each side.

        With few successes and a large critical value, Wilson's lower limit is too high, and the other one's upper limit too low.
        """
        low, high = wilson(self.value, self.count, critical)
        width = critical * sqrt(self.variance)
        return min(low, self.value - width), max(high, self.value + width)

    def scaled(self, factor: float) -> "Share":
        return Share(self.successes * factor, self.count * factor)


@dataclass(frozen=True)
class RateDifference:
    """The candidate's share minus the champion's. `correlation` is that of the two estimates: 0 for independent arms."""

    champion: Share
    candidate: Share
    correlation: float = 0.0

    @property
    def estimate(self) -> float:
        return self.candidate.value - self.champion.value

    def tuned(self, alpha: float, bound: float) -> Boundary:
        return boundary(alpha, bound)

    def limits(self, tuned: Boundary) -> Limits:
        """Newcombe's interval, with the boundary's critical value in place of the normal quantile."""
        covariance = self.correlation * sqrt(self.champion.variance * self.candidate.variance)
        information = 1 / (self.champion.variance + self.candidate.variance - 2 * covariance)
        critical = tuned.half_width(information) * sqrt(information)
        shares = self.candidate, self.champion
        first, second = (share.limits(critical) for share in shares)
        return difference(shares[0].value, first, shares[1].value, second, self.correlation)

    def scaled(self, factor: float) -> "RateDifference":
        return RateDifference(self.champion.scaled(factor), self.candidate.scaled(factor), self.correlation)


@dataclass(frozen=True)
class MeanRatio:
    """The candidate's mean over the champion's, minus 1, and the variance of that."""

    estimate: float
    variance: float

    def tuned(self, alpha: float, bound: float) -> Boundary:
        return boundary(alpha, bound)

    def limits(self, tuned: Boundary) -> Limits:
        width = tuned.half_width(1 / self.variance)
        return self.estimate - width, self.estimate + width

    def scaled(self, factor: float) -> "MeanRatio":
        return MeanRatio(self.estimate, self.variance / factor)


@dataclass(frozen=True)
class StabilityIndex:
    """The population stability index of two samples of scores, and its noise, 1/n + 1/m.

    The index is about the squared length of a normal vector: of one dimension fewer than there are bins, with the variance `noise`
    in each. So its root is off by no more than the length of the noise.
    """

    estimate: float
    noise: float
    dimensions: int

    def tuned(self, alpha: float, bound: float) -> Boundary:
        return boundary(alpha, sqrt(bound), self.dimensions)

    def limits(self, tuned: Boundary) -> Limits:
        root, width = sqrt(self.estimate), tuned.half_width(1 / self.noise)
        return max(0.0, root - width) ** 2, (root + width) ** 2

    def scaled(self, factor: float) -> "StabilityIndex":
        """Noise alone makes an index of noise times dimensions, which more answers take away."""
        truth = max(0.0, self.estimate - self.dimensions * self.noise)
        noise = self.noise / factor
        return StabilityIndex(truth + self.dimensions * noise, noise, self.dimensions)


def mean_ratio(champion: MeanSums, candidate: MeanSums) -> MeanRatio | None:
    """The ratio of two means of independent arms; None with fewer than 2 answers, or if the champion's mean is not above 0.

    The error comes from the delta method: that of the candidate's mean minus the ratio times the champion's, over the champion's. A
    small arm of skewed values often lacks the rare large ones, and looks too sure. So we give the candidate at least the variance of
    the champion, which is larger in its early stages.
    """
    if min(champion.count, candidate.count) < 2 or champion.mean <= 0:
        return None
    ratio = candidate.mean / champion.mean
    spread = max(candidate.variance, champion.variance * max(1.0, ratio**2))
    variance = spread / candidate.count + ratio**2 * champion.variance / champion.count
    return MeanRatio(ratio - 1, variance / champion.mean**2)


def stability_index(champion: Sequence[float], candidate: Sequence[float]) -> StabilityIndex | None:
    """The population stability index of the scores in the same bins; None without scores of both.

    It is the sum of (p - q) log(p / q) over the shares p and q of the bins. Without a shift, index / (1/n + 1/m) has a chi-square
    distribution with one degree of freedom fewer than there are bins. Raises Rejected if the two differ in their bins, or have only
    one.

    Reference: Yurdakul, Statistical properties of population stability index, dissertation, Western Michigan University, 2018.
    """
    if len(champion) != len(candidate) or len(champion) < 2:
        message = f"{len(champion)} and {len(candidate)} bins of the score"
        hint = "count both arms in the same bins, at least two"
        raise Rejected(message, where="score_bins", hint=hint, code="bad_bins")
    if not sum(champion) or not sum(candidate):
        return None
    shares = zip(_shares(champion), _shares(candidate), strict=True)
    index = sum((second - first) * log(second / first) for first, second in shares)
    return StabilityIndex(index, 1 / sum(champion) + 1 / sum(candidate), len(champion) - 1)


def paired_rate_difference(pairs: float, champion_only: float, candidate_only: float) -> RateDifference | None:
    """The difference of two rates of the same answers; None without pairs.

    Pairs that agree cancel, so it is the difference of the shares of the two kinds of pairs that differ. Both are shares of the same
    pairs, which makes them correlate as the cells of a multinomial do.
    """
    if not pairs:
        return None
    first, second = Share(champion_only, pairs), Share(candidate_only, pairs)
    odds = [(share.successes + 1) / (pairs - share.successes + 1) for share in (first, second)]
    return RateDifference(first, second, max(-1.0, -sqrt(odds[0] * odds[1])))


def paired_mean_ratio(champion: MeanSums, candidate: MeanSums, product_total: float) -> MeanRatio | None:
    """As `mean_ratio`, for two values of each answer. `product_total` is the sum of the products of the two."""
    count = champion.count
    if count < 2 or champion.mean <= 0:
        return None
    ratio = candidate.mean / champion.mean
    squares = candidate.square_total - 2 * ratio * product_total + ratio**2 * champion.square_total
    variance = max(0.0, squares) / (count - 1) + champion.mean**2 / count
    return MeanRatio(ratio - 1, variance / count / champion.mean**2)


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts) + PSEUDO_COUNT * len(counts)
    return [(count + PSEUDO_COUNT) / total for count in counts]
