import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graph.algorithms.ranges import pieces, spread

COUNTS = st.lists(st.integers(0, 5), max_size=12)


@given(COUNTS, st.data())
def test_spread_lists_the_positions_of_each_range_in_turn(counts, data):
    starts = [data.draw(st.integers(0, 20)) for _ in counts]
    owner, place = spread(np.array(starts, np.int64), np.array(counts, np.int64))
    expected = [(i, s + k) for i, (s, c) in enumerate(zip(starts, counts, strict=True)) for k in range(c)]
    assert list(zip(owner.tolist(), place.tolist(), strict=True)) == expected


@given(COUNTS, st.integers(1, 8))
def test_pieces_are_all_rows_in_order_each_small_enough_or_a_single_row(counts, most):
    cut = list(pieces(np.array(counts, np.int64), most))
    assert [row for piece in cut for row in range(len(counts))[piece]] == list(range(len(counts)))
    assert all(sum(counts[piece]) <= most or piece.stop - piece.start == 1 for piece in cut)
