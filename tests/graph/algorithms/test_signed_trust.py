import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.algorithms.signed_trust import Ratings, fairness_and_goodness, weighted_mean


def ratings(votes: dict[tuple[int, int], float], people: int = 6) -> Ratings:
    ends = [np.array([pair[i] for pair in votes], np.int64) for i in (0, 1)]
    return Ratings(people, *ends, np.array(list(votes.values()), np.float64))


def test_two_raters_for_and_one_against():
    """g = (f + f - d) / 3, f = 1 - (1 - g) / 2, d = 1 - (1 + g) / 2: so g = 1/6 + g/2 = 1/3, f = 2/3, d = 1/3."""
    fairness, goodness = fairness_and_goodness(ratings({(0, 3): 1, (1, 3): 1, (2, 3): -1}))
    assert fairness == pytest.approx([2 / 3, 2 / 3, 1 / 3, np.nan, np.nan, np.nan], nan_ok=True)
    assert goodness == pytest.approx([np.nan, np.nan, np.nan, 1 / 3, np.nan, np.nan], nan_ok=True)


def test_the_neutral_rating_draws_the_mean_to_zero():
    """(1 x 1 + 0.5 x -0.4) / (1 + 1.5) = 0.32; and 0 where no rater weighs anything."""
    table = ratings({(0, 3): 1, (1, 3): -0.4, (2, 4): 1})
    assert weighted_mean(table, np.array([1, 0.5, 0, 0, 0, 0]))[3:] == pytest.approx([0.32, 0, np.nan], nan_ok=True)


def test_without_ratings_all_values_are_missing():
    for values in (*fairness_and_goodness(ratings({}, 2)), weighted_mean(ratings({}, 2), np.ones(2))):
        assert np.isnan(values).tolist() == [True, True]
    assert fairness_and_goodness(ratings({}, 0))[0].tolist() == []


VOTES = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda p: p[0] != p[1]),
    st.integers(-10, 10).map(lambda s: s / 10),
    min_size=1,
)


@given(VOTES)
def test_fairness_and_goodness_solve_their_two_equations(votes):
    fairness, goodness = fairness_and_goodness(ratings(votes))
    for person in range(6):
        of = [fairness[u] * r for (u, v), r in votes.items() if v == person]
        by = [abs(r - goodness[v]) / 2 for (u, v), r in votes.items() if u == person]
        assert goodness[person] == pytest.approx(sum(of) / len(of) if of else np.nan, abs=1e-12, nan_ok=True)
        assert fairness[person] == pytest.approx(1 - sum(by) / len(by) if by else np.nan, abs=1e-12, nan_ok=True)
    assert all(0 <= f <= 1 for f in fairness if not np.isnan(f))
    assert all(-1 <= g <= 1 for g in goodness if not np.isnan(g))


def test_a_rater_who_contradicts_the_others_counts_less_the_more_they_are():
    """One rater against n raters in favour: the doubt counts less and less."""
    at = [
        fairness_and_goodness(ratings({**{(i, n): 1 for i in range(n - 1)}, (n - 1, n): -1}, n + 1)) for n in (3, 9, 99)
    ]
    assert [round(float(g[-1]), 2) for _, g in at] == sorted(round(float(g[-1]), 2) for _, g in at)
    assert all(f[-2] < 0.5 for f, _ in at)
