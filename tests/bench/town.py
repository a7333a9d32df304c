"""Measure the time and memory of a town of a million: `python -m tests.bench.town [people payments]`.

Each line runs in a fresh process, for its own peak of memory. The floor is NumPy drawing as many columns of random numbers as a
payment has fields (payer, merchant, day, clock, amount, category, channel), in frames of the same size.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from graph.datasets.town import town

PEOPLE: Final = 1_000_000
PAYMENTS: Final = 10_000_000
_FRAME: Final = 1_000_000
_FIELDS: Final = 7
_MAC: Final = sys.platform == "darwin"


@dataclass(frozen=True)
class TownFigure:
    """One measurement: seconds of wall time, rows made, peak resident memory in bytes, the interpreter included."""

    name: str
    seconds: float
    rows: int
    peak: int


def run(people: int = PEOPLE, payments: int = PAYMENTS) -> list[TownFigure]:
    """The floor and the town, one after the other, each in a process of its own."""
    return [_in_subprocess(name, people, payments) for name in _WORK]


def main(people: int = PEOPLE, payments: int = PAYMENTS) -> None:
    """Print the figures as a table."""
    figures = run(people, payments)
    floor = figures[0].rows / figures[0].seconds
    title = f"{people:,} people, {payments:,} payments"
    table = Table("what", "seconds", "rows", "rows/s", "of the floor", "peak MB", title=title)
    for figure in figures:
        rate = figure.rows / figure.seconds
        ratio, peak = f"{rate / floor:.2f}", f"{figure.peak / 1e6:,.0f}"
        table.add_row(figure.name, f"{figure.seconds:.1f}", f"{figure.rows:,}", f"{rate:,.0f}", ratio, peak)
    Console().print(table)


def _floor(people: int, payments: int) -> int:
    rng = np.random.default_rng(0)
    for first in range(0, payments, _FRAME):
        np.column_stack([rng.random(min(_FRAME, payments - first)) for _ in range(_FIELDS)])
    return payments


def _town(people: int, payments: int) -> int:
    return sum(frame.height for frame in town(people, seed=1, payments=payments).events())


_WORK: Final[dict[str, Callable[[int, int], int]]] = {"numpy, bare columns": _floor, "town, all events": _town}


def _measure(name: str, people: int, payments: int) -> TownFigure:
    started_at = time.perf_counter()
    rows = _WORK[name](people, payments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if _MAC else 1024)
    return TownFigure(name, time.perf_counter() - started_at, rows, peak)


def _in_subprocess(name: str, people: int, payments: int) -> TownFigure:
    command = [sys.executable, "-m", "tests.bench.town", "--one", name, str(people), str(payments)]
    completed = subprocess.run(command, check=True, capture_output=True, text=True)
    return TownFigure(**json.loads(completed.stdout))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(asdict(_measure(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))))
    else:
        main(*(int(a) for a in sys.argv[1:3]))
