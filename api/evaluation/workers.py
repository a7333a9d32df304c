"""Map a function over pieces of work in several processes."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final, TypeVar

MAX_WORKERS: Final = 4
PieceT = TypeVar("PieceT")
ResultT = TypeVar("ResultT")
Progress = Callable[[int, int], None]  # called with the amount done, and the total


def default_workers() -> int:
    """One process per core, at most `MAX_WORKERS`."""
    return min(os.cpu_count() or 1, MAX_WORKERS)


def map_pieces(work: Callable[[PieceT], ResultT], pieces: Sequence[PieceT], workers: int) -> Iterator[ResultT]:
    """Yield `work` of each piece, in order, from that many processes (1: in this process).

    We spawn the processes, because Polars' threads do not survive a fork. So `work` must be a function of a module.
    """
    if min(workers, len(pieces)) <= 1:
        yield from map(work, pieces)
        return
    with ProcessPoolExecutor(min(workers, len(pieces)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, pieces)
