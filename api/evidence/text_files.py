"""Text files of rows -> frames of texts with line numbers, block after block, in bounded memory: CSV in any delimiter, or JSON lines.

CSV has two roads. A block in which each line is plainly one row of the right width goes to Polars as it is: then a row's
number is its line's. Any other block goes line by line through Python's csv module, which is several times slower.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa  # no types published

from api.evidence.json_rows import MAX_EXCERPT_BYTES, MAX_ROW_BYTES, text_frame
from api.evidence.values import BadRow
from engine.errors import Rejected

BLOCK_BYTES: Final = 10_000_000  # bytes of text read at once: about 100,000 payments
_ARROW_BYTES: Final = 65_536
READ_ERRORS: Final = (EOFError, zlib.error, OSError)  # gzip and Arrow raise these; BadGzipFile is an OSError
PACKED: Final = {".gz": "gzip", ".zst": "zstd"}  # by the ending of a compressed file's name


def file_error(path: Path, message: str, hint: str, code: str) -> Rejected:
    """A file that we refuse as a whole."""
    return Rejected(message, where=str(path), hint=hint, code=code)


# --- blocks of whole lines -----------------------------------------------------------------------------------------


class TextBlock(NamedTuple):
    """Whole lines of a file. `position`: bytes of the file read so far; `broken`: one line if it broke off after these."""

    data: bytes
    position: int
    broken: str | None
    last: bool


def unpack(path: Path, raw: BinaryIO) -> Any:
    """The content of an open file as a stream that reads, as its name says how it is compressed."""
    packing = PACKED.get(path.suffix.lower())
    if packing == "gzip":
        return gzip.GzipFile(fileobj=raw)
    return raw if packing is None else pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), packing)


def _chunks(path: Path, raw: BinaryIO) -> Iterator[tuple[bytes, str | None]]:
    """The content piece by piece, and one line if it breaks off; at the end an empty piece."""
    stream = unpack(path, raw)
    chunk, broken = b"start", None
    while chunk:
        try:
            # Arrow's stream gives nothing of a piece in which it breaks off
            chunk = stream.read1(_ARROW_BYTES if isinstance(stream, pa.NativeFile) else BLOCK_BYTES)
        except READ_ERRORS as error:
            broken, chunk = f"{path}: the file breaks off here ({type(error).__name__.lower()}): send it again", b""
        yield chunk, broken


def pieces(path: Path, raw: BinaryIO) -> Iterator[TextBlock]:
    """The content in blocks that end anywhere."""
    buffer = bytearray()
    for chunk, broken in _chunks(path, raw):
        buffer += chunk
        if not chunk or len(buffer) >= BLOCK_BYTES:
            yield TextBlock(bytes(buffer), raw.tell(), broken, not chunk)
            buffer.clear()


def blocks(path: Path, raw: BinaryIO) -> Iterator[TextBlock]:
    """The text in blocks of whole lines. Of a line longer than MAX_ROW_BYTES only so much is kept that it shows as too long."""
    buffer = bytearray()
    for chunk, broken in _chunks(path, raw):
        end_of_line = buffer.rfind(b"\n") + 1
        if chunk and not end_of_line and len(buffer) > MAX_ROW_BYTES and b"\n" not in chunk:
            continue  # inside a line that is too long already
        buffer += chunk
        if chunk and len(buffer) < BLOCK_BYTES:
            continue
        cut = (
            len(buffer) if not chunk and not broken else buffer.rfind(b"\n") + 1
        )  # half a line before a break is no row
        if cut or not chunk:
            yield TextBlock(bytes(buffer[:cut]), raw.tell(), broken, not chunk)
        del buffer[:cut]


def beginning(path: Path) -> bytes:
    """The first block of whole lines, without a byte order mark. Raises Rejected when it is nothing, or not UTF-8."""
    with path.open("rb") as raw:
        block = next(blocks(path, raw))
        check_encoding(path, block.data, block)
        return block.data.removeprefix(b"\xef\xbb\xbf")


def check_encoding(path: Path, data: bytes, block: TextBlock) -> None:
    """Raise Rejected when a file's beginning is nothing, or not UTF-8."""
    if not data:
        message = "nothing in it can be read" if block.broken else "the file is empty"
        raise file_error(path, message, "check how it was written", "file_broken" if block.broken else "file_empty")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise file_error(path, "the text is UTF-16", "save it as UTF-8", "file_encoding")


# --- rows of blocks ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TextRows:
    """The content of a block: the good rows' texts and lines, the wrong rows, and bytes that belong to the next block."""

    texts: pl.DataFrame
    lines: pl.Series
    bad_rows: list[BadRow]
    leftover: bytes
    next_line: int


@dataclass(frozen=True)
class RowParser:
    """How the lines of a file become rows: `parse(data, number of its first line, whether it is the last)`."""

    parse: Callable[[bytes, int, bool], TextRows]
    header_lines: int = 0  # lines at the beginning that are no rows


class RowBlock(NamedTuple):
    """Rows of a block, and how far the file has been read."""

    rows: TextRows
    position: int
    total: int
    broken: str | None


def read_rows(path: Path, start: Callable[[Path, bytes], RowParser]) -> Iterator[RowBlock]:
    """The rows, block after block; the rest of a block (an open quote) begins the next. `start` gets the first block."""
    with path.open("rb") as raw:
        total, leftover, line = path.stat().st_size, b"", 1
        parser: RowParser | None = None
        for block in blocks(path, raw):
            data = leftover + block.data
            if parser is None:
                check_encoding(path, data, block)
                data = data.removeprefix(b"\xef\xbb\xbf")
                parser = start(path, data)
                line += parser.header_lines
                data = data.split(b"\n", parser.header_lines)[-1] if b"\n" in data or not parser.header_lines else b""
            rows = parser.parse(data.replace(b"\r\n", b"\n"), line, block.last)
            leftover, line = rows.leftover, rows.next_line
            yield RowBlock(rows, block.position, total, block.broken)


# --- CSV -----------------------------------------------------------------------------------------------------------


def csv_header(path: Path, data: bytes, delimiter: str = ",") -> list[str]:
    """The names in the first line of a CSV file. Raises Rejected if there are none."""
    header = data.partition(b"\n")[0].rstrip(b"\r")
    try:
        columns = next(csv.reader([header.decode()], strict=True, delimiter=delimiter), [])
    except (UnicodeDecodeError, csv.Error):
        raise file_error(
            path, "the first line is not a header of column names", "save it as UTF-8, comma-separated", "file_header"
        ) from None
    signs = {b",", b";", b"\t", b"|"} - {delimiter.encode()}
    if len(columns) < 2 and any(sign in header for sign in signs):
        separator = _DELIMITER_NOUNS.get(delimiter, f"`{delimiter}`")
        hint = f"separate the columns by {separator}"
        raise file_error(path, "the header is one column: wrong delimiter?", hint, "file_delimiter")
    return columns


_DELIMITER_NOUNS: Final = {",": "commas", "\t": "tabs"}


def csv_parser(columns: list[str], delimiter: str = ",") -> RowParser:
    """Rows of a CSV file under a header. `columns`: the frames' names of the columns, no two the same."""

    def parse(data: bytes, line: int, last: bool) -> TextRows:
        return _parse_fast(data, line, columns, delimiter) or _parse_slowly(data, line, columns, delimiter, last=last)

    return RowParser(parse, header_lines=1)


def _parse_fast(data: bytes, line: int, columns: list[str], delimiter: str) -> TextRows | None:
    """The block by Polars, if each line is plainly one row: valid UTF-8, no quote, the right number of commas."""
    if b'"' in data or not data:
        return None
    data = data if data.endswith(b"\n") else data + b"\n"
    letters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    commas = np.searchsorted(np.flatnonzero(letters == ord(delimiter)), ends)
    if (np.diff(commas, prepend=0) != len(columns) - 1).any() or np.diff(ends, prepend=-1).max() > MAX_ROW_BYTES:
        return None
    try:
        data.decode()
    except UnicodeDecodeError:
        return None
    schema = dict.fromkeys(columns, pl.String)
    texts = pl.read_csv(data, has_header=False, schema=schema, quote_char=None, separator=delimiter)
    lines = pl.int_range(line, line + texts.height, dtype=pl.Int64, eager=True)
    return TextRows(texts, lines, [], b"", line + texts.height)


def _parse_slowly(data: bytes, line: int, columns: list[str], delimiter: str, *, last: bool) -> TextRows:
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
        row_bytes = b"\n".join(physical_lines[at : at + (size or 1)])
        row = _csv_row(row_bytes, len(columns), delimiter, closed=size is not None)
        if isinstance(row, BadRow):
            bad_rows.append(row._replace(line=line + at))
        elif row:
            rows.append(row)
            lines.append(line + at)
        at += size or 1
    leftover = b"\n".join([*physical_lines[at:], b""]) if at < len(physical_lines) else b""
    return TextRows(text_frame(columns, rows), pl.Series(lines, dtype=pl.Int64), bad_rows, leftover, line + at)


def _lines_of_row(physical_lines: list[bytes], at: int) -> int | None:
    """How many lines the row at `at` takes: up to where its quotes are even. None: they never are, within MAX_ROW_BYTES."""
    quotes = length = 0
    for end in range(at, len(physical_lines)):
        quotes += physical_lines[end].count(b'"')
        length += len(physical_lines[end])
        if quotes % 2 == 0:
            return end - at + 1
        if length > MAX_ROW_BYTES:
            return None
    return None


def _csv_row(row: bytes, width: int, delimiter: str, *, closed: bool) -> list[str] | BadRow | None:
    excerpt = row[:MAX_EXCERPT_BYTES].decode(errors="replace")
    if not row.strip():
        return None
    if len(row) > MAX_ROW_BYTES:
        return BadRow(0, f"the row is longer than {MAX_ROW_BYTES} bytes: shorten it", excerpt)
    if not closed:
        return BadRow(0, "a quote is opened and never closed: double a quote inside a text", excerpt)
    try:
        fields = next(csv.reader([row.decode()], strict=True, delimiter=delimiter))
    except UnicodeDecodeError as error:
        return BadRow(0, f"byte {error.start + 1} of the row is not UTF-8: save the file as UTF-8", excerpt)
    except csv.Error:
        return BadRow(0, "the quotes do not match: double a quote inside a text", excerpt)
    if len(fields) != width:
        separator = {",": "a comma", "\t": "a tab"}.get(delimiter, f"a `{delimiter}`")
        return BadRow(
            0, f"{len(fields)} fields in place of {width}: {separator} inside a text needs quotes around it", excerpt
        )
    return fields
