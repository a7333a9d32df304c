"""Every feature of the catalogue, for a crowd of any size, from Parquet: `python -m tests.bench.size [people ...]`.

For each number of people ten times as many payments, twice as many ties and as many instalments; the rest of the crowd is
in `tests.crowd`. Each size has a process of its own, so that its peak memory is its own. The largest is told stage by
stage. The measure beside it: reading the same files, and summing each payer's payments, by Polars alone.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import polars as pl
from rich.console import Console
from rich.table import Table

import graph
from graph.features import features
from tests import crowd

SIZES: Final = (10_000, 31_623, 100_000, 316_228, 1_000_000)
PAYMENTS, TIES = 10, 2  # a person
_UNIT: Final = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Stage:
    """What was done, the seconds it took, and the peak of memory by its end, in bytes, the interpreter included."""

    name: str
    seconds: float
    peak: int


@dataclass(frozen=True)
class Figure:
    """One size: how many events there were, what the floor took, the stages, and how many people have features."""

    people: int
    events: int
    floor: float
    stages: tuple[Stage, ...]
    rows: int

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(s.seconds for s in self.stages)


def measured(folder: Path, people: int) -> Figure:
    """The features of the crowd in `folder`, in this process."""
    begin, stages = time.perf_counter(), list[Stage]()

    def stage(name: str) -> None:
        nonlocal begin
        now = time.perf_counter()
        stages.append(Stage(name, now - begin, _peak()))
        begin = now

    found = features(crowd.events(folder), crowd.END, crowd.END, "perks", on_stage=stage)
    assert found.columns == ["person", *(f.name for f in graph.schema())]
    begin = time.perf_counter()
    events = crowd.events(folder).select(pl.len()).collect().item()
    crowd.events(folder).filter(kind="payment.made").group_by("subject").agg(pl.col("amount").sum()).collect()
    return Figure(people, events, time.perf_counter() - begin, tuple(stages), found.height)


def _apart(people: int) -> Figure:
    """The same in a process of its own, from files that are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        for what in ("write", "measure"):
            command = [sys.executable, "-m", "tests.bench.size", what, folder, str(people)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    read = json.loads(done.stdout)
    return Figure(**{**read, "stages": tuple(Stage(**s) for s in read["stages"])})


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def tables(found: list[Figure]) -> Iterator[Table]:
    """The stages of the largest, and how time and memory grow."""
    last = found[-1]
    title = f"{last.people:,} people, {last.people * PAYMENTS:,} payments, {last.people * TIES:,} ties: {len(graph.schema())} features"
    stages = Table("stage", "seconds", "MB so far", title=title, title_justify="left")
    for s in last.stages:
        stages.add_row(s.name, f"{s.seconds:.1f}", f"{s.peak / 1e6:,.0f}")
    stages.add_row("all", f"{last.seconds:.1f}", f"{last.stages[-1].peak / 1e6:,.0f}", style="bold")
    yield stages
    grown = Table(
        "people", "events", "seconds", "people/s", "of the floor", "peak MB", title="how it grows", title_justify="left"
    )
    for f in found:
        of = f"{f.seconds / f.floor:.1f} times"
        grown.add_row(
            f"{f.people:,}",
            f"{f.events:,}",
            f"{f.seconds:.2f}",
            f"{f.rows / f.seconds:,.0f}",
            of,
            f"{f.stages[-1].peak / 1e6:,.0f}",
        )
    yield grown


def main(arguments: list[str]) -> None:
    """Print both tables; or do one step in this process."""
    match arguments:
        case ["write", folder, people]:
            crowd.write(Path(folder), int(people), int(people) * PAYMENTS, int(people) * TIES)
        case ["measure", folder, people]:
            print(json.dumps(asdict(measured(Path(folder), int(people)))))
        case sizes:
            for table in tables([_apart(int(n)) for n in sizes or SIZES]):
                for column in table.columns[1:]:
                    column.justify = "right"
                Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
