"""Work in pieces, in several processes."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final, TypeVar

MOST_WORKERS: Final = 4
Given = TypeVar("Given")
Made = TypeVar("Made")
Progress = Callable[[int, int], None]  # told how much is done, and of how much


def most() -> int:
    """One process a core, at most four."""
    return min(os.cpu_count() or 1, MOST_WORKERS)


def mapped(work: Callable[[Given], Made], pieces: Sequence[Given], workers: int) -> Iterator[Made]:
    """What `work` makes of each piece, in order, in that many processes (1: in this one).

    They are spawned: Polars' threads do not survive a fork. So `work` is a function of a module.
    """
    if min(workers, len(pieces)) <= 1:
        yield from map(work, pieces)
        return
    with ProcessPoolExecutor(min(workers, len(pieces)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, pieces)
