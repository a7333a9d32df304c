"""Check the boundary of the confidence sequences against published numbers, the integral that defines it, and motions that we draw."""

from math import exp, log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad

from engine.rollout.confidence_sequences import Boundary, boundary, least_factor

ALPHAS = st.floats(1e-6, 0.5)
MARGINS = st.floats(1e-3, 10)


def normal(x: float, variance: float) -> float:
    return exp(-(x**2) / (2 * variance)) / sqrt(2 * pi * variance)


def test_the_boundary_is_that_of_confseq():
    """The tests of confseq, the authors' library, at the variance 100, tuned for it, with alpha 0.05: rho is 12.60056, and the bound
    30.35209, from their reference in R (test/uniform_boundaries_unittest.cpp). Their rho is 1 / mixture, and their bound S."""
    assert Boundary(0.05, 1 / 12.60056).half_width(100) * 100 == pytest.approx(30.35209, abs=1e-5)


def test_the_tuning_is_that_of_confseq():
    assert 1 / boundary(0.05, 0.3035209).mixture == pytest.approx(12.60056, abs=1e-4)


def test_the_boundary_is_that_of_robbins():
    """Robbins 1970 has, for a mixture with the variance 1/m: |S| >= sqrt((n + m)(a^2 + log(n/m + 1))) with chance at most exp(-a^2/2)."""
    m, a_square, n = 3.0, 9.0, 50.0
    expected = sqrt((n + m) * (a_square + log(n / m + 1)))
    assert Boundary(exp(-a_square / 2), 1 / m).half_width(n) * n == pytest.approx(expected)


@pytest.mark.parametrize(("alpha", "mixture", "variance"), [(0.05, 0.1, 20.0), (0.01, 0.02, 3.0), (0.001, 1.0, 100.0)])
def test_on_the_boundary_the_mixture_of_likelihood_ratios_is_one_over_alpha(alpha, mixture, variance):
    """The definition, integrated by SciPy: the mean of exp(l S - l^2 V / 2) over l from N(0, mixture)."""
    end = Boundary(alpha, mixture).half_width(variance) * variance
    peak, width = end * mixture / (1 + mixture * variance), sqrt(mixture / (1 + mixture * variance))

    def ratio(x: float) -> float:
        return exp(x * end - x**2 * variance / 2) * normal(x, mixture)

    assert quad(ratio, peak - 12 * width, peak + 12 * width)[0] == pytest.approx(1 / alpha, rel=1e-6)


def test_on_the_boundary_in_two_dimensions_too():
    alpha, mixture, variance = 0.02, 0.05, 40.0
    end = Boundary(alpha, mixture, 2).half_width(variance) * variance
    peak, width = end * mixture / (1 + mixture * variance), sqrt(mixture / (1 + mixture * variance))

    def ratio(y: float, x: float) -> float:
        return exp(x * end - (x**2 + y**2) * variance / 2) * normal(x, mixture) * normal(y, mixture)

    integral = dblquad(ratio, peak - 9 * width, peak + 9 * width, -9 * width, 9 * width)[0]
    assert integral == pytest.approx(1 / alpha, rel=1e-6)


@given(ALPHAS, MARGINS, st.integers(1, 30), st.floats(1e-6, 1e9), st.floats(1.01, 100))
def test_more_information_makes_the_interval_narrower(alpha, margin, dimensions, information, factor):
    tuned = boundary(alpha, margin, dimensions)
    assert tuned.half_width(information * factor) < tuned.half_width(information)


@given(st.floats(1e-6, 0.1), st.floats(0.1, 10), st.integers(1, 30), st.floats(0.05, 20))
def test_no_other_mixture_reaches_the_margin_with_much_less_information(alpha, margin, dimensions, factor):
    """The step of approximation costs at most 3 % of width."""
    tuned = boundary(alpha, margin, dimensions)
    information = least_factor(lambda information: tuned.half_width(information) <= margin)
    assert information is not None
    other = Boundary(alpha, tuned.mixture * factor, dimensions)
    assert other.half_width(information) > margin * 0.97


def test_without_information_the_interval_has_no_end():
    assert boundary(0.05, 1.0).half_width(0) == float("inf")


@pytest.mark.parametrize("dimensions", [1, 9])
def test_a_motion_crosses_the_boundary_at_most_as_often_as_alpha_says(dimensions):
    """2,000 motions, looked at 400 times from 1 to 10,000 times the least variance: at most 5 % may cross. Without the boundary, at
    the fixed 95 % of one look, more than half do."""
    draws = np.random.default_rng(11)
    variances = np.geomspace(1, 10_000, 400)
    steps = np.sqrt(np.diff(variances, prepend=0))[None, :, None]
    motions = (draws.standard_normal((2_000, 400, dimensions)) * steps).cumsum(axis=1)
    lengths = np.sqrt((motions**2).sum(axis=2))
    bounds = [Boundary(0.05, 0.01, dimensions).half_width(v) * v for v in variances]
    crossings = (lengths > bounds).any(axis=1).mean()
    assert 0.01 < crossings < 0.05
    if dimensions == 1:
        assert (lengths > 1.96 * np.sqrt(variances)).any(axis=1).mean() > 0.5


@given(st.floats(1e-6, 1e9))
def test_the_least_factor_is_where_a_condition_becomes_true(limit):
    assert least_factor(lambda factor: factor >= limit) == pytest.approx(limit, rel=1e-5, abs=1e-5)


def test_a_condition_that_no_factor_meets_has_none():
    assert least_factor(lambda _: False) is None
