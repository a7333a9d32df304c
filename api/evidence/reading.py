"""Files of events -> typed frames with line numbers: CSV, NDJSON (both also .gz) and Parquet, in batches, in bounded memory.

A file is refused as a whole (Refused) only for a problem of the whole file: it is absent, empty, of an unknown format,
or its columns are not an event's. A row that can't be read is refused alone, with its line and reason. A file that breaks
off (a truncated gzip, a damaged page) gives the rows before the break; its last batch says how it broke off.

CSV has two roads. A block in which each line is one row of the right width, without quotes, goes to Polars as it is: then a
row's number is its line's. Any other block goes line by line through Python's csv module, which is three times slower.
"""

import csv
import difflib
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa  # no types published
import pyarrow.parquet as pq

from api.evidence.json_rows import MAX_EXCERPT_BYTES, MAX_ROW_BYTES, input_columns, json_rows, text_frame
from api.evidence.values import MEANING, BadRow, EventBatch, parse_batch
from engine.errors import Rejected
from graph.evidence.declared_fields import COLUMN_TYPES, describe
from graph.evidence.events import SCHEMA
from graph.evidence.vocabulary import STANDARD, EventVocabulary

BATCH_ROWS: Final = 100_000
REQUIRED_COLUMNS: Final = ("contributor", "event_id", "kind", "subject", "happened_at")
_BLOCK_BYTES: Final = 10_000_000  # bytes of text read at once: about 100,000 payments
_READ_ERRORS: Final = (EOFError, zlib.error, OSError)  # gzip raises these; BadGzipFile is an OSError


def read_file(path: Path, batch_rows: int = BATCH_ROWS, vocabulary: EventVocabulary = STANDARD) -> Iterator[EventBatch]:
    """The file's rows in order, at most `batch_rows` a batch. Raises Rejected before the first batch, never after it."""
    read = next((r for ending, r in _READERS.items() if path.name.lower().endswith(ending)), None)
    if read is None:
        raise _file_error(path, "unknown format", f"name it {', '.join(_READERS)}", "file_format")
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise _file_error(path, "this is not a file", "write it to one first", "file_not_regular")
        if path.stat().st_size == 0:
            raise _file_error(path, "the file is empty", "check how it was written", "file_empty")
        if path.is_dir():
            raise _file_error(path, "this is a folder", "name one file", "file_is_folder")
        yield from read(path, batch_rows, vocabulary)
    except FileNotFoundError:
        raise _file_error(path, "there is no such file", "check the path", "file_absent") from None
    except PermissionError:
        raise _file_error(path, "the file may not be read", "give read permission on it", "file_unreadable") from None


def _file_error(path: Path, message: str, hint: str, code: str) -> Rejected:
    return Rejected(message, where=str(path), hint=hint, code=code)


# --- text: blocks of whole lines -----------------------------------------------------------------------------------


class _TextBlock(NamedTuple):
    data: bytes  # whole lines
    position: int
    broken: str | None
    last: bool


def _blocks(path: Path, raw: BinaryIO) -> Iterator[_TextBlock]:
    """The text in blocks of whole lines. Of a line longer than LONGEST_ROW only so much is kept that it shows as too long."""
    stream: Any = gzip.GzipFile(fileobj=raw) if path.suffix.lower() == ".gz" else raw
    buffer, chunk, broken = bytearray(), b"start", None
    while chunk:
        try:
            chunk = stream.read1(_BLOCK_BYTES)
        except _READ_ERRORS as error:
            broken, chunk = f"{path}: the file breaks off here ({type(error).__name__.lower()}): send it again", b""
        end_of_line = buffer.rfind(b"\n") + 1
        if chunk and not end_of_line and len(buffer) > MAX_ROW_BYTES and b"\n" not in chunk:
            continue  # inside a line that is too long already
        buffer += chunk
        if chunk and len(buffer) < _BLOCK_BYTES:
            continue
        cut = (
            len(buffer) if not chunk and not broken else buffer.rfind(b"\n") + 1
        )  # half a line before a break is no row
        if cut or not chunk:
            yield _TextBlock(bytes(buffer[:cut]), raw.tell(), broken, not chunk)
        del buffer[:cut]


def _read_text(path: Path, batch_rows: int, start: "_Start", vocabulary: EventVocabulary) -> Iterator[EventBatch]:
    """Header first, then block after block; the rest of a block (an open quote) begins the next one."""
    with path.open("rb") as raw:
        total, parse, leftover, line = path.stat().st_size, None, b"", 1
        for block in _blocks(path, raw):
            data = leftover + block.data
            if parse is None:
                _check_encoding(path, data, block)
                data = data.removeprefix(b"\xef\xbb\xbf")
                parse, data, line = _begin(path, data, start, vocabulary)
            rows = parse(data.replace(b"\r\n", b"\n"), line, block.last)
            leftover, line = rows.leftover, rows.next_line
            yield from _batches(rows, block, batch_rows, total, vocabulary)


def _check_encoding(path: Path, data: bytes, block: _TextBlock) -> None:
    if not data:
        message = "nothing in it can be read" if block.broken else "the file is empty"
        raise _file_error(path, message, "check how it was written", "file_broken" if block.broken else "file_empty")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _file_error(path, "the text is UTF-16", "save it as UTF-8", "file_encoding")


def _begin(path: Path, data: bytes, start: "_Start", vocabulary: EventVocabulary) -> tuple["_Parse", bytes, int]:
    if start is _start_ndjson:
        return start(path, b"", vocabulary), data, 1
    header, _, rest = data.partition(b"\n")
    return start(path, header.rstrip(b"\r"), vocabulary), rest, 2


@dataclass(frozen=True)
class _ParsedRows:
    """The content of a block: the good rows' texts and lines, the wrong rows, and bytes that belong to the next block."""

    texts: pl.DataFrame
    lines: pl.Series
    bad_rows: list[BadRow]
    leftover: bytes
    next_line: int


_Parse = Callable[[bytes, int, bool], _ParsedRows]
_Start = Callable[[Path, bytes, EventVocabulary], _Parse]


def _batches(
    rows: _ParsedRows, block: _TextBlock, batch_rows: int, total: int, vocabulary: EventVocabulary
) -> Iterator[EventBatch]:
    parts = max(1, -(-rows.texts.height // batch_rows))
    size = -(-rows.texts.height // parts)  # as many in each: a small batch costs a commit, too
    for part in range(parts):
        at, last = part * size, part == parts - 1
        texts, lines = rows.texts.slice(at, size), rows.lines.slice(at, size)
        batch = parse_batch(texts, lines, block.position, total, vocabulary)
        if last:
            bad_rows = sorted([*rows.bad_rows, *batch.bad_rows], key=lambda w: w.line)
            batch = replace(batch, bad_rows=bad_rows, broken=block.broken)
        yield batch


# --- CSV -----------------------------------------------------------------------------------------------------------


def _start_csv(path: Path, header: bytes, vocabulary: EventVocabulary) -> _Parse:
    try:
        columns = next(csv.reader([header.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        raise _file_error(
            path, "the first line is not a header of column names", "save it as UTF-8, comma-separated", "file_header"
        ) from None
    if len(columns) < 2 and any(mark in header for mark in (b";", b"\t", b"|")):
        raise _file_error(
            path, "the header is one column: wrong delimiter?", "separate the columns by commas", "file_delimiter"
        )
    _check_columns(path, columns, vocabulary)

    def parse(data: bytes, line: int, last: bool) -> _ParsedRows:
        return _parse_fast(data, line, columns) or _parse_slowly(data, line, columns, last)

    return parse


def _check_columns(path: Path, columns: Iterable[str], vocabulary: EventVocabulary) -> None:
    columns, accepted_columns = list(columns), input_columns(vocabulary)
    if "recorded_at" in columns:
        raise _file_error(path, "`recorded_at` is set by the ledger", "leave that column out", "file_columns")
    for column in columns:
        if column not in accepted_columns:
            close = difflib.get_close_matches(column, accepted_columns, 1)
            hint = f"did you mean `{close[0]}`?" if close else "the columns are listed in docs/events.md"
            raise _file_error(path, f"unknown column `{column[:40]}`", hint, "file_columns")
    repeated = sorted({c for c in columns if columns.count(c) > 1})
    if repeated:
        raise _file_error(path, f"column `{repeated[0]}` is there twice", "keep one", "file_columns")
    missing = [c for c in REQUIRED_COLUMNS if c not in columns]
    if missing:
        column_list = ", ".join(f"`{c}`" for c in missing)
        raise _file_error(
            path,
            f"column {column_list} is missing" if len(missing) == 1 else f"columns {column_list} are missing",
            "every event needs them",
            "file_columns",
        )


def _parse_fast(data: bytes, line: int, columns: list[str]) -> _ParsedRows | None:
    """The block by Polars, if each line is plainly one row: valid UTF-8, no quote, the right number of commas."""
    if b'"' in data or not data:
        return None
    data = data if data.endswith(b"\n") else data + b"\n"
    letters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    commas = np.searchsorted(np.flatnonzero(letters == ord(",")), ends)
    if (np.diff(commas, prepend=0) != len(columns) - 1).any() or np.diff(ends, prepend=-1).max() > MAX_ROW_BYTES:
        return None
    try:
        data.decode()
    except UnicodeDecodeError:
        return None
    texts = pl.read_csv(data, has_header=False, schema=dict.fromkeys(columns, pl.String), quote_char=None)
    lines = pl.int_range(line, line + texts.height, dtype=pl.Int64, eager=True)
    return _ParsedRows(texts, lines, [], b"", line + texts.height)


def _parse_slowly(data: bytes, line: int, columns: list[str], last: bool) -> _ParsedRows:
    physical_lines = data.split(b"\n")
    if not physical_lines[-1]:
        physical_lines.pop()
    rows: list[list[str]] = []
    lines: list[int] = []
    bad_rows: list[BadRow] = []
    at = 0
    while at < len(physical_lines):
        size = _lines_of_row(physical_lines, at)
        if size is None and not last and sum(map(len, physical_lines[at:])) <= MAX_ROW_BYTES:
            break  # the quote may close in the next block
        row = _csv_row(b"\n".join(physical_lines[at : at + (size or 1)]), columns, closed=size is not None)
        if isinstance(row, BadRow):
            bad_rows.append(row._replace(line=line + at))
        elif row:
            rows.append(row)
            lines.append(line + at)
        at += size or 1
    leftover = b"\n".join([*physical_lines[at:], b""]) if at < len(physical_lines) else b""
    return _ParsedRows(text_frame(columns, rows), pl.Series(lines, dtype=pl.Int64), bad_rows, leftover, line + at)


def _lines_of_row(physical_lines: list[bytes], at: int) -> int | None:
    """How many lines the row at `at` takes: up to where its quotes are even. None: they never are, within LONGEST_ROW."""
    quotes = length = 0
    for end in range(at, len(physical_lines)):
        quotes += physical_lines[end].count(b'"')
        length += len(physical_lines[end])
        if quotes % 2 == 0:
            return end - at + 1
        if length > MAX_ROW_BYTES:
            return None
    return None


def _csv_row(row: bytes, columns: list[str], *, closed: bool) -> list[str] | BadRow | None:
    excerpt = row[:MAX_EXCERPT_BYTES].decode(errors="replace")
    if not row.strip():
        return None
    if len(row) > MAX_ROW_BYTES:
        return BadRow(0, f"the row is longer than {MAX_ROW_BYTES} bytes: shorten it", excerpt)
    if not closed:
        return BadRow(0, "a quote is opened and never closed: double a quote inside a text", excerpt)
    try:
        fields = next(csv.reader([row.decode()], strict=True))
    except UnicodeDecodeError as error:
        return BadRow(0, f"byte {error.start + 1} of the row is not UTF-8: save the file as UTF-8", excerpt)
    except csv.Error:
        return BadRow(0, "the quotes do not match: double a quote inside a text", excerpt)
    if len(fields) != len(columns):
        return BadRow(
            0, f"{len(fields)} fields in place of {len(columns)}: a comma inside a text needs quotes around it", excerpt
        )
    return fields


# --- NDJSON --------------------------------------------------------------------------------------------------------


def _start_ndjson(_path: Path, _header: bytes, vocabulary: EventVocabulary) -> _Parse:
    def parse(data: bytes, line: int, _last: bool) -> _ParsedRows:
        physical_lines = data.split(b"\n")
        if not physical_lines[-1]:
            physical_lines.pop()
        return _ParsedRows(*json_rows(physical_lines, line, vocabulary), b"", line + len(physical_lines))

    return parse


# --- Parquet -------------------------------------------------------------------------------------------------------


def _read_parquet(path: Path, batch_rows: int, vocabulary: EventVocabulary) -> Iterator[EventBatch]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError):
        raise _file_error(
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
            raise _file_error(path, f"the times of column `{name}` have no time zone", hint, "file_types")
        declared = field is not None and (
            (field.type == "bool" and dtype == pl.Boolean)
            or (field.type == "decimal" and (dtype.is_float() or dtype.is_decimal()))
        )
        if not (plain or number or moment or declared):
            raise _file_error(
                path,
                f"column `{name}` has the type {str(dtype).lower()}",
                f"make it {describe(field) if field else MEANING[str(expected)]}",
                "file_types",
            )


_READERS: Final[dict[str, Callable[[Path, int, EventVocabulary], Iterator[EventBatch]]]] = {
    ending: reader
    for names, reader in (
        ((".csv", ".csv.gz"), lambda path, size, vocabulary: _read_text(path, size, _start_csv, vocabulary)),
        (
            (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz"),
            lambda path, size, vocabulary: _read_text(path, size, _start_ndjson, vocabulary),
        ),
        ((".parquet",), _read_parquet),
    )
    for ending in names
}
