import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from engine.errors import Rejected
from engine.verify.stability import LEAST_SHARE, by_chance, psi, shift, verdict

FULL_BINS = st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1, max_size=20)
BINS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=20).filter(
    lambda pairs: sum(a for a, _ in pairs) > 0 and sum(e for _, e in pairs) > 0
)


def test_psi_of_a_worked_example():
    """By hand, of shares 0.1 0.2 0.3 0.4 then 0.25 each: -0.15 ln 0.4 + -0.05 ln 0.8 + 0.05 ln 1.2 + 0.15 ln 1.6.

    = 0.137444 + 0.011157 + 0.009116 + 0.070501.
    """
    assert psi([10, 20, 30, 40], [25, 25, 25, 25]) == pytest.approx(0.228218, abs=1e-6)


@given(FULL_BINS)
def test_psi_is_the_relative_entropy_in_both_directions(pairs):
    """The oracle is SciPy's `entropy(p, q)`, which is the Kullback-Leibler divergence. Bins below the least share differ."""
    now, reference = np.array(pairs, float).T
    p, q = now / now.sum(), reference / reference.sum()
    if min(p.min(), q.min()) >= LEAST_SHARE:
        assert psi(*zip(*pairs, strict=True)) == pytest.approx(entropy(p, q) + entropy(q, p), rel=1e-9, abs=1e-9)


@given(BINS)
def test_psi_is_not_negative_and_symmetric(pairs):
    now, reference = zip(*pairs, strict=True)
    assert psi(now, reference) >= 0
    assert psi(now, reference) == pytest.approx(psi(reference, now), rel=1e-12, abs=1e-15)


@given(BINS, st.integers(1, 50))
def test_psi_of_equal_shares_is_zero_whatever_the_number_of_people(pairs, factor):
    now = [a for a, _ in pairs]
    assert psi(now, [a * factor for a in now]) == pytest.approx(0, abs=1e-12)


@given(BINS, st.randoms())
def test_the_order_of_bins_does_not_matter(pairs, random):
    mixed = random.sample(pairs, len(pairs))
    assert psi(*zip(*mixed, strict=True)) == pytest.approx(psi(*zip(*pairs, strict=True)), rel=1e-9, abs=1e-12)


@given(FULL_BINS)
def test_merging_two_bins_never_raises_psi(pairs):
    """The data-processing inequality of divergences: less detail shows less change."""
    if (
        len(pairs) > 1
        and min(n / sum(p[side] for p in pairs) for p in pairs for side, n in enumerate(p)) >= LEAST_SHARE
    ):
        first, second, *rest = pairs
        merged = [(first[0] + second[0], first[1] + second[1]), *rest]
        assert psi(*zip(*merged, strict=True)) <= psi(*zip(*pairs, strict=True)) + 1e-9


def test_an_empty_bin_counts_as_the_least_share():
    expected = (0.5 - LEAST_SHARE) * np.log(0.5 / LEAST_SHARE) + (0.5 - 1) * np.log(0.5)
    assert psi([50, 50], [0, 100]) == pytest.approx(expected)


@pytest.mark.parametrize(("index", "word"), [(0, "stable"), (0.0999, "stable"), (0.1, "watch"), (0.25, "act")])
def test_the_usual_limits(index, word):
    assert verdict(index) == word


def test_chance_alone_gives_about_what_we_expect():
    """Yurdakul's expectation, against 2,000 pairs of samples of one population."""
    draws, shares = np.random.default_rng(1), [0.1, 0.2, 0.3, 0.4]
    values = [psi(draws.multinomial(500, shares), draws.multinomial(800, shares)) for _ in range(2000)]
    assert np.mean(values) == pytest.approx(by_chance([500, 0, 0, 0, 0], [200] * 4 + [0]), rel=0.06)


def test_a_shift_says_what_the_bins_do_to_the_mean_score():
    """By hand: 10 % of the people move from 0 points to 20."""
    result = shift({"< 1": 40, "1 – 6": 60}, {"< 1": 100, "1 – 6": 100}, {"< 1": 0, "1 – 6": 20, "missing": 5})
    assert result.points == pytest.approx(2.0)
    assert result.index == pytest.approx(psi([40, 60], [100, 100]))
    assert result.verdict == "stable"


def test_a_bin_that_one_population_lacks_has_nobody():
    assert shift({"a": 1}, {"a": 1, "b": 1}).index == pytest.approx(psi([1, 0], [1, 1]))
    assert shift({"a": 1}, {"a": 1}).points is None


@pytest.mark.parametrize(
    ("now", "reference", "code"), [([1], [1, 2], "bad_lengths"), ([0], [1], "no_people"), ([1], [0], "no_people")]
)
def test_what_cannot_be_compared_is_rejected(now, reference, code):
    with pytest.raises(Rejected) as rejection:
        psi(now, reference)
    assert rejection.value.code == code
