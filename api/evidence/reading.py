"""Files of events -> typed frames with line numbers: CSV, NDJSON (both also .gz and .zst) and Parquet, in batches, in bounded memory.

A file is refused as a whole (Rejected) only for a problem of the whole file: it is absent, empty, of an unknown format,
or its columns are not an event's. A row that can't be read is refused alone, with its line and reason. A file that breaks
off (a truncated gzip, a damaged page) gives the rows before the break; its last batch says how it broke off.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa  # no types published
import pyarrow.parquet as pq

from api.evidence.json_rows import input_columns, json_rows
from api.evidence.text_files import RowBlock, RowParser, TextRows, csv_header, csv_parser, file_error, read_rows
from api.evidence.values import MEANING, EventBatch, parse_batch
from graph.evidence.declared_fields import COLUMN_TYPES, describe
from graph.evidence.events import SCHEMA
from graph.evidence.vocabulary import STANDARD, EventVocabulary

BATCH_ROWS: Final = 100_000
Start = Callable[[Path, bytes, EventVocabulary], RowParser]
REQUIRED_COLUMNS: Final = ("contributor", "event_id", "kind", "subject", "happened_at")


def read_file(path: Path, batch_rows: int = BATCH_ROWS, vocabulary: EventVocabulary = STANDARD) -> Iterator[EventBatch]:
    """The file's rows in order, at most `batch_rows` a batch. Raises Rejected before the first batch, never after it."""
    read = next((r for ending, r in _READERS.items() if path.name.lower().endswith(ending)), None)
    if read is None:
        raise file_error(path, "unknown format", f"name it {', '.join(_READERS)}", "file_format")
    with regular_file(path):
        yield from read(path, batch_rows, vocabulary)


@contextmanager
def regular_file(path: Path) -> Iterator[None]:
    """Raise Rejected, in one line, if inside or before there is no file at `path` that can be read."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise file_error(path, "this is not a file", "write it to one first", "file_not_regular")
        if path.stat().st_size == 0:
            raise file_error(path, "the file is empty", "check how it was written", "file_empty")
        if path.is_dir():
            raise file_error(path, "this is a folder", "name one file", "file_is_folder")
        yield
    except FileNotFoundError:
        raise file_error(path, "there is no such file", "check the path", "file_absent") from None
    except PermissionError:
        raise file_error(path, "the file may not be read", "give read permission on it", "file_unreadable") from None


# --- text ----------------------------------------------------------------------------------------------------------


def _read_text(path: Path, batch_rows: int, start: Start, vocabulary: EventVocabulary) -> Iterator[EventBatch]:
    for block in read_rows(path, lambda place, data: start(place, data, vocabulary)):
        yield from _batches(block, batch_rows, vocabulary)


def _batches(block: RowBlock, batch_rows: int, vocabulary: EventVocabulary) -> Iterator[EventBatch]:
    rows = block.rows
    for at, size, last in equal_parts(rows.texts.height, batch_rows):
        texts, lines = rows.texts.slice(at, size), rows.lines.slice(at, size)
        batch = parse_batch(texts, lines, block.position, block.total, vocabulary)
        if last:
            bad_rows = sorted([*rows.bad_rows, *batch.bad_rows], key=lambda w: w.line)
            batch = replace(batch, bad_rows=bad_rows, broken=block.broken)
        yield batch


def equal_parts(rows: int, most: int) -> Iterator[tuple[int, int, bool]]:
    """Parts of at most so many rows, as many in each, since a small batch costs a commit, too: start, size, whether it is the last."""
    parts = max(1, -(-rows // most))
    size = -(-rows // parts)
    for part in range(parts):
        yield part * size, size, part == parts - 1


def _start_csv(path: Path, data: bytes, vocabulary: EventVocabulary) -> RowParser:
    columns = csv_header(path, data)
    _check_columns(path, columns, vocabulary)
    return csv_parser(columns)


def _start_ndjson(_path: Path, _data: bytes, vocabulary: EventVocabulary) -> RowParser:
    def parse(data: bytes, line: int, _last: bool) -> TextRows:
        physical_lines = data.split(b"\n")
        if not physical_lines[-1]:
            physical_lines.pop()
        return TextRows(*json_rows(physical_lines, line, vocabulary), b"", line + len(physical_lines))

    return RowParser(parse)


def _check_columns(path: Path, columns: Iterable[str], vocabulary: EventVocabulary) -> None:
    columns, accepted_columns = list(columns), input_columns(vocabulary)
    if "recorded_at" in columns:
        raise file_error(path, "`recorded_at` is set by the ledger", "leave that column out", "file_columns")
    for column in columns:
        if column not in accepted_columns:
            close = difflib.get_close_matches(column, accepted_columns, 1)
            hint = f"did you mean `{close[0]}`?" if close else "the columns are listed in docs/events.md"
            raise file_error(path, f"unknown column `{column[:40]}`", hint, "file_columns")
    repeated = sorted({c for c in columns if columns.count(c) > 1})
    if repeated:
        raise file_error(path, f"column `{repeated[0]}` is there twice", "keep one", "file_columns")
    missing = [c for c in REQUIRED_COLUMNS if c not in columns]
    if missing:
        column_list = ", ".join(f"`{c}`" for c in missing)
        raise file_error(
            path,
            f"column {column_list} is missing" if len(missing) == 1 else f"columns {column_list} are missing",
            "every event needs them",
            "file_columns",
        )


# --- Parquet -------------------------------------------------------------------------------------------------------


def _read_parquet(path: Path, batch_rows: int, vocabulary: EventVocabulary) -> Iterator[EventBatch]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError):
        raise file_error(
            path, "this is not a Parquet file, or it is damaged", "write it again", "file_broken"
        ) from None
    with file:
        _check_columns(path, file.schema_arrow.names, vocabulary)
        _check_types(path, file.schema_arrow, vocabulary)
        yield from _parquet_batches(path, file, batch_rows, vocabulary)


def _parquet_batches(
    path: Path, file: pq.ParquetFile, batch_rows: int, vocabulary: EventVocabulary
) -> Iterator[EventBatch]:
    position, total = 0, file.metadata.num_rows
    batches = file.iter_batches(batch_rows)
    while position < total:
        try:
            texts = pl.DataFrame(pl.from_arrow(next(batches)))
        except (pa.ArrowException, OSError, StopIteration, pl.exceptions.PolarsError):
            empty = pl.DataFrame(schema=dict.fromkeys(file.schema_arrow.names, pl.String))
            broken = f"{path}: the file cannot be read after row {position}: write it again"
            yield replace(parse_batch(empty, pl.Series(dtype=pl.Int64), position, total), broken=broken)
            return
        lines = pl.int_range(position + 1, position + 1 + texts.height, dtype=pl.Int64, eager=True)
        position += texts.height
        yield parse_batch(texts, lines, position, total, vocabulary)


def _check_types(path: Path, schema: pa.Schema, vocabulary: EventVocabulary) -> None:
    for name, dtype in pl.DataFrame(pl.from_arrow(schema.empty_table())).schema.items():
        field = vocabulary.extra_fields.get(name)
        expected = COLUMN_TYPES[field.type] if field else SCHEMA[name]
        plain = dtype in (pl.String, pl.Null, pl.Categorical) or isinstance(dtype, pl.Enum)
        number = (dtype.is_integer() and expected in (pl.String, pl.Int64)) or (
            dtype.is_float() and expected == pl.Int64
        )
        moment = (isinstance(dtype, pl.Datetime) and isinstance(expected, pl.Datetime)) or (
            dtype == pl.Date and expected == pl.Date
        )
        if isinstance(dtype, pl.Datetime) and isinstance(expected, pl.Datetime) and dtype.time_zone is None:
            hint = "write it with one: a timestamp in UTC"
            raise file_error(path, f"the times of column `{name}` have no time zone", hint, "file_types")
        declared = field is not None and (
            (field.type == "bool" and dtype == pl.Boolean)
            or (field.type == "decimal" and (dtype.is_float() or dtype.is_decimal()))
        )
        if not (plain or number or moment or declared):
            raise file_error(
                path,
                f"column `{name}` has the type {str(dtype).lower()}",
                f"make it {describe(field) if field else MEANING[str(expected)]}",
                "file_types",
            )


_READERS: Final[dict[str, Callable[[Path, int, EventVocabulary], Iterator[EventBatch]]]] = {
    ending: reader
    for names, reader in (
        (
            (".csv", ".csv.gz", ".csv.zst"),
            lambda path, size, vocabulary: _read_text(path, size, _start_csv, vocabulary),
        ),
        (
            (".ndjson", ".ndjson.gz", ".ndjson.zst", ".jsonl", ".jsonl.gz", ".jsonl.zst"),
            lambda path, size, vocabulary: _read_text(path, size, _start_ndjson, vocabulary),
        ),
        ((".parquet",), _read_parquet),
    )
    for ending in names
}
