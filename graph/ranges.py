"""Many ranges of positions at once: what a join over sorted arrays comes to, without a loop over rows.

    for each row i: for each position in start[i] .. start[i] + count[i] - 1

is `spread(start, count)`. Its result is as long as the counts' sum; `pieces` cuts the rows so that it fits in memory.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.signedinteger[Any]]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
MOST_ROWS: Final = 4_000_000  # of a piece: a few hundred MB of columns


def spread(start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """For each position of each range, `which` range it is of and the `place` itself; ranges in order. O(result)."""
    which = np.repeat(np.arange(len(count)), count)
    ends = np.cumsum(count)
    place = np.arange(len(which)) - np.repeat(ends - count - start, count)
    return which, place


def pieces(count: Ints, most: int | None = None) -> Iterator[slice]:
    """Consecutive slices of the rows, whose counts come to at most `most` (None: `MOST_ROWS`), or of one row that has more."""
    ends = np.cumsum(count)
    first = 0
    while first < len(count):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + (most or MOST_ROWS), side="right")))
        yield slice(first, last)
        first = last
