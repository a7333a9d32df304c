"""Check the outcomes of champion and challenger: rates, bounds, and intervals of published examples."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from engine.proportions import difference, normal_quantile, wilson
from engine.rollout.outcomes import BOTH, CHALLENGER, CHAMPION, PersonOutcomes, compare_arms, compare_in_shadow

# First bad, first orders, second bad, second orders, and the limits: Newcombe 1998, table II, method 10, to four decimals.
# statsmodels 0.15 gives the same: confint_proportions_2indep(..., method="newcomb").
NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (10, 10, 0, 10, 0.6075, 1.0000),
]


def people(prefix: str, admitted_by: str, orders: int, overdue: int, disputed: int = 0) -> list[PersonOutcomes]:
    """Each order of a person of its own."""
    return [PersonOutcomes(f"{prefix}{n}", admitted_by, 1, int(n < overdue), int(n < disputed)) for n in range(orders)]


@given(st.integers(1, 2_000), st.floats(0, 1), st.floats(0.5, 0.9999))
def test_the_interval_of_a_share_is_wilsons(count, share, confidence):
    """SciPy's `binomtest` has the same one."""
    successes = round(count * share)
    expected = binomtest(successes, count).proportion_ci(confidence, method="wilson")
    limits = wilson(successes / count, count, normal_quantile(confidence))
    assert limits == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("first", "first_count", "second", "second_count", "low", "high"), NEWCOMBE)
def test_the_difference_of_two_arms_has_newcombes_interval(first, first_count, second, second_count, low, high):
    rows = people("a", CHAMPION, first_count, first) + people("b", CHALLENGER, second_count, second)
    overdue, disputed = compare_arms(rows)
    assert overdue.difference == pytest.approx(first / first_count - second / second_count)
    assert (overdue.low, overdue.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert disputed.difference == 0


def test_a_correlation_makes_the_interval_of_a_difference_narrower():
    """By hand: sqrt(0.1^2 + 0.1^2 - 2 * 0.5 * 0.1 * 0.1) = 0.1."""
    low, high = difference(0.5, (0.4, 0.6), 0.3, (0.2, 0.4), 0.5)
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.3))


SHADOW = [
    *people("b", BOTH, 90, 3, 1),
    *people("c", CHAMPION, 10, 2),
    PersonOutcomes("d", CHALLENGER, 4),
    PersonOutcomes("e", CHALLENGER, 1),
]


def test_a_shadow_has_the_rates_of_its_parts():
    overdue, disputed = compare_in_shadow(SHADOW)
    rates = [overdue.both, overdue.champion_only, overdue.champion]
    assert [(rate.bad, rate.orders, rate.people) for rate in rates] == [(3, 90, 90), (2, 10, 10), (5, 100, 100)]
    assert [rate.rate for rate in rates] == [pytest.approx(1 / 30), 0.2, 0.05]
    assert (disputed.both.bad, disputed.champion_only.bad) == (1, 0)
    assert (overdue.measure, disputed.measure) == ("overdue", "disputed")


def test_orders_without_an_outcome_give_bounds():
    """Of 95 orders that the challenger would admit, 3 to 8 were or would have been overdue."""
    [overdue, _] = compare_in_shadow(SHADOW)
    assert overdue.challenger_only_orders == 5
    assert overdue.challenger_bounds == (pytest.approx(3 / 95), pytest.approx(8 / 95))
    assert overdue.difference_bounds == (pytest.approx(0.05 - 8 / 95), pytest.approx(0.05 - 3 / 95))


def test_the_difference_on_the_same_people_is_that_of_the_disjoint_parts_scaled():
    """By hand: 10 of 100 orders, so (0.2 - 1/30) / 10 = 1/60 = 5/100 - 3/90.

    Newcombe's interval of 0.2 - 1/30 is 0.1 of the width. To its square we add that of 1.96 * 0.16667 * sqrt(0.1 * 0.9 / 100)."""
    [overdue, _] = compare_in_shadow(SHADOW)
    assert overdue.difference == pytest.approx(5 / 100 - 3 / 90)
    z = normal_quantile(0.95)
    low, high = difference(0.2, wilson(0.2, 10, z), 1 / 30, wilson(1 / 30, 90, z))
    error, centre = z * (1 / 6) * sqrt(0.1 * 0.9 / 100), 1 / 6
    assert overdue.low == pytest.approx(1 / 60 - sqrt((0.1 * (centre - low)) ** 2 + error**2))
    assert overdue.high == pytest.approx(1 / 60 + sqrt((0.1 * (high - centre)) ** 2 + error**2))


def test_releases_that_admit_the_same_differ_by_nothing():
    [overdue, _] = compare_in_shadow(people("b", BOTH, 50, 5))
    assert (overdue.difference, overdue.low, overdue.high) == (0, 0, 0)


def test_without_orders_there_are_no_rates():
    for measure in compare_in_shadow([]):
        assert (measure.both.rate, measure.difference, measure.low) == (None, None, None)
        assert (measure.challenger_bounds, measure.difference_bounds) == (None, None)
    [overdue, _] = compare_arms(people("a", CHAMPION, 5, 1))
    assert (overdue.champion.rate, overdue.challenger.rate, overdue.difference) == (0.2, None, None)
    [overdue, _] = compare_in_shadow(people("c", CHAMPION, 5, 1))
    assert (overdue.champion.rate, overdue.difference, overdue.challenger_bounds) == (0.2, None, None)


def test_orders_of_one_person_that_end_alike_count_as_one():
    """50 people with 4 orders each, all overdue or none: the interval is that of 50 orders, 10 of them overdue."""
    clusters = [PersonOutcomes(f"a{n}", CHAMPION, 4, 4 * (n < 10)) for n in range(50)]
    [overdue, _] = compare_arms(clusters)
    low, high = wilson(0.2, 50, normal_quantile(0.95))
    assert (overdue.champion.orders, overdue.champion.people) == (200, 50)
    assert (overdue.champion.low, overdue.champion.high) == (pytest.approx(low), pytest.approx(high))


def test_if_no_order_is_overdue_a_person_counts_once():
    [overdue, _] = compare_arms([PersonOutcomes(f"a{n}", CHAMPION, 4) for n in range(50)])
    assert overdue.champion.high == pytest.approx(wilson(0, 50, normal_quantile(0.95))[1])


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from((BOTH, CHAMPION, CHALLENGER)), st.booleans()), max_size=60)
)
def test_the_rows_of_a_person_may_come_in_any_form(orders):
    """One row for each order, or one for all orders of a person that a release admits."""
    singles = [PersonOutcomes(str(person), release, 1, int(is_bad)) for person, release, is_bad in orders]
    keys = sorted({(row.person, row.admitted_by) for row in singles})
    sums = []
    for person, release in keys:
        own = [row for row in singles if (row.person, row.admitted_by) == (person, release)]
        sums.append(PersonOutcomes(person, release, len(own), sum(row.overdue for row in own)))
    for compare in (compare_in_shadow, compare_arms):
        assert [part.as_dict() for part in compare(singles)] == [part.as_dict() for part in compare(reversed(sums))]


def test_a_comparison_is_plain_json_without_people():
    [overdue, _] = compare_in_shadow(SHADOW)
    form = overdue.as_dict()  # the limits are those of `binomtest(3, 90)` of SciPy, by Wilson
    assert form["champion"]["rate"] == 0.05
    assert form["both"] == {"bad": 3, "orders": 90, "people": 90, "rate": 0.033333, "low": 0.0114, "high": 0.093473}
    assert form["challenger_bounds"] == [0.031579, 0.084211]
    [overdue, _] = compare_arms(people("a", CHAMPION, 3, 1) + people("b", CHALLENGER, 3, 1))
    assert overdue.as_dict()["difference"] == 0
