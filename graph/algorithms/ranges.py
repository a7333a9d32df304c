"""Expand many ranges of positions at once: a join over sorted arrays without a loop over rows.

    for each row i: for each position in start[i] .. start[i] + count[i] - 1

is `spread(start, count)`. Its result has as many entries as the counts sum to. Use `pieces` to cut the rows so that
each result fits in memory.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.signedinteger[Any]]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
MAX_PIECE_ROWS: Final = 4_000_000  # rows of one piece: a few hundred MB of columns


def spread(start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Return, for each position of each range, the index of its range and the position itself, in order of ranges.
    Cost: O(result).
    """
    owner = np.repeat(np.arange(len(count)), count)
    ends = np.cumsum(count)
    place = np.arange(len(owner)) - np.repeat(ends - count - start, count)
    return owner, place


def pieces(count: Ints, max_rows: int | None = None) -> Iterator[slice]:
    """Yield consecutive slices of the rows. The counts of a slice sum to at most `max_rows` (None: `MAX_PIECE_ROWS`),
    unless the slice is one row with a larger count.
    """
    ends = np.cumsum(count)
    first = 0
    while first < len(count):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + (max_rows or MAX_PIECE_ROWS), side="right")))
        yield slice(first, last)
        first = last
