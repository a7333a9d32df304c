"""Compute every feature and score with Spark in local mode beside Polars: `python -m tests.bench.spark [people ... [/ partitions ...]]`.

Both read the same Parquet files of `tests.random_population`, each in a process of its own. The first table has one row a size, the second the largest
size by partitions of people. Memory and processor time are those of the process and of all that it starts (Java, and Python on its
executors), sampled twice a second: the memory at its peak, where shared pages count once. The ratio is that of processor time.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl
from rich.console import Console
from rich.table import Table

from api.features.spark_session import check_java, check_spark
from engine.errors import Rejected
from tests import random_population
from tests.bench.size import PAYMENTS, TIES

PEOPLE: Final = (2_000, 20_000)
PARTITIONS: Final = (2, 4, 8)
SPARK: Final = {"spark.driver.memory": "6g", "spark.sql.shuffle.partitions": "2"}
SAMPLE_SECONDS: Final = 0.5
LATER: Final = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SparkFigure:
    """One computation: people, events, partitions, seconds (of Spark also those before the first stage), and bytes at the peak."""

    engine: str
    people: int
    events: int
    partitions: int
    seconds: float
    start: float
    processor: float
    peak: int


@dataclass
class Usage:
    """What this process and its descendants have used: the largest memory in bytes, and processor time in seconds."""

    peak: int = 0
    processor: float = 0


@contextmanager
def measured_usage() -> Iterator[Usage]:
    """Sample the usage while the block runs."""
    usage, is_over = Usage(), threading.Event()

    def sample() -> None:
        processes = _descendants(os.getpid())
        usage.peak = max(usage.peak, sum(map(_memory, processes)))
        usage.processor = max(usage.processor, sum(map(_processor_time, processes)))

    def sample_often() -> None:
        while not is_over.wait(SAMPLE_SECONDS):
            sample()

    thread = threading.Thread(target=sample_often)
    thread.start()
    try:
        yield usage
    finally:
        sample()
        is_over.set()
        thread.join()


def _descendants(pid: int) -> list[int]:
    try:
        children = [c for p in Path(f"/proc/{pid}/task").iterdir() for c in (p / "children").read_text().split()]
    except OSError:  # it has ended
        return []
    return [pid, *(d for child in children for d in _descendants(int(child)))]


def _memory(pid: int) -> int:
    """Its share of memory, in bytes: pages that several processes use count once in all."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)


def _processor_time(pid: int) -> float:
    """Its processor time and that of its children that ended, in seconds."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def with_polars(folder: Path, people: int) -> SparkFigure:
    """The features and scores by Polars."""
    import narwhals as nw

    from engine.lang.engines import columnar
    from iftah.shipped import shipped_program
    from tests.shipped_features import features

    program, begin = shipped_program(), time.perf_counter()
    with measured_usage() as usage:
        events, end = random_population.events(folder), random_population.END
        table = features(events, end, LATER, "perks")
        scored = columnar.score(program, nw.from_native(table.lazy()), program.day(end), reasons=False)
        assert scored.to_native().select("person", "score").collect().height == people
        count = events.select(pl.len()).collect().item()
        seconds = time.perf_counter() - begin
    return SparkFigure("Polars", people, count, 1, seconds, 0, usage.processor, usage.peak)


def with_spark(folder: Path, people: int, partitions: int) -> SparkFigure:
    """The same by Spark in local mode, written as Parquet."""
    from api.features.spark_build import SparkQuestion, build_with_spark
    from api.features.spark_session import LOCAL, session_of_build
    from api.releases import rules_folder
    from tests.paths import ROOT

    release, begin, stages = rules_folder.load_folder(ROOT / "rules"), time.perf_counter(), list[float]()
    out = str(folder / "out")
    moments = random_population.END, LATER
    question = SparkQuestion(*moments, "perks", release, str(folder / "*.parquet"), out, f"{out}/stages", partitions)
    with measured_usage() as usage, session_of_build(LOCAL, SPARK) as session:
        figures = build_with_spark(session, question, lambda _: stages.append(time.perf_counter()))
    seconds, start = time.perf_counter() - begin, stages[0] - begin
    assert figures.people == people
    return SparkFigure("Spark", people, figures.events, partitions, seconds, start, usage.processor, usage.peak)


def spark_absent() -> str:
    """Why Spark cannot run here; empty if it can."""
    try:
        check_spark()
        check_java()
    except Rejected as error:
        return str(error)
    return ""


def _in_subprocess(folder: str, engine: str, people: int, partitions: int) -> SparkFigure:
    command = [sys.executable, "-m", "tests.bench.spark", "--one", engine, folder, str(people), str(partitions)]
    completed = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return SparkFigure(**json.loads(completed.stdout.splitlines()[-1]))


def table(title: str, figures: list[SparkFigure]) -> Table:
    """The figures, each with its processor time as a multiple of the first."""
    columns = ("engine", "events", "parts", "seconds", "to start", "CPU s", "of Polars", "peak MB")
    rows = Table(title=title, title_justify="left")
    for name in columns:
        rows.add_column(name, no_wrap=True, justify="left" if name == "engine" else "right")
    for f in figures:
        times = (
            f"{f.seconds:.1f}",
            f"{f.start:.1f}",
            f"{f.processor:.1f}",
            f"{f.processor / figures[0].processor:.1f}",
        )
        rows.add_row(f.engine, f"{f.events:,}", f"{f.partitions}", *times, f"{f.peak / 1e6:,.0f}")
    return rows


def main(sizes: list[int], partitions: list[int]) -> None:
    """Print both tables."""
    for people in sizes:
        with tempfile.TemporaryDirectory() as folder:
            random_population.write(Path(folder), people, people * PAYMENTS, people * TIES)
            figures = [_in_subprocess(folder, "polars", people, 1)]
            counts = [] if (absent := spark_absent()) else partitions if people == sizes[-1] else partitions[:1]
            figures += [_in_subprocess(folder, "spark", people, n) for n in counts]
        Console().print(table(f"Spark in local mode beside Polars, {people:,} people", figures))
        if absent:
            print(f"Spark was left out: {absent}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--one", engine, folder, people, partitions]:
            run = with_polars(Path(folder), int(people)) if engine == "polars" else None
            print(json.dumps(asdict(run or with_spark(Path(folder), int(people), int(partitions)))))
        case words:
            cut = words.index("/") if "/" in words else len(words)
            chosen = [int(w) for w in words[:cut]], [int(w) for w in words[cut + 1 :]]
            main(chosen[0] or list(PEOPLE), chosen[1] or list(PARTITIONS))
