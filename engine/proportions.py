"""Intervals of one share, and of the difference of two shares."""

from math import sqrt
from statistics import NormalDist

Limits = tuple[float, float]


def normal_quantile(confidence: float) -> float:
    """The critical value of a two-sided interval: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(share: float, count: float, critical: float) -> Limits:
    """The score interval of a share of `count` independent answers.

    Reference: Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.
    """
    square = critical**2
    centre = (share * count + square / 2) / (count + square)
    width = critical * sqrt(count * share * (1 - share) + square / 4) / (count + square)
    return (0.0 if share == 0 else centre - width), (1.0 if share == 1 else centre + width)


def difference(
    first: float, first_limits: Limits, second: float, second_limits: Limits, correlation: float = 0.0
) -> Limits:
    """The interval of first - second, from the intervals of both and the correlation of the two estimates.

    With Wilson's intervals and no correlation, this is Newcombe's hybrid score interval, his method 10.

    References: Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17, 1998;
    Zou and Donner, Construction of confidence limits about effect measures, Statistics in Medicine 27, 2008 (with a correlation: MOVER).
    """
    below = _length(first - first_limits[0], second_limits[1] - second, correlation)
    above = _length(first_limits[1] - first, second - second_limits[0], correlation)
    return first - second - below, first - second + above


def _length(one: float, other: float, correlation: float) -> float:
    return sqrt(max(0.0, one**2 + other**2 - 2 * correlation * one * other))
