"""Files of events for the ledger, and the reports of loading them."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from sqlalchemy import Engine

from api.evidence.load import LoadReport, load_file
from graph.evidence.events import SCHEMA

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


def load(database: Engine, path: Path, **options: Any) -> LoadReport:
    return load_file(database, path, now=lambda: NOW, **options)


def rejects(report: LoadReport) -> list[tuple[int, str]]:
    assert report.rejects_path is not None
    rows = [json.loads(line) for line in report.rejects_path.read_text().splitlines()]
    assert all(set(row) == {"line", "reason", "row"} for row in rows)
    return [(row["line"], row["reason"]) for row in rows]


def payments(rows: int) -> pl.DataFrame:
    number = pl.int_range(rows)
    moment = pl.lit(datetime(2024, 1, 1, tzinfo=UTC)) + pl.duration(seconds=number)
    return pl.select(
        contributor=pl.lit("bank"),
        event_id=pl.format("p{}", number),
        kind=pl.lit("payment.made"),
        subject=pl.format("person-{}", number % 97),
        other=pl.format("shop-{}", number % 7),
        happened_at=moment.cast(SCHEMA["happened_at"]),
        amount=number,
        currency=pl.lit("CNY"),
    )


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("happened_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


# A file of events by its name.
WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "p.csv": lambda frame, path: as_text(frame).write_csv(path),
    "p.csv.gz": lambda frame, path: path.write_bytes(gzip.compress(as_text(frame).write_csv().encode())),
    "p.csv.zst": lambda frame, path: path.write_bytes(
        pa.compress(as_text(frame).write_csv().encode(), codec="zstd", asbytes=True)
    ),
    "p.ndjson": lambda frame, path: as_text(frame).write_ndjson(path),
    "p.ndjson.gz": lambda frame, path: path.write_bytes(gzip.compress(as_text(frame).write_ndjson().encode())),
    "p.parquet": lambda frame, path: frame.write_parquet(path, row_group_size=300),
}
