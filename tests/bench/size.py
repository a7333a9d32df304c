"""Compute every feature and score of a random population of any size, from Parquet to Parquet: `python -m tests.bench.size [people ...]`.

For each number of people there are ten times as many payments, twice as many ties and as many instalments; the rest is in
`tests.random_population`. It is what `iftah build --evidence --out` does, checks of the evidence included. Each size runs in a process of
its own, for its own peak of memory. We show the largest stage by stage, and as a floor the time in which Polars alone reads the same
files and sums each payer's payments. Processor time is what to compare on a machine with other work.
"""

import json
import resource
import shutil
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

from api.features.file_build import FileQuestion, build_from_files
from api.releases.rules_folder import load_folder
from iftah.shipped_files import RULES
from tests import random_population

SIZES: Final = (10_000, 31_623, 100_000, 316_228, 1_000_000)
PAYMENTS, TIES = 10, 2  # a person
GOALS: Final = {2_000_000: "4,000 MB", 10_000_000: "18,000 MB in 480 s"}
_UNIT: Final = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class SizeStage:
    """A stage: its name, its seconds by the clock and of the processor, and the peak of memory by its end, in bytes."""

    name: str
    seconds: float
    processor: float
    peak: int


@dataclass(frozen=True)
class SizeFigure:
    """One size: the number of events, the seconds of the floor, the stages, and the numbers of people with features and of partitions."""

    people: int
    events: int
    floor: float
    floor_processor: float
    stages: tuple[SizeStage, ...]
    rows: int
    partitions: int

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(s.seconds for s in self.stages)

    @property
    def processor(self) -> float:
        """The processor time of all stages."""
        return sum(s.processor for s in self.stages)


def measure(folder: Path, people: int) -> SizeFigure:
    """The features and scores of the population in `folder`, in this process; the floor comes last, when the peak is known."""
    begin, cpu, stages, current = time.perf_counter(), time.process_time(), list[SizeStage](), ["evidence counted"]

    def stage(name: str, *_: int) -> None:
        nonlocal begin, cpu
        if name != current[0]:
            now, cpu_now = time.perf_counter(), time.process_time()
            stages.append(SizeStage(current[0], now - begin, cpu_now - cpu, _peak()))
            begin, cpu, current[0] = now, cpu_now, name

    evidence, out = folder / "evidence", folder / "out"
    shutil.rmtree(out, ignore_errors=True)  # nothing goes on from an earlier run
    release = load_folder(RULES)
    question = FileQuestion(random_population.END, random_population.END, "perks", release, evidence, out)
    figures = build_from_files(question, stage)
    stage("")
    begin, cpu = time.perf_counter(), time.process_time()
    random_population.events(evidence).filter(kind="payment.made").group_by("subject").agg(
        pl.col("amount").sum()
    ).collect()
    floor, floor_cpu = time.perf_counter() - begin, time.process_time() - cpu
    return SizeFigure(people, figures.events, floor, floor_cpu, tuple(stages), figures.people, figures.partitions)


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
    payments, ties = last.people * PAYMENTS, last.people * TIES
    title = f"{last.people:,} people, {payments:,} payments, {ties:,} ties, in {last.partitions} partitions"
    stages = Table("stage", "seconds", "processor s", "MB so far", title=title, title_justify="left")
    for s in last.stages:
        stages.add_row(s.name, f"{s.seconds:.1f}", f"{s.processor:.1f}", f"{s.peak / 1e6:,.0f}")
    peak = last.stages[-1].peak
    stages.add_row("all", f"{last.seconds:.1f}", f"{last.processor:.1f}", f"{peak / 1e6:,.0f}", style="bold")
    yield stages
    columns = ("people", "events", "seconds", "processor s", "people/s", "of the floor", "peak MB", "goal")
    growth = Table(*columns, title="how it grows", title_justify="left")
    for figure in figures:
        growth.add_row(
            f"{figure.people:,}",
            f"{figure.events:,}",
            f"{figure.seconds:.2f}",
            f"{figure.processor:.2f}",
            f"{figure.rows / figure.seconds:,.0f}",
            f"{figure.processor / figure.floor_processor:.1f} times",
            f"{figure.stages[-1].peak / 1e6:,.0f}",
            GOALS.get(figure.people, ""),
        )
    yield growth


def main(arguments: list[str]) -> None:
    """Print both tables; or do one step in this process."""
    match arguments:
        case ["write", folder, people]:
            random_population.write(Path(folder) / "evidence", int(people), int(people) * PAYMENTS, int(people) * TIES)
        case ["measure", folder, people]:
            print(json.dumps(asdict(measure(Path(folder), int(people)))))
        case sizes:
            for table in tables([_in_subprocess(int(n)) for n in sizes or SIZES]):
                for column in table.columns[1:]:
                    column.justify = "right"
                Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
