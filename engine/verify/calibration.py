"""Whether each band's outcomes are as expected: the observed rate of bad outcomes with its interval, beside the expected rate.

References: Siddiqi, Credit Risk Scorecards, Wiley 2006, chapter 8 (delinquency by score band); Wilson 1927 for the interval;
Hosmer and Lemeshow, A goodness-of-fit test for the multiple logistic regression model, 1980, for the statistic over all bands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from engine.errors import Rejected
from engine.proportions import normal_quantile, wilson

CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class BandCounts:
    """The outcomes of a band. `expected` is the rate of bad ones to expect, from 0 to 1; None: nobody knows it."""

    band: str
    count: int
    bad: int
    expected: float | None = None


@dataclass(frozen=True)
class BandCalibration:
    """The observed rate of a band with its 95 % interval. `as_expected`: the interval holds the expected rate.

    Without outcomes, the rate is None; without an expected rate too, `as_expected` is.
    """

    band: str
    count: int
    bad: int
    rate: float | None
    low: float | None
    high: float | None
    expected: float | None
    as_expected: bool | None


@dataclass(frozen=True)
class BandPair:
    """Two neighbouring bands: the one of lower scores, and the one of higher scores."""

    lower: str
    higher: str


@dataclass(frozen=True)
class Calibration:
    """The bands, worst first. `out_of_order`: pairs of neighbouring bands of which the better one is worse, beyond chance.

    `statistic`: Hosmer and Lemeshow's, over the bands with outcomes and an expected rate between 0 and 1; compare it with
    chi-square of as many degrees of freedom as `bands_compared`, because nothing was fitted to these outcomes.
    """

    bands: tuple[BandCalibration, ...]
    out_of_order: tuple[BandPair, ...]
    statistic: float | None
    bands_compared: int


def calibrate(bands: Sequence[BandCounts]) -> Calibration:
    """Compare the outcomes of each band, worst band first, with the expected rates.

    The interval takes outcomes as independent: several orders of one person tend to end alike, which widens it in truth. Raises
    Rejected `bad_count` for more bad outcomes than outcomes, and for an expected rate outside of 0 to 1.
    """
    results = tuple(_calibration(band) for band in bands)
    compared = [b for b in bands if b.count and b.expected is not None and 0 < b.expected < 1]
    return Calibration(
        bands=results,
        out_of_order=tuple(
            BandPair(worse.band, better.band) for worse, better in pairwise(results) if _is_reversed(worse, better)
        ),
        statistic=sum(_deviance(b.count, b.bad, b.expected or 0) for b in compared) if compared else None,
        bands_compared=len(compared),
    )


def _calibration(band: BandCounts) -> BandCalibration:
    if not 0 <= band.bad <= band.count or not 0 <= (band.expected or 0) <= 1:
        message = f"{band.bad} bad outcomes of {band.count} in `{band.band}`, {band.expected} expected"
        raise Rejected(message, where="bands", hint="count each outcome once; a rate is from 0 to 1", code="bad_count")
    if not band.count:
        return BandCalibration(band.band, 0, 0, None, None, None, band.expected, None)
    rate = band.bad / band.count
    low, high = wilson(rate, band.count, normal_quantile(CONFIDENCE))
    as_expected = None if band.expected is None else low <= band.expected <= high
    return BandCalibration(band.band, band.count, band.bad, rate, low, high, band.expected, as_expected)


def _is_reversed(worse: BandCalibration, better: BandCalibration) -> bool:
    """Whether the interval of the better band lies above that of the worse one."""
    return worse.high is not None and better.low is not None and better.low > worse.high


def _deviance(count: int, bad: int, expected: float) -> float:
    return float((bad - count * expected) ** 2 / (count * expected * (1 - expected)))
