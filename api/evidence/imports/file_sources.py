"""Files of rows as sources: CSV, TSV, JSON lines, a JSON array and Parquet, each also compressed by gzip or zstd."""

import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa  # no types published
import pyarrow.parquet as pq

from api.evidence.imports.cells import SourceColumn
from api.evidence.imports.json_objects import read_objects
from api.evidence.imports.sources import Source, SourceBatch, column_keys
from api.evidence.json_rows import text_frame
from api.evidence.reading import BATCH_ROWS, equal_parts, regular_file
from api.evidence.text_files import (
    PACKED,
    READ_ERRORS,
    RowBlock,
    TextRows,
    beginning,
    csv_header,
    csv_parser,
    file_error,
    read_rows,
    unpack,
)
from api.evidence.values import BadRow

FORMATS: Final = (".csv", ".tsv", ".ndjson", ".jsonl", ".json", ".parquet")
_ROW_BYTES: Final = 120  # of text, roughly
_PACKED_ROW_BYTES: Final = 20


@contextmanager
def open_file(
    path: Path, *, delimiter: str | None = None, column_names: Collection[str] = (), batch_rows: int = BATCH_ROWS
) -> Iterator[Source]:
    """The file as a source. `delimiter`: of CSV; `column_names`: those that a map uses, for which we search beyond the first rows. Raises Rejected when the file as a whole cannot be used."""
    format_name = _format(path)
    with regular_file(path):
        if format_name == ".parquet":
            with _unpacked(path) as unpacked:
                yield _parquet_source(path, unpacked, batch_rows)
            return
        if format_name in (".csv", ".tsv"):
            yield _csv_source(path, delimiter or ("\t" if format_name == ".tsv" else ","), batch_rows)
        else:
            yield _json_source(path, column_names, batch_rows)


def _format(path: Path) -> str:
    """The ending that says how the rows are written."""
    name = Path(path.name.lower())
    ending = Path(name.stem).suffix if name.suffix in PACKED else name.suffix
    if ending not in FORMATS:
        endings = f"{', '.join(FORMATS)}, each with {' or '.join(PACKED)} if it is compressed"
        raise file_error(path, "unknown format", f"name it {endings}", "file_format")
    return ending


def likely_delimiter(path: Path) -> str:
    """The sign that the first line of a CSV file has most often."""
    if _format(path) != ".csv":
        return ","
    with regular_file(path):
        header = beginning(path).partition(b"\n")[0]
    return max(",;|\t", key=lambda sign: header.count(sign.encode()))


def _row_bytes(path: Path) -> int:
    return _PACKED_ROW_BYTES if path.suffix.lower() in PACKED else _ROW_BYTES


def _text_columns(names: Iterable[str]) -> tuple[SourceColumn, ...]:
    names = list(names)
    return tuple(SourceColumn(name, pl.String(), key) for name, key in zip(names, column_keys(names), strict=True))


def _batches(blocks: Iterator[RowBlock], batch_rows: int) -> Iterator[SourceBatch]:
    for block in blocks:
        rows = block.rows
        bad_rows: list[BadRow] = sorted(rows.bad_rows, key=lambda row: row.line)
        for at, size, last in equal_parts(rows.texts.height, batch_rows):
            frame, lines = rows.texts.slice(at, size), rows.lines.slice(at, size)
            end = (bad_rows, block.position, block.total, block.broken)
            yield SourceBatch(frame, lines, *(end if last else ([], block.position, block.total, None)))


# --- CSV -----------------------------------------------------------------------------------------------------------


def _csv_source(path: Path, delimiter: str, batch_rows: int) -> Source:
    columns = _text_columns(csv_header(path, beginning(path), delimiter))
    keys = [column.key for column in columns]

    def batches(_used: Sequence[str]) -> Iterator[SourceBatch]:
        return _batches(read_rows(path, lambda _path, _data: csv_parser(keys, delimiter)), batch_rows)

    return Source(str(path), columns, batches, _row_bytes(path))


# --- JSON ----------------------------------------------------------------------------------------------------------


def _json_source(path: Path, column_names: Collection[str], batch_rows: int) -> Source:
    """The columns are the keys of the first objects; if one of `column_names` is not among them, the keys of all objects."""
    names = dict[str, None]()
    for block in read_objects(path):
        names |= dict.fromkeys(name for each in block.objects for name in each)
        if names and names.keys() >= set(column_names):
            break
    columns = _text_columns(names)
    keys, total = [column.key for column in columns], path.stat().st_size

    def row_blocks() -> Iterator[RowBlock]:
        for block in read_objects(path):
            frame = text_frame(keys, [tuple(map(each.get, names)) for each in block.objects])
            rows = TextRows(frame, pl.Series(block.lines, dtype=pl.Int64), block.bad_rows, b"", 0)
            yield RowBlock(rows, block.position, total, block.broken)

    return Source(str(path), columns, lambda _used: _batches(row_blocks(), batch_rows), _row_bytes(path))


# --- Parquet -------------------------------------------------------------------------------------------------------


@contextmanager
def _unpacked(path: Path) -> Iterator[Any]:
    """The path of a Parquet file, or its content in a temporary file if it is compressed as a whole."""
    if path.suffix.lower() not in PACKED:
        yield path
        return
    with path.open("rb") as raw, tempfile.TemporaryFile() as file:
        try:
            shutil.copyfileobj(unpack(path, raw), file)
        except READ_ERRORS:
            raise file_error(path, "the file breaks off", "send it again", "file_broken") from None
        file.seek(0)
        yield file


def _parquet_source(path: Path, content: Any, batch_rows: int) -> Source:
    try:
        file = pq.ParquetFile(content)
    except (pa.ArrowException, OSError):
        raise file_error(
            path, "this is not a Parquet file, or it is damaged", "write it again", "file_broken"
        ) from None
    schema = pl.DataFrame(pl.from_arrow(file.schema_arrow.empty_table())).schema
    keys = column_keys(list(schema))
    columns = tuple(SourceColumn(name, dtype, key) for (name, dtype), key in zip(schema.items(), keys, strict=True))
    return Source(str(path), columns, lambda used: _parquet_batches(path, file, columns, used, batch_rows))


def _parquet_batches(
    path: Path, file: pq.ParquetFile, columns: tuple[SourceColumn, ...], used: Sequence[str], batch_rows: int
) -> Iterator[SourceBatch]:
    position, total = 0, file.metadata.num_rows
    names = {column.name: column.key for column in columns if column.key in used}
    types = {column.key: column.dtype for column in columns if column.key in used}
    batches = file.iter_batches(batch_rows, columns=list(names))
    while position < total:
        try:
            frame = pl.DataFrame(pl.from_arrow(next(batches))).rename(names)
        except (pa.ArrowException, OSError, StopIteration, pl.exceptions.PolarsError):
            broken = f"{path}: the file cannot be read after row {position}: write it again"
            yield SourceBatch(pl.DataFrame(schema=types), pl.Series(dtype=pl.Int64), [], position, total, broken)
            return
        lines = pl.int_range(position + 1, position + 1 + frame.height, dtype=pl.Int64, eager=True)
        position += frame.height
        yield SourceBatch(frame, lines, [], position, total)
