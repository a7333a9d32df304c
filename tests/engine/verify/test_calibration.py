import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from engine.errors import Rejected
from engine.verify.calibration import BandCounts, BandPair, calibrate

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(COUNTS, st.floats(0.001, 0.999))
def test_the_interval_is_wilsons(counts, expected):
    """The oracle is SciPy's `binomtest(...).proportion_ci(method="wilson")`."""
    count, bad = counts
    band = calibrate([BandCounts("fair", count, bad, expected)]).bands[0]
    interval = binomtest(bad, count).proportion_ci(0.95, method="wilson")
    assert (band.low, band.high) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert band.rate == bad / count
    assert band.as_expected == (band.low <= expected <= band.high)


@given(st.lists(st.tuples(COUNTS, st.floats(0.01, 0.99)), min_size=1, max_size=6))
def test_the_statistic_is_pearsons_over_good_and_bad_of_each_band(bands):
    """The oracle is SciPy's `chisquare` of the observed and expected good and bad outcomes."""
    calibration = calibrate([BandCounts(f"b{n}", *counts, expected) for n, (counts, expected) in enumerate(bands)])
    observed = [n for (count, bad), _ in bands for n in (bad, count - bad)]
    expected = [n for (count, _), rate in bands for n in (count * rate, count * (1 - rate))]
    assert calibration.statistic == pytest.approx(chisquare(observed, expected, sum_check=False).statistic, rel=1e-9)
    assert calibration.bands_compared == len(bands)


def test_wilsons_own_example_by_hand():
    """20 of 100: centre (0.2 + 1.9207 / 100) / 1.0384 = 0.2111, half width 0.0777."""
    band = calibrate([BandCounts("poor", 100, 20, 0.3)]).bands[0]
    assert (band.low, band.high) == pytest.approx((0.1334, 0.2888), abs=1e-4)
    assert band.as_expected is False


def test_a_better_band_with_a_worse_rate_is_out_of_order():
    bands = [BandCounts("poor", 1000, 100), BandCounts("fair", 1000, 300), BandCounts("good", 10, 4)]
    assert calibrate(bands).out_of_order == (BandPair("poor", "fair"),)


def test_chance_puts_no_band_out_of_order():
    assert calibrate([BandCounts("poor", 20, 2), BandCounts("fair", 20, 3)]).out_of_order == ()


def test_a_band_without_outcomes_has_no_rate():
    calibration = calibrate([BandCounts("poor", 0, 0, 0.2)])
    band = calibration.bands[0]
    assert (band.rate, band.low, band.high, band.as_expected) == (None, None, None, None)
    assert (calibration.statistic, calibration.bands_compared, calibrate([]).bands) == (None, 0, ())


def test_without_an_expected_rate_nothing_is_compared():
    assert calibrate([BandCounts("poor", 10, 1)]).bands[0].as_expected is None


@pytest.mark.parametrize("band", [BandCounts("poor", 1, 2), BandCounts("poor", 1, -1), BandCounts("poor", 1, 1, 1.5)])
def test_impossible_counts_are_rejected(band):
    with pytest.raises(Rejected, match="poor"):
        calibrate([band])
