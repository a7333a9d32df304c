"""The intervals of the contrasts, by their definitions."""

from math import sqrt

import pytest

from engine.errors import Rejected
from engine.rollout.confidence_sequences import boundary
from engine.rollout.contrasts import StabilityIndex, stability_index
from engine.rollout.sequential import Arm, PairCounts, Pairs, PairSums


def test_the_noise_of_the_index_is_that_of_both_samples():
    """Of 100 and 50 scores in four bins: 1/100 + 1/50, in three dimensions."""
    index = stability_index((40, 30, 20, 10), (20, 10, 10, 10))
    assert index is not None
    assert (index.noise, index.dimensions) == (pytest.approx(0.03), 3)


def test_the_limits_of_the_index_are_squares_of_its_root_and_the_width():
    tuned = boundary(0.05, sqrt(0.2), 3)
    width = tuned.half_width(1 / 0.03)
    assert StabilityIndex(4.0, 0.03, 3).limits(tuned) == pytest.approx(((2 - width) ** 2, (2 + width) ** 2))
    assert StabilityIndex(0.0, 0.03, 3).limits(tuned) == pytest.approx((0.0, width**2))


def test_two_samples_have_the_same_bins():
    for champion, candidate in (((1, 2), (1, 2, 3)), ((5,), (5,))):
        with pytest.raises(Rejected, match="bins of the score"):
            stability_index(champion, candidate)
    assert stability_index((0, 0), (1, 2)) is None


def test_sums_that_are_not_given_are_zero():
    assert {name: value for name, value in vars(Arm()).items() if value} == {"score_bins": (0, 0)}
    assert not any(vars(PairCounts()).values())
    assert not any(vars(PairSums()).values())
    assert Pairs().answers == Pairs().answers_square_sum == 0
