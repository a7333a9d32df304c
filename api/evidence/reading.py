"""Files of events -> typed frames with line numbers: CSV, NDJSON (both also .gz) and Parquet, in batches, in bounded memory.

A file is refused as a whole (Refused) only for what is wrong with all of it: it is absent, empty, of an unknown format,
or its columns are not an event's. A row that can't be read is refused alone, with its line and reason. A file that breaks
off (a truncated gzip, a damaged page) gives the rows before the break; its last batch says what happened.

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

from api.evidence.json_rows import KNOWN, LONGEST_ROW, SHOWN, json_rows, text_frame
from api.evidence.values import MEANING, Batch, Wrong, typed
from engine.errors import Refused
from graph.events import SCHEMA

BATCH_ROWS: Final = 100_000
NEEDED: Final = ("contributor", "event_id", "kind", "subject", "happened_at")
_BLOCK: Final = 10_000_000  # bytes of text read at once: about 100,000 payments
_BROKEN: Final = (EOFError, zlib.error, OSError)  # what gzip raises; BadGzipFile is an OSError


def read_file(path: Path, batch_rows: int = BATCH_ROWS) -> Iterator[Batch]:
    """The file's rows in order, at most `batch_rows` a batch. Raises Refused before the first batch, never after it."""
    read = next((r for ending, r in _READERS.items() if path.name.lower().endswith(ending)), None)
    if read is None:
        raise _refused(path, "unknown format", f"name it {', '.join(_READERS)}", "file_format")
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise _refused(path, "this is not a file", "write it to one first", "file_not_regular")
        if path.stat().st_size == 0:
            raise _refused(path, "the file is empty", "check how it was written", "file_empty")
        if path.is_dir():
            raise _refused(path, "this is a folder", "name one file", "file_is_folder")
        yield from read(path, batch_rows)
    except FileNotFoundError:
        raise _refused(path, "there is no such file", "check the path", "file_absent") from None
    except PermissionError:
        raise _refused(path, "the file may not be read", "give read permission on it", "file_unreadable") from None


def _refused(path: Path, message: str, hint: str, code: str) -> Refused:
    return Refused(message, where=str(path), hint=hint, code=code)


# --- text: blocks of whole lines -----------------------------------------------------------------------------------


class _Block(NamedTuple):
    data: bytes  # whole lines
    done: int
    broken: str | None
    last: bool


def _blocks(path: Path, raw: BinaryIO) -> Iterator[_Block]:
    """The text in blocks of whole lines. Of a line longer than LONGEST_ROW only so much is kept that it shows as too long."""
    stream: Any = gzip.GzipFile(fileobj=raw) if path.suffix.lower() == ".gz" else raw
    held, chunk, broken = bytearray(), b"start", None
    while chunk:
        try:
            chunk = stream.read1(_BLOCK)
        except _BROKEN as error:
            broken, chunk = f"{path}: the file breaks off here ({type(error).__name__.lower()}): send it again", b""
        end_of_line = held.rfind(b"\n") + 1
        if chunk and not end_of_line and len(held) > LONGEST_ROW and b"\n" not in chunk:
            continue  # inside a line that is too long already
        held += chunk
        if chunk and len(held) < _BLOCK:
            continue
        cut = len(held) if not chunk and not broken else held.rfind(b"\n") + 1  # half a line before a break is no row
        if cut or not chunk:
            yield _Block(bytes(held[:cut]), raw.tell(), broken, not chunk)
        del held[:cut]


def _read_text(path: Path, batch_rows: int, start: Callable[[Path, bytes], "_Parse"]) -> Iterator[Batch]:
    """Header first, then block after block; what a block leaves over (an open quote) begins the next one."""
    with path.open("rb") as raw:
        total, parse, held, line = path.stat().st_size, None, b"", 1
        for block in _blocks(path, raw):
            data = held + block.data
            if parse is None:
                _check_encoding(path, data, block)
                data = data.removeprefix(b"\xef\xbb\xbf")
                parse, data, line = _begin(path, data, start)
            rows = parse(data.replace(b"\r\n", b"\n"), line, block.last)
            held, line = rows.left, rows.next_line
            yield from _batches(rows, batch_rows, block.done, total, block.broken)


def _check_encoding(path: Path, data: bytes, block: _Block) -> None:
    if not data:
        message = "nothing in it can be read" if block.broken else "the file is empty"
        raise _refused(path, message, "check how it was written", "file_broken" if block.broken else "file_empty")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused(path, "the text is UTF-16", "save it as UTF-8", "file_encoding")


def _begin(path: Path, data: bytes, start: Callable[[Path, bytes], "_Parse"]) -> tuple["_Parse", bytes, int]:
    if start is _start_ndjson:
        return start(path, b""), data, 1
    header, _, rest = data.partition(b"\n")
    return start(path, header.rstrip(b"\r")), rest, 2


@dataclass(frozen=True)
class _Rows:
    """What a block held: the good rows' texts and lines, the wrong rows, and bytes that belong to the next block."""

    texts: pl.DataFrame
    lines: pl.Series
    wrong: list[Wrong]
    left: bytes
    next_line: int


_Parse = Callable[[bytes, int, bool], _Rows]


def _batches(rows: _Rows, batch_rows: int, done: int, total: int, broken: str | None) -> Iterator[Batch]:
    parts = max(1, -(-rows.texts.height // batch_rows))
    size = -(-rows.texts.height // parts)  # as many in each: a small batch costs a commit, too
    for part in range(parts):
        at, last = part * size, part == parts - 1
        texts, lines = rows.texts.slice(at, size), rows.lines.slice(at, size)
        batch = typed(texts, lines, done, total)
        if last:
            batch = replace(batch, wrong=sorted([*rows.wrong, *batch.wrong], key=lambda w: w.line), broken=broken)
        yield batch


# --- CSV -----------------------------------------------------------------------------------------------------------


def _start_csv(path: Path, header: bytes) -> _Parse:
    try:
        columns = next(csv.reader([header.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        raise _refused(
            path, "the first line is not a header of column names", "save it as UTF-8, comma-separated", "file_header"
        ) from None
    if len(columns) < 2 and any(mark in header for mark in (b";", b"\t", b"|")):
        raise _refused(
            path, "the header is one column: wrong delimiter?", "separate the columns by commas", "file_delimiter"
        )
    _check_columns(path, columns)

    def parse(data: bytes, line: int, last: bool) -> _Rows:
        return _fast(data, line, columns) or _careful(data, line, columns, last)

    return parse


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    columns = list(columns)
    if "recorded_at" in columns:
        raise _refused(path, "`recorded_at` is set by the ledger", "leave that column out", "file_columns")
    for column in columns:
        if column not in KNOWN:
            close = difflib.get_close_matches(column, KNOWN, 1)
            hint = f"did you mean `{close[0]}`?" if close else "the columns are listed in docs/events.md"
            raise _refused(path, f"unknown column `{column[:40]}`", hint, "file_columns")
    twice = sorted({c for c in columns if columns.count(c) > 1})
    if twice:
        raise _refused(path, f"column `{twice[0]}` is there twice", "keep one", "file_columns")
    missing = [c for c in NEEDED if c not in columns]
    if missing:
        named = ", ".join(f"`{c}`" for c in missing)
        raise _refused(
            path,
            f"column {named} is missing" if len(missing) == 1 else f"columns {named} are missing",
            "every event needs them",
            "file_columns",
        )


def _fast(data: bytes, line: int, columns: list[str]) -> _Rows | None:
    """The block by Polars, if each line is plainly one row: valid UTF-8, no quote, the right number of commas."""
    if b'"' in data or not data:
        return None
    data = data if data.endswith(b"\n") else data + b"\n"
    letters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    commas = np.searchsorted(np.flatnonzero(letters == ord(",")), ends)
    if (np.diff(commas, prepend=0) != len(columns) - 1).any() or np.diff(ends, prepend=-1).max() > LONGEST_ROW:
        return None
    try:
        data.decode()
    except UnicodeDecodeError:
        return None
    texts = pl.read_csv(data, has_header=False, schema=dict.fromkeys(columns, pl.String), quote_char=None)
    lines = pl.int_range(line, line + texts.height, dtype=pl.Int64, eager=True)
    return _Rows(texts, lines, [], b"", line + texts.height)


def _careful(data: bytes, line: int, columns: list[str], last: bool) -> _Rows:
    physical = data.split(b"\n")
    if not physical[-1]:
        physical.pop()
    rows: list[list[str]] = []
    lines: list[int] = []
    wrong: list[Wrong] = []
    at = 0
    while at < len(physical):
        size = _lines_of_row(physical, at)
        if size is None and not last and sum(map(len, physical[at:])) <= LONGEST_ROW:
            break  # the quote may close in the next block
        found = _csv_row(b"\n".join(physical[at : at + (size or 1)]), columns, closed=size is not None)
        if isinstance(found, Wrong):
            wrong.append(found._replace(line=line + at))
        elif found:
            rows.append(found)
            lines.append(line + at)
        at += size or 1
    left = b"\n".join([*physical[at:], b""]) if at < len(physical) else b""
    return _Rows(text_frame(columns, rows), pl.Series(lines, dtype=pl.Int64), wrong, left, line + at)


def _lines_of_row(physical: list[bytes], at: int) -> int | None:
    """How many lines the row at `at` takes: up to where its quotes are even. None: they never are, within LONGEST_ROW."""
    quotes = length = 0
    for end in range(at, len(physical)):
        quotes += physical[end].count(b'"')
        length += len(physical[end])
        if quotes % 2 == 0:
            return end - at + 1
        if length > LONGEST_ROW:
            return None
    return None


def _csv_row(row: bytes, columns: list[str], *, closed: bool) -> list[str] | Wrong | None:
    shown = row[:SHOWN].decode(errors="replace")
    if not row.strip():
        return None
    if len(row) > LONGEST_ROW:
        return Wrong(0, f"the row is longer than {LONGEST_ROW} bytes: shorten it", shown)
    if not closed:
        return Wrong(0, "a quote is opened and never closed: double a quote inside a text", shown)
    try:
        found = next(csv.reader([row.decode()], strict=True))
    except UnicodeDecodeError as error:
        return Wrong(0, f"byte {error.start + 1} of the row is not UTF-8: save the file as UTF-8", shown)
    except csv.Error:
        return Wrong(0, "the quotes do not match: double a quote inside a text", shown)
    if len(found) != len(columns):
        return Wrong(
            0, f"{len(found)} fields in place of {len(columns)}: a comma inside a text needs quotes around it", shown
        )
    return found


# --- NDJSON --------------------------------------------------------------------------------------------------------


def _start_ndjson(_path: Path, _header: bytes) -> _Parse:
    return _json_lines


def _json_lines(data: bytes, line: int, _last: bool) -> _Rows:
    physical = data.split(b"\n")
    if not physical[-1]:
        physical.pop()
    return _Rows(*json_rows(physical, line), b"", line + len(physical))


# --- Parquet -------------------------------------------------------------------------------------------------------


def _read_parquet(path: Path, batch_rows: int) -> Iterator[Batch]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError):
        raise _refused(path, "this is not a Parquet file, or it is damaged", "write it again", "file_broken") from None
    with file:
        _check_columns(path, file.schema_arrow.names)
        _check_types(path, file.schema_arrow)
        yield from _parquet_batches(path, file, batch_rows)


def _parquet_batches(path: Path, file: pq.ParquetFile, batch_rows: int) -> Iterator[Batch]:
    done, total = 0, file.metadata.num_rows
    batches = file.iter_batches(batch_rows)
    while done < total:
        try:
            texts = pl.DataFrame(pl.from_arrow(next(batches)))
        except (pa.ArrowException, OSError, StopIteration, pl.exceptions.PolarsError):
            empty = pl.DataFrame(schema=dict.fromkeys(file.schema_arrow.names, pl.String))
            broken = f"{path}: the file cannot be read after row {done}: write it again"
            yield replace(typed(empty, pl.Series(dtype=pl.Int64), done, total), broken=broken)
            return
        lines = pl.int_range(done + 1, done + 1 + texts.height, dtype=pl.Int64, eager=True)
        done += texts.height
        yield typed(texts, lines, done, total)


def _check_types(path: Path, schema: pa.Schema) -> None:
    for name, dtype in pl.DataFrame(pl.from_arrow(schema.empty_table())).schema.items():
        wanted = SCHEMA[name]
        plain = dtype in (pl.String, pl.Null, pl.Categorical) or isinstance(dtype, pl.Enum)
        number = (dtype.is_integer() and wanted in (pl.String, pl.Int64)) or (dtype.is_float() and wanted == pl.Int64)
        moment = (isinstance(dtype, pl.Datetime) and isinstance(wanted, pl.Datetime)) or (
            dtype == pl.Date and wanted == pl.Date
        )
        if isinstance(dtype, pl.Datetime) and isinstance(wanted, pl.Datetime) and dtype.time_zone is None:
            hint = "write it with one: a timestamp in UTC"
            raise _refused(path, f"the times of column `{name}` have no time zone", hint, "file_types")
        if not (plain or number or moment):
            raise _refused(
                path,
                f"column `{name}` has the type {str(dtype).lower()}",
                f"make it {MEANING[str(wanted)]}",
                "file_types",
            )


_READERS: Final[dict[str, Callable[[Path, int], Iterator[Batch]]]] = {
    ending: reader
    for names, reader in (
        ((".csv", ".csv.gz"), lambda path, size: _read_text(path, size, _start_csv)),
        ((".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz"), lambda path, size: _read_text(path, size, _start_ndjson)),
        ((".parquet",), _read_parquet),
    )
    for ending in names
}
