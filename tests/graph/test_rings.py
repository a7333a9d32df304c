from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph import ranges
from graph.rings import BAND, HUB, TANGLE, WITHIN, Payments, rings
from tests.effort import pairs

DAY = 86_400_000_000
Row = tuple[int, int, int, int]  # payer, payee, at, amount


def paid(*rows: Row, parties: int = 6) -> Payments:
    columns = (
        (np.array(column, np.int64) for column in zip(*rows, strict=True)) if rows else [np.empty(0, np.int64)] * 4
    )
    return Payments(parties, *columns)


def found(*rows: Row, **limits) -> list[list[int]]:
    """The rings, without what fills up the shorter."""
    return [[p for p in ring if p >= 0] for ring in rings(paid(*rows), **limits).rings.tolist()]


ROUND = ((0, 1, 0, 100), (1, 2, DAY, 95), (2, 0, 3 * DAY, 90))


def test_a_ring_is_written_once_from_its_lowest_party_whoever_paid_first():
    assert found(*ROUND) == [[0, 1, 2]]
    turned = ((0, 1, 3 * DAY, 100), (1, 2, 0, 95), (2, 0, DAY, 90))
    assert found(*turned) == [[0, 1, 2]]
    assert found(*ROUND, *turned) == [[0, 1, 2]]


def test_the_two_directions_round_the_same_parties_are_two_rings():
    back = ((0, 2, 0, 100), (2, 1, DAY, 95), (1, 0, 3 * DAY, 90))
    assert found(*ROUND, *back) == [[0, 1, 2], [0, 2, 1]]
    assert rings(paid(*ROUND, *back)).counts().tolist() == [2, 2, 2, 0, 0, 0]


def test_payments_out_of_order_are_no_ring_and_two_at_one_moment_are_in_order():
    assert found((0, 1, 0, 100), (1, 2, 2, 100), (2, 0, 1, 100)) == []  # from whoever it starts, one step goes back
    assert found((0, 1, 2, 100), (1, 2, 1, 100), (2, 0, 0, 100)) == []
    assert found((0, 1, 0, 100), (1, 2, 0, 100), (2, 0, 0, 100)) == [[0, 1, 2]]


@pytest.mark.parametrize(("last", "seen"), [(14 * DAY, [[0, 1, 2]]), (14 * DAY + 1, [])])
def test_fourteen_days_from_the_first_payment_to_the_last_are_within_time(last, seen):
    assert timedelta(days=14) == WITHIN
    assert found((0, 1, 0, 100), (1, 2, DAY, 100), (2, 0, last, 100)) == seen


@pytest.mark.parametrize(("amount", "seen"), [(80, [[0, 1, 2]]), (79, []), (100, [[0, 1, 2]]), (0, [])])
def test_the_highest_amount_is_at_most_a_quarter_above_the_lowest(amount, seen):
    assert (BAND.numerator, BAND.denominator) == (5, 4)
    assert found((0, 1, 0, 100), (1, 2, 1, 90), (2, 0, 2, amount)) == seen


def test_the_largest_amounts_there_are_compare_exactly():
    most = 10**15
    assert found((0, 1, 0, most), (1, 2, 1, most), (2, 0, 2, most * 4 // 5)) == [[0, 1, 2]]
    assert found((0, 1, 0, most), (1, 2, 1, most), (2, 0, 2, most * 4 // 5 - 1)) == []


def test_payments_of_nothing_make_no_ring():
    assert found((0, 1, 0, 0), (1, 2, 1, 0), (2, 0, 2, 0)) == []


def test_rings_have_three_to_five_parties_or_as_many_as_are_asked_for():
    steps = [(i, i + 1, i, 100) for i in range(5)]
    assert found((0, 1, 0, 100), (1, 0, 1, 100)) == []
    assert found(*steps[:4], (4, 0, 4, 100)) == [[0, 1, 2, 3, 4]]
    assert found(*steps, (5, 0, 5, 100)) == []
    assert found(*steps, (5, 0, 5, 100), (2, 0, 2, 100), lengths=(6,)) == [[0, 1, 2, 3, 4, 5]]


def test_a_ring_passes_each_party_once():
    """0 -> 1 -> 2 -> 1 -> 0 goes through 1 twice."""
    assert found((0, 1, 0, 9), (1, 2, 1, 9), (2, 1, 2, 9), (1, 0, 3, 9)) == []


def test_who_makes_and_takes_more_payments_than_people_do_is_left_out_and_named():
    busy = [(0, 5, i, 1) for i in range(HUB - 2)]
    assert found(*ROUND, *busy) == [[0, 1, 2]]
    assert found(*ROUND, *busy, (0, 5, 0, 1)) == []
    assert rings(paid(*ROUND, *busy, (0, 5, 0, 1))).left_out.tolist() == [True] + 5 * [False]
    assert found(*ROUND, *busy, (0, 5, 0, 1), hub=None) == [[0, 1, 2]]


@pytest.mark.parametrize(("apart", "left"), [(0, [0, 1]), (15 * DAY, [])])
def test_who_is_in_a_tangle_is_left_out_and_named(apart, left):
    """0 pays 1 thirty times and is paid once, 1 is paid thirty times and pays once: 31 in a fortnight, or fifteen days apart."""
    more = [(0, 1, apart * (i % 2), 100) for i in range(1, TANGLE)]
    payments = paid(*ROUND, *more, (1, 2, DAY + apart, 100), (2, 0, 3 * DAY + apart, 100))
    assert np.flatnonzero(rings(payments).left_out).tolist() == left
    assert (rings(payments).counts()[:3] > 0).all() == (left == [])
    assert rings(payments, tangle=None).counts()[:3].tolist() == [1, 1, 1]


def test_many_payments_that_no_ring_goes_through_make_no_tangle():
    """Nothing of the like comes back from 5, and what is paid to 3 is paid back at once, by two parties only."""
    aside = [(0, 5, i, 100) for i in range(40)], [(0, 3, i, 7) for i in range(40)], [(3, 0, i, 7) for i in range(40)]
    assert rings(paid(*ROUND, *(row for rows in aside for row in rows))).left_out.any() == np.False_
    assert found(*ROUND, *(row for rows in aside for row in rows)) == [[0, 1, 2]]


def test_without_payments_there_are_no_rings():
    assert rings(paid()).rings.shape == (0, 5)
    assert rings(paid(parties=3)).counts().tolist() == [0, 0, 0]
    assert rings(paid(parties=0)).counts().tolist() == []


def plain(rows: list[Row], within: int, band: Fraction, lengths: tuple[int, ...]) -> set[tuple[int, ...]]:
    """By the definition: every chain of payments in order of time, one step at a time."""
    rows = [r for r in rows if r[3] > 0]

    def chains(chain: list[Row]) -> Iterator[list[Row]]:
        yield chain
        passed = {r[0] for r in chain}
        for row in rows:
            fits = row[0] == chain[-1][1] and row[0] not in passed and chain[-1][2] <= row[2] <= chain[0][2] + within
            if fits and len(chain) < max(lengths):
                yield from chains([*chain, row])

    whole = set()
    for chain in (c for row in rows for c in chains([row])):
        parties, amounts = [r[0] for r in chain], [r[3] for r in chain]
        if chain[-1][1] == parties[0] and len(chain) in lengths and max(amounts) <= band * min(amounts):
            first = parties.index(min(parties))
            whole.add(tuple(parties[first:] + parties[:first]))
    return whole


@st.composite
def payments(draw: st.DrawFn) -> list[Row]:
    """Few parties and moments, amounts much alike, and more often than not to the next party: rings are frequent."""
    step, amount = st.sampled_from((1, 1, 1, 1, 2)), st.sampled_from((10, 10, 10, 9, 11, 8, 30, 0))
    rows = draw(st.lists(st.tuples(st.integers(0, 3), step, st.integers(0, 5), amount), min_size=5, max_size=16))
    return [(a, (a + by) % 4, at, amount) for a, by, at, amount in rows]


@settings(max_examples=pairs(66, 600), deadline=None)
@given(
    payments(),
    st.integers(0, 9),
    st.sampled_from([Fraction(1), Fraction(5, 4), Fraction(4)]),
    st.sampled_from([(3, 4, 5), (3,), (5,), (3, 4)]),
    st.sampled_from([1, 3, 10**6]),
)
def test_the_rings_are_those_of_the_definition(rows, within, band, lengths, most):
    expected = plain(rows, within, band, lengths)
    with pytest.MonkeyPatch.context() as patch:  # pieces so small that there are many
        patch.setattr(ranges, "MOST_ROWS", most)
        limits = {"within": timedelta(microseconds=within), "band": band, "lengths": lengths, "tangle": None}
        assert {tuple(r) for r in found(*rows, **limits)} == expected
