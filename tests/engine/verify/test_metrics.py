import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, mannwhitneyu

from engine.errors import Rejected
from engine.verify.metrics import auc, bootstrap, ks, sample

GOOD, BAD = False, True
SCORES = st.one_of(st.integers(350, 360), st.floats(-1e6, 1e6))
HALVES = st.tuples(st.lists(SCORES, min_size=1, max_size=40), st.lists(SCORES, min_size=1, max_size=40))


def with_labels(good: list[float], bad: list[float]) -> tuple[list[float], list[bool]]:
    return [*good, *bad], [GOOD] * len(good) + [BAD] * len(bad)


@given(HALVES)
def test_auc_is_the_mann_whitney_u_over_the_pairs(halves):
    good, bad = halves
    u = mannwhitneyu(good, bad).statistic
    assert auc(*with_labels(good, bad)) == pytest.approx(u / (len(good) * len(bad)), abs=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # about its p-value, which we do not use
@given(HALVES)
def test_ks_is_the_two_sample_kolmogorov_smirnov_statistic(halves):
    good, bad = halves
    expected = ks_2samp(good, bad, method="exact").statistic
    assert ks(*with_labels(good, bad)) == pytest.approx(expected, abs=1e-12)


@given(HALVES, st.randoms())
def test_the_order_of_people_does_not_matter(halves, random):
    pairs = list(zip(*with_labels(*halves), strict=True))
    mixed = random.sample(pairs, len(pairs))
    for statistic in (auc, ks):
        assert statistic(*zip(*mixed, strict=True)) == statistic(*zip(*pairs, strict=True))


def test_auc_counts_the_pairs_in_which_the_good_one_is_above_and_half_of_the_ties():
    """By hand, of 3 x 2 pairs: 600 is above both, 550 above one and ties one, 500 ties one: (2 + 1.5 + 0.5) / 6."""
    assert auc([600, 550, 500, 550, 500], [GOOD, GOOD, GOOD, BAD, BAD]) == 4 / 6


def test_ks_is_the_widest_gap_of_the_cumulative_shares():
    """By hand: up to 450, 0 of 4 goods and 1 of 3 bads; up to 500, 1 and 2; up to 600, 2 and 3: the widest gap is 1/2."""
    assert ks([500, 600, 700, 800, 450, 500, 600], [GOOD] * 4 + [BAD] * 3) == pytest.approx(0.5)


def test_a_perfect_order_is_one_and_its_reverse_zero_with_the_same_ks():
    assert (auc([2, 1], [GOOD, BAD]), ks([2, 1], [GOOD, BAD])) == (1, 1)
    assert (auc([1, 2], [GOOD, BAD]), ks([1, 2], [GOOD, BAD])) == (0, 1)


def test_equal_scores_give_chance():
    assert (auc([7, 7, 7], [GOOD, BAD, GOOD]), ks([7, 7, 7], [GOOD, BAD, GOOD])) == (0.5, 0)


def test_people_without_a_score_are_counted_by_outcome():
    result = sample([600, None, 500, None, None], [GOOD, GOOD, BAD, BAD, BAD])
    assert (result.scores.tolist(), result.bad.tolist()) == ([600, 500], [GOOD, BAD])
    assert (result.unscored_good, result.unscored_bad) == (1, 2)


def test_a_sample_may_be_empty():
    result = sample([None], [BAD])
    assert (result.scores.size, result.unscored_good, result.unscored_bad) == (0, 0, 1)


@pytest.mark.parametrize("statistic", [auc, ks, lambda s, b: bootstrap(s, b, auc, seed=1)])
@pytest.mark.parametrize(
    ("scores", "bad", "code"),
    [
        ([1, 2], [GOOD, GOOD], "one_outcome"),
        ([1, 2], [BAD, BAD], "one_outcome"),
        ([], [], "one_outcome"),
        ([1, None], [GOOD, BAD], "unscored"),
        ([1, 2, 3], [GOOD, BAD], "bad_lengths"),
    ],
)
def test_an_unmeasurable_sample_is_refused(statistic, scores, bad, code):
    with pytest.raises(Rejected) as error:
        statistic(scores, bad)
    assert error.value.code == code


def test_a_sample_needs_an_outcome_for_each_score():
    with pytest.raises(Rejected, match="2 scores and 1 outcomes"):
        sample([1, None], [GOOD])


def normal_scores(people: int, shift: float, seed: int) -> tuple[list[float], list[bool]]:
    """Equal numbers of good and bad people, from two normals `shift` standard deviations apart."""
    draws = np.random.default_rng(seed)
    return with_labels(draws.normal(shift, 1, people).tolist(), draws.normal(0, 1, people).tolist())


def test_the_interval_is_the_same_for_the_same_seed_and_holds_the_value():
    scores, bad = normal_scores(100, 1.0, seed=3)
    low, high = bootstrap(scores, bad, auc, seed=1)
    assert bootstrap(scores, bad, auc, seed=1) == (low, high) != bootstrap(scores, bad, auc, seed=2)
    assert low < auc(scores, bad) < high


def test_the_interval_is_as_wide_as_the_formula_of_hanley_and_mcneil_says():
    """Their standard error of an AUC A: (A(1-A) + (n-1)(Q1 - A^2) + (m-1)(Q2 - A^2)) / nm, Q1 = A/(2-A), Q2 = 2A^2/(1+A)."""
    scores, bad = normal_scores(200, 1.0, seed=4)
    area = auc(scores, bad)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    error = ((area * (1 - area) + 199 * (q1 - area**2) + 199 * (q2 - area**2)) / 200**2) ** 0.5
    low, high = bootstrap(scores, bad, auc, seed=1)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_the_interval_holds_the_truth_about_nineteen_times_of_twenty():
    """For two normals one standard deviation apart, the true AUC is the normal distribution at 1/sqrt(2), 0.7602."""
    hits = 0
    for seed in range(60):
        low, high = bootstrap(*normal_scores(60, 1.0, seed), auc, seed=0, samples=200)
        hits += low <= 0.7602 <= high
    assert hits >= 50


def test_draws_without_both_outcomes_are_repeated():
    draws = []

    def both(scores, bad):
        draws.append(bad.any() and not bad.all())
        return auc(scores, bad)

    assert bootstrap([2, 1, 3], [GOOD, BAD, GOOD], both, seed=0, samples=50) == (1, 1)
    assert draws == [True] * 50
