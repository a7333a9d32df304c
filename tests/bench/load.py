"""Compare the speed of loading payments into the ledger with a bare `executemany` of the same columns: `python -m tests.bench.load`.

The bare runs get their rows as Python tuples and a table without triggers. Only ours read the file, check each row, and maintain the
ledger's key and its two indexes. All SQLite files have the same settings; we compare PostgreSQL's runs with a bare COPY. We take the
best of `repeats` in turns, because a shared machine is slower at some times than at others.
"""

import argparse
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import polars as pl
import psycopg
from rich.console import Console
from rich.table import Table

from api.evidence.load import load_file
from api.store.database import open_database
from graph.evidence.events import SCHEMA

POSTGRES = os.environ.get("IFTAH_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
KEY = "CREATE UNIQUE INDEX one_event_id ON events (contributor, event_id)"
PERSONS = ("CREATE INDEX of_subject ON events (subject)", "CREATE INDEX of_other ON events (other)")
BARE = "bare executemany, no index"
BARE_KEY = "bare executemany, the unique key"
COPY = "bare COPY, no index, PostgreSQL"
LOAD_ONE = "import sys; from tests.bench.load import measure_load; print(measure_load(sys.argv[1], sys.argv[2]))"


def payments(rows: int) -> pl.DataFrame:
    """Payments of a twentieth as many people as rows, at a thousandth as many shops. Drawn with a fixed seed."""
    number = pl.int_range(rows, eager=True)
    person, shop, amount = (number.shuffle(seed=s) for s in (1, 2, 3))
    return pl.select(
        contributor=pl.lit("bank-of-the-town"),
        event_id=pl.format("payment-{}", number.cast(pl.String).str.zfill(9)),
        kind=pl.lit("payment.made"),
        subject=pl.format("person-{}", person % (rows // 20 + 1)),
        other=pl.format("shop-{}", shop % (rows // 1000 + 1)),
        happened_at=(1_600_000_000_000_000 + number * 1_000_000).cast(SCHEMA["happened_at"]),
        amount=amount,
        currency=pl.lit("CNY"),
        category=pl.lit(pl.Series(["groceries", "dining", "transport"])).get(number % 3),
        channel=pl.lit(pl.Series(["card", "transfer"])).get(number % 2),
    )


def bare(folder: Path, frame: pl.DataFrame, indexes: tuple[str, ...]) -> float:
    """Seconds of one `executemany` in one transaction, into a table with all columns of the ledger's."""
    rows = frame.with_columns(happened_at=pl.col("happened_at").to_physical(), recorded_at=pl.lit(0)).rows()
    columns = [*frame.columns, "recorded_at"]
    connection = sqlite3.connect(folder / f"bare-{uuid4().hex}.db", isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute(f"CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, {', '.join(map(repr, SCHEMA))})")
    for index in indexes:
        connection.execute(index)
    sql = f"INSERT INTO events ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    start = time.perf_counter()
    connection.execute("BEGIN")
    connection.executemany(sql, rows)
    connection.execute("COMMIT")
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def measure_load(url: str, path: str) -> str:
    """Seconds of the whole load and the process's peak memory in MB; runs in a process of its own."""
    database = open_database(url)
    start = time.perf_counter()
    load_file(database, Path(path), now=lambda: datetime.now(UTC))
    seconds = time.perf_counter() - start
    database.dispose()
    peak = re.search(
        r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()
    )  # getrusage would count the parent's, too
    return f"{seconds} {int(peak[1]) / 1000 if peak else float('nan')}"


def _load_in_subprocess(url: str, path: Path) -> tuple[float, float]:
    completed = subprocess.run(
        [sys.executable, "-c", LOAD_ONE, url, str(path)], capture_output=True, text=True, check=True
    )
    seconds, memory = completed.stdout.split()
    return float(seconds), float(memory)


def _load_on_postgres(path: Path) -> tuple[float, float]:
    name = f"iftah_bench_{uuid4().hex}"
    with psycopg.connect(POSTGRES, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            return _load_in_subprocess(POSTGRES.rpartition("/")[0] + f"/{name}", path)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _copy(frame: pl.DataFrame) -> tuple[float, float]:
    """Seconds of a bare COPY of the same columns into a table without an index."""
    rows = frame.with_columns(happened_at=pl.col("happened_at").to_physical())
    text = rows.write_csv(include_header=False).encode()
    columns = ", ".join(f"{c} {'text' if t == pl.String else 'bigint'}" for c, t in rows.schema.items())
    with psycopg.connect(POSTGRES) as connection:
        connection.execute(f"CREATE TEMP TABLE bare ({columns})")
        start = time.perf_counter()
        with connection.cursor().copy("COPY bare FROM STDIN (FORMAT csv)") as copy:
            copy.write(text)
        connection.commit()
        return time.perf_counter() - start, float("nan")


def _postgres_answers() -> bool:
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def run(rows: int = 500_000, repeats: int = 3) -> dict[str, tuple[float, float]]:
    """Best seconds, and peak MB where the run has a process of its own, by name."""
    frame = payments(rows)
    best: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame.write_parquet(folder / "p.parquet")
        frame.with_columns(pl.col("happened_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv(folder / "p.csv")
        for _ in range(repeats):
            for case, measure in _cases(folder, frame).items():
                result = measure()
                best[case] = min(best.get(case, result), result, key=lambda pair: pair[0])
    return best


def _cases(folder: Path, frame: pl.DataFrame) -> dict[str, Callable[[], tuple[float, float]]]:
    def into(file: str) -> Callable[[], tuple[float, float]]:
        return lambda: _load_in_subprocess(f"sqlite:///{folder / uuid4().hex}.db", folder / file)

    def plain(*indexes: str) -> Callable[[], tuple[float, float]]:
        return lambda: (bare(folder, frame, indexes), float("nan"))

    cases = {
        BARE: plain(),
        BARE_KEY: plain(KEY),
        "bare executemany, the key and both indexes": plain(KEY, *PERSONS),
        "ours from Parquet, SQLite": into("p.parquet"),
        "ours from CSV, SQLite": into("p.csv"),
    }
    if _postgres_answers():
        cases[COPY] = lambda: _copy(frame)
        cases["ours from Parquet, PostgreSQL"] = lambda: _load_on_postgres(folder / "p.parquet")
    return cases


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description="bulk load of payments, beside a bare executemany")
    arguments.add_argument("--rows", type=int, default=500_000)
    arguments.add_argument("--repeats", type=int, default=3)
    options = arguments.parse_args()
    best = run(options.rows, options.repeats)
    table = Table("run", "seconds", "rows/s", "of bare", "of bare + key", "peak MB", title=f"{options.rows:,} payments")
    none, key, copy = (best.get(case, (float("nan"),))[0] for case in (BARE, BARE_KEY, COPY))
    for case, (seconds, memory) in best.items():
        baselines = (copy, float("nan")) if "PostgreSQL" in case else (none, key)
        ratios = (f"{bare / seconds:.2f}".replace("nan", "") for bare in baselines)
        peak = f"{memory:.0f}".replace("nan", "")
        table.add_row(case, f"{seconds:.2f}", f"{options.rows / seconds:,.0f}", *ratios, peak)
    Console().print(table)


if __name__ == "__main__":
    main()
