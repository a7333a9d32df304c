"""Confidence sequences: intervals that hold at all looks together, so that you may look as often as you like and stop when you like.

An interval of 99 % for one look misses now and then; over a thousand looks it misses surely. A confidence sequence of 99 % has a
chance of 1 % to miss at any time at all.

We use the normal mixture of Robbins. For a Brownian motion S with the variance V so far, and a vector L drawn from N(0, r I) in d
dimensions, the mean over L of exp(L.S - |L|^2 V / 2) is a martingale with the mean 1:

    M(V) = (1 + rV)^(-d/2) exp(r |S|^2 / (2 (1 + rV)))

By Ville's inequality it reaches 1/a with a chance of at most a. So at all times together, with a chance of at least 1 - a,

    |S| <= sqrt((V + 1/r) (2 log(1/a) + d log(1 + rV)))

An estimate with the standard error e has the information V = 1/e^2, and S = V (estimate - truth) moves as a Brownian motion does, once
the sums are long enough for the central limit, and while the two arms grow in the same proportion. So the half width of the interval is
that bound over V.

- Robbins, Statistical methods related to the law of the iterated logarithm, Annals of Mathematical Statistics 41, 1970.
- Howard, Ramdas, McAuliffe and Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences, Annals of Statistics 49, 2021:
  the two-sided normal mixture (proposition 4), and its tuning (section 3.5).
- Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Time-uniform central limit theory and asymptotic confidence sequences, Annals of
  Statistics 52, 2024 (arXiv 2103.06476): theorem 2.2 for means with a running variance, and for estimators that are nearly sums.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log, sqrt
from typing import Final

_DOUBLINGS: Final = 40
_HALVINGS: Final = 20


@dataclass(frozen=True)
class Boundary:
    """A boundary of the chance `alpha` to be crossed at any time, by a motion in so many `dimensions`.

    `mixture` is the variance r of the mixture. It shapes the boundary: fix it before you see any data.
    """

    alpha: float
    mixture: float
    dimensions: int = 1

    def half_width(self, information: float) -> float:
        """How far the estimate may be from the truth at this information, 1 / (standard error)^2."""
        if information <= 0:
            return inf
        spread = 2 * log(1 / self.alpha) + self.dimensions * log(1 + self.mixture * information)
        return sqrt((information + 1 / self.mixture) * spread) / information


def boundary(alpha: float, margin: float, dimensions: int = 1) -> Boundary:
    """The boundary that reaches the half width `margin` with the least information, but for an approximation.

    The best mixture at the information V has rV = A / d + log(1 + rV) with A = 2 log(1/a). As Howard et al. do, we take one step of
    that: rV = A/d + log(1 + A/d).
    """
    log_odds = 2 * log(1 / alpha)
    product = log_odds / dimensions + log(1 + log_odds / dimensions)  # r times V
    information = (1 + 1 / product) * (log_odds + dimensions * log(1 + product)) / margin**2
    return Boundary(alpha, product / information, dimensions)


def least_factor(is_enough: Callable[[float], bool]) -> float | None:
    """The least factor for which a condition is true, to one part in a million; None if none up to 10^12 is enough.

    The condition must stay true for all greater factors. Cost: at most 60 calls.
    """
    high = 1.0
    for _ in range(_DOUBLINGS):
        if is_enough(high):
            break
        high *= 2
    else:
        return None
    low = 0.0 if high == 1.0 else high / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
