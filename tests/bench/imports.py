"""Compare the speed of `iftah import` with reading by Polars and appending the same events: `python -m tests.bench.imports`.

The bare runs know the file: Polars reads it, one expression makes the events, and the ledger appends them batch by batch, or loads
them as a file of events is loaded: that drops two indexes and builds them at the end, as ours does. Ours also finds wrong rows and their lines, and reports progress. Each run is a process of its own with a new database. We take the
best of `repeats` in turns, because a shared machine is slower at some times than at others.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import polars as pl
from rich.console import Console
from rich.table import Table

from api.evidence import ledger
from api.evidence.imports.event_targets import event_targets
from api.evidence.imports.file_sources import open_file
from api.evidence.imports.importing import import_source, plan_import, read_map
from api.evidence.load import load_frames
from api.evidence.reading import BATCH_ROWS
from api.store.database import open_database
from graph.evidence.vocabulary import STANDARD

MAP = """\
kind: map
set:
  contributor: {value: bank-of-the-town}
  happened_at: {column: Booked, format: "%d/%m/%Y %H:%M:%S", zone: UTC}
events:
  - kind: payment.made
    when: amount > 0
    set:
      event_id: "payment-{number}"
      subject: payer
      other: payee
      amount: {column: amount, scale: currency}
      currency: currency
      category: {column: sort, lookup: {g: groceries, d: dining, t: transport}}
"""
BARE = "Polars and append"
BULK = "Polars and bulk load"
IMPORT = "iftah import"
RUN_ONE = "import sys; from tests.bench.imports import measure; print(*measure(*sys.argv[1:]))"


def write_payments(rows: int, path: Path) -> None:
    """Payments of a twentieth as many people as rows, as a bank may export them. Drawn with a fixed seed."""
    number = pl.int_range(rows, eager=True)
    person, shop, amount = (number.shuffle(seed=s) for s in (1, 2, 3))
    frame = pl.select(
        number=number,
        Booked=(1_600_000_000_000_000 + number * 1_000_000).cast(pl.Datetime("us")).dt.strftime("%d/%m/%Y %H:%M:%S"),
        payer=pl.format("person-{}", person % (rows // 20 + 1)),
        payee=pl.format("shop-{}", shop % (rows // 1000 + 1)),
        amount=pl.format("{}.{}", amount // 100 + 1, (amount % 100).cast(pl.String).str.zfill(2)).cast(pl.Float64),
        currency=pl.lit("CNY"),
        sort=pl.lit(pl.Series(["g", "d", "t"])).get(number % 3),
    )
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)


def bare_frames(path: Path) -> Iterator[pl.DataFrame]:
    """The file's events, batch by batch, as somebody writes it who knows the file."""
    scan = pl.scan_parquet(path) if path.suffix == ".parquet" else pl.scan_csv(path)
    events = scan.select(
        contributor=pl.lit("bank-of-the-town"),
        event_id=pl.format("payment-{}", "number"),
        kind=pl.lit("payment.made"),
        subject="payer",
        other="payee",
        happened_at=pl.col("Booked").str.to_datetime("%d/%m/%Y %H:%M:%S", time_unit="us").dt.replace_time_zone("UTC"),
        amount=(pl.col("amount") * 100).round().cast(pl.Int64),
        currency="currency",
        category=pl.col("sort").replace_strict({"g": "groceries", "d": "dining", "t": "transport"}),
    ).collect()
    yield from events.iter_slices(BATCH_ROWS)


def _import(url: str, path: Path) -> int:
    import_map, problems = read_map(path.with_name("map.yaml"), event_targets(STANDARD))
    database = open_database(url)
    with open_file(path) as source:
        plan = plan_import(import_map, problems, STANDARD, source)
        accepted = import_source(database, source, plan, (), now=lambda: datetime.now(UTC)).accepted
    database.dispose()
    return accepted


def _append(url: str, path: Path) -> int:
    database = open_database(url)
    accepted = sum(ledger.append(database, frame, datetime.now(UTC)).accepted for frame in bare_frames(path))
    database.dispose()
    return accepted


def _bulk(url: str, path: Path) -> int:
    database = open_database(url)
    frames = list(bare_frames(path))
    rows = sum(frame.height for frame in frames)
    accepted = load_frames(database, frames, now=lambda: datetime.now(UTC), expected=rows).accepted
    database.dispose()
    return accepted


def measure(case: str, url: str, file: str) -> tuple[int, float, float]:
    """Accepted events, seconds and the process's peak memory in MB."""
    open_database(url).dispose()  # both find the tables in place
    start = time.perf_counter()
    accepted = {IMPORT: _import, BARE: _append, BULK: _bulk}[case](url, Path(file))
    seconds = time.perf_counter() - start
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return accepted, seconds, int(peak[1]) / 1000 if peak else float("nan")


def _in_subprocess(case: str, folder: Path, file: str, rows: int) -> tuple[float, float]:
    url = f"sqlite:///{folder / uuid4().hex}.db"
    command = [sys.executable, "-c", RUN_ONE, case, url, str(folder / file)]
    completed = subprocess.run(command, capture_output=True, text=True, check=True)
    accepted, seconds, memory = completed.stdout.split()
    if int(accepted) != rows:
        raise RuntimeError(f"{case} of {file}: {accepted} of {rows} rows were accepted")
    return float(seconds), float(memory)


def run(rows: int, repeats: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Best seconds and their peak MB, by file and case."""
    best: dict[tuple[str, str], tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "map.yaml").write_text(MAP)
        for file in ("p.csv", "p.parquet"):
            write_payments(rows, folder / file)
        for _ in range(repeats):
            for file in ("p.csv", "p.parquet"):
                for case in (BARE, BULK, IMPORT):
                    result = _in_subprocess(case, folder, file, rows)
                    best[file, case] = min(best.get((file, case), result), result)
    return best


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description="import of payments, beside Polars and a bare append")
    arguments.add_argument("--rows", type=int, default=500_000)
    arguments.add_argument("--repeats", type=int, default=3)
    options = arguments.parse_args()
    best = run(options.rows, options.repeats)
    table = Table(
        "file",
        "run",
        "seconds",
        "rows/s",
        "of the rate",
        "of bulk",
        "peak MB",
        title=f"{options.rows:,} payments, SQLite",
    )
    for (file, case), (seconds, memory) in best.items():
        ratios = (f"{best[file, base][0] / seconds:.2f}" for base in (BARE, BULK))
        table.add_row(file, case, f"{seconds:.2f}", f"{options.rows / seconds:,.0f}", *ratios, f"{memory:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
