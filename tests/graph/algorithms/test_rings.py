from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.algorithms import ranges
from graph.algorithms.rings import AMOUNT_BAND, HUB_PAYMENTS, RING_DURATION, TANGLE_PAYMENTS, PaymentColumns, rings
from tests.effort import by_effort

DAY = 86_400_000_000
Row = tuple[int, int, int, int]  # payer, payee, at, amount


def payment_columns(*rows: Row, parties: int = 6) -> PaymentColumns:
    columns = (
        (np.array(column, np.int64) for column in zip(*rows, strict=True)) if rows else [np.empty(0, np.int64)] * 4
    )
    return PaymentColumns(parties, *columns)


def rings_of(*rows: Row, **limits) -> list[list[int]]:
    """Return the rings without their padding."""
    return [[p for p in ring if p >= 0] for ring in rings(payment_columns(*rows), **limits).rings.tolist()]


RING = ((0, 1, 0, 100), (1, 2, DAY, 95), (2, 0, 3 * DAY, 90))


def test_a_ring_is_listed_once_from_its_lowest_party():
    assert rings_of(*RING) == [[0, 1, 2]]
    turned = ((0, 1, 3 * DAY, 100), (1, 2, 0, 95), (2, 0, DAY, 90))
    assert rings_of(*turned) == [[0, 1, 2]]
    assert rings_of(*RING, *turned) == [[0, 1, 2]]


def test_two_directions_around_the_same_parties_are_two_rings():
    back = ((0, 2, 0, 100), (2, 1, DAY, 95), (1, 0, 3 * DAY, 90))
    assert rings_of(*RING, *back) == [[0, 1, 2], [0, 2, 1]]
    assert rings(payment_columns(*RING, *back)).counts().tolist() == [2, 2, 2, 0, 0, 0]


def test_payments_out_of_order_are_no_ring_and_two_at_one_moment_are_in_order():
    assert (
        rings_of((0, 1, 0, 100), (1, 2, 2, 100), (2, 0, 1, 100)) == []
    )  # from any start, one step is backwards in time
    assert rings_of((0, 1, 2, 100), (1, 2, 1, 100), (2, 0, 0, 100)) == []
    assert rings_of((0, 1, 0, 100), (1, 2, 0, 100), (2, 0, 0, 100)) == [[0, 1, 2]]


@pytest.mark.parametrize(("last", "expected"), [(14 * DAY, [[0, 1, 2]]), (14 * DAY + 1, [])])
def test_fourteen_days_from_the_first_payment_to_the_last_are_within_time(last, expected):
    assert timedelta(days=14) == RING_DURATION
    assert rings_of((0, 1, 0, 100), (1, 2, DAY, 100), (2, 0, last, 100)) == expected


@pytest.mark.parametrize(("amount", "expected"), [(80, [[0, 1, 2]]), (79, []), (100, [[0, 1, 2]]), (0, [])])
def test_the_highest_amount_is_at_most_a_quarter_above_the_lowest(amount, expected):
    assert (AMOUNT_BAND.numerator, AMOUNT_BAND.denominator) == (5, 4)
    assert rings_of((0, 1, 0, 100), (1, 2, 1, 90), (2, 0, 2, amount)) == expected


def test_the_largest_amounts_compare_exactly():
    most = 10**15
    assert rings_of((0, 1, 0, most), (1, 2, 1, most), (2, 0, 2, most * 4 // 5)) == [[0, 1, 2]]
    assert rings_of((0, 1, 0, most), (1, 2, 1, most), (2, 0, 2, most * 4 // 5 - 1)) == []


def test_payments_of_nothing_make_no_ring():
    assert rings_of((0, 1, 0, 0), (1, 2, 1, 0), (2, 0, 2, 0)) == []


def test_rings_have_three_to_five_parties_or_the_requested_number():
    steps = [(i, i + 1, i, 100) for i in range(5)]
    assert rings_of((0, 1, 0, 100), (1, 0, 1, 100)) == []
    assert rings_of(*steps[:4], (4, 0, 4, 100)) == [[0, 1, 2, 3, 4]]
    assert rings_of(*steps, (5, 0, 5, 100)) == []
    assert rings_of(*steps, (5, 0, 5, 100), (2, 0, 2, 100), lengths=(6,)) == [[0, 1, 2, 3, 4, 5]]


def test_a_ring_passes_each_party_once():
    """0 -> 1 -> 2 -> 1 -> 0 goes through 1 twice."""
    assert rings_of((0, 1, 0, 9), (1, 2, 1, 9), (2, 1, 2, 9), (1, 0, 3, 9)) == []


def test_parties_with_too_many_payments_are_excluded_and_listed():
    busy = [(0, 5, i, 1) for i in range(HUB_PAYMENTS - 2)]
    assert rings_of(*RING, *busy) == [[0, 1, 2]]
    assert rings_of(*RING, *busy, (0, 5, 0, 1)) == []
    assert rings(payment_columns(*RING, *busy, (0, 5, 0, 1))).excluded.tolist() == [True] + 5 * [False]
    assert rings_of(*RING, *busy, (0, 5, 0, 1), hub=None) == [[0, 1, 2]]


@pytest.mark.parametrize(("gap", "excluded"), [(0, [0, 1]), (15 * DAY, [])])
def test_parties_in_a_tangle_are_excluded_and_listed(gap, excluded):
    """0 pays 1 thirty times and is paid once, 1 is paid thirty times and pays once: 31 in a fortnight, or fifteen days apart."""
    more = [(0, 1, gap * (i % 2), 100) for i in range(1, TANGLE_PAYMENTS)]
    payments = payment_columns(*RING, *more, (1, 2, DAY + gap, 100), (2, 0, 3 * DAY + gap, 100))
    assert np.flatnonzero(rings(payments).excluded).tolist() == excluded
    assert (rings(payments).counts()[:3] > 0).all() == (excluded == [])
    assert rings(payments, tangle=None).counts()[:3].tolist() == [1, 1, 1]


def test_many_payments_outside_any_ring_make_no_tangle():
    """No payment returns from 5. Payments to 3 return at once, so only two parties take part."""
    aside = [(0, 5, i, 100) for i in range(40)], [(0, 3, i, 7) for i in range(40)], [(3, 0, i, 7) for i in range(40)]
    assert rings(payment_columns(*RING, *(row for rows in aside for row in rows))).excluded.any() == np.False_
    assert rings_of(*RING, *(row for rows in aside for row in rows)) == [[0, 1, 2]]


def test_without_payments_there_are_no_rings():
    assert rings(payment_columns()).rings.shape == (0, 5)
    assert rings(payment_columns(parties=3)).counts().tolist() == [0, 0, 0]
    assert rings(payment_columns(parties=0)).counts().tolist() == []


def plain_rings(rows: list[Row], within: int, band: Fraction, lengths: tuple[int, ...]) -> set[tuple[int, ...]]:
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


@settings(max_examples=by_effort(66, 600), deadline=None)
@given(
    payments(),
    st.integers(0, 9),
    st.sampled_from([Fraction(1), Fraction(5, 4), Fraction(4)]),
    st.sampled_from([(3, 4, 5), (3,), (5,), (3, 4)]),
    st.sampled_from([1, 3, 10**6]),
)
def test_rings_equal_those_of_the_definition(rows, within, band, lengths, max_rows):
    expected = plain_rings(rows, within, band, lengths)
    with pytest.MonkeyPatch.context() as patch:  # pieces so small that there are many
        patch.setattr(ranges, "MAX_PIECE_ROWS", max_rows)
        limits = {"within": timedelta(microseconds=within), "band": band, "lengths": lengths, "tangle": None}
        assert {tuple(r) for r in rings_of(*rows, **limits)} == expected
