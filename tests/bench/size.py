"""Compute every feature for a random population of any size, from Parquet: `python -m tests.bench.size [people ...]`.

For each number of people there are ten times as many payments, twice as many ties and as many instalments; the rest is in
`tests.random_population`. Each size runs in a process of its own, for its own peak of memory. We show the largest stage by stage, and
as a floor the time in which Polars alone reads the same files and sums each payer's payments.
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

import iftah
from tests import random_population
from tests.shipped_features import features

SIZES: Final = (10_000, 31_623, 100_000, 316_228, 1_000_000)
PAYMENTS, TIES = 10, 2  # a person
_UNIT: Final = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class SizeStage:
    """A stage: its name, its seconds, and the peak of memory by its end, in bytes, with the interpreter."""

    name: str
    seconds: float
    peak: int


@dataclass(frozen=True)
class SizeFigure:
    """One size: the number of events, the figures of the floor, the stages, and the number of people with features."""

    people: int
    events: int
    floor: float
    stages: tuple[SizeStage, ...]
    rows: int

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(s.seconds for s in self.stages)


def measure(folder: Path, people: int) -> SizeFigure:
    """The features of the population in `folder`, in this process."""
    begin, stages = time.perf_counter(), list[SizeStage]()

    def stage(name: str) -> None:
        nonlocal begin
        now = time.perf_counter()
        stages.append(SizeStage(name, now - begin, _peak()))
        begin = now

    feature_table = features(
        random_population.sources(folder), random_population.END, random_population.END, "perks", on_stage=stage
    )
    assert feature_table.columns == ["person", *(f.name for f in iftah.FEATURES)]
    begin = time.perf_counter()
    events = random_population.events(folder).select(pl.len()).collect().item()
    random_population.events(folder).filter(kind="payment.made").group_by("subject").agg(
        pl.col("amount").sum()
    ).collect()
    return SizeFigure(people, events, time.perf_counter() - begin, tuple(stages), feature_table.height)


def _in_subprocess(people: int) -> SizeFigure:
    """The same in a process of its own, from temporary files."""
    with tempfile.TemporaryDirectory() as folder:
        for step in ("write", "measure"):
            command = [sys.executable, "-m", "tests.bench.size", step, folder, str(people)]
            completed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    payload = json.loads(completed.stdout)
    return SizeFigure(**{**payload, "stages": tuple(SizeStage(**s) for s in payload["stages"])})


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def tables(figures: list[SizeFigure]) -> Iterator[Table]:
    """The stages of the largest, and how time and memory grow."""
    last = figures[-1]
    title = f"{last.people:,} people, {last.people * PAYMENTS:,} payments, {last.people * TIES:,} ties: {len(iftah.FEATURES)} features"
    stages = Table("stage", "seconds", "MB so far", title=title, title_justify="left")
    for s in last.stages:
        stages.add_row(s.name, f"{s.seconds:.1f}", f"{s.peak / 1e6:,.0f}")
    stages.add_row("all", f"{last.seconds:.1f}", f"{last.stages[-1].peak / 1e6:,.0f}", style="bold")
    yield stages
    growth = Table(
        "people", "events", "seconds", "people/s", "of the floor", "peak MB", title="how it grows", title_justify="left"
    )
    for figure in figures:
        ratio = f"{figure.seconds / figure.floor:.1f} times"
        growth.add_row(
            f"{figure.people:,}",
            f"{figure.events:,}",
            f"{figure.seconds:.2f}",
            f"{figure.rows / figure.seconds:,.0f}",
            ratio,
            f"{figure.stages[-1].peak / 1e6:,.0f}",
        )
    yield growth


def main(arguments: list[str]) -> None:
    """Print both tables; or do one step in this process."""
    match arguments:
        case ["write", folder, people]:
            random_population.write(Path(folder), int(people), int(people) * PAYMENTS, int(people) * TIES)
        case ["measure", folder, people]:
            print(json.dumps(asdict(measure(Path(folder), int(people)))))
        case sizes:
            for table in tables([_in_subprocess(int(n)) for n in sizes or SIZES]):
                for column in table.columns[1:]:
                    column.justify = "right"
                Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
