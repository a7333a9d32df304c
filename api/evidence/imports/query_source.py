"""The rows of a database query as a source.

We stream the rows in pieces into temporary files first, and import them when the query has come to its end: so a query
that fails half-way leaves nothing, and the database is not kept waiting by the ledger. The transaction is read-only.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any, Final

import polars as pl
from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from api.evidence.imports.cells import SourceColumn
from api.evidence.imports.sources import Source, SourceBatch, column_keys
from api.evidence.reading import BATCH_ROWS
from api.store.database import CONNECT_SECONDS, Database
from engine.errors import Rejected

QUERY_NAME: Final = "query"
_FAILURES: Final = (SQLAlchemyError, OSError, ValueError)  # drivers raise ValueError for values that Python has not
_URL_HINT: Final = "write it as postgresql://user@host:5432/name or sqlite:///file.db"


@contextmanager
def open_query(url: str, query: str, batch_rows: int = BATCH_ROWS) -> Iterator[Source]:
    """The query's rows as a source, once all of them have come. Raises Rejected, in one line, without the URL's password."""
    address = _address(url)
    with tempfile.TemporaryDirectory(prefix="iftah-query-") as folder:
        names, pieces = _spool(address, query, Path(folder), batch_rows)
        keys = column_keys(names)
        schemas = [pl.read_parquet_schema(piece) for piece in pieces]
        types = {key: reduce(_common_type, (schema[key] for schema in schemas), pl.Null()) for key in keys}
        columns = tuple(SourceColumn(name, types[key], key) for name, key in zip(names, keys, strict=True))
        total = sum(pl.scan_parquet(piece).select(pl.len()).collect().item() for piece in pieces)

        def batches(used: Sequence[str]) -> Iterator[SourceBatch]:
            position = 0
            frames = (pl.read_parquet(piece, columns=list(used)) for piece in pieces)
            for frame in (each.cast({key: types[key] for key in used}) for each in frames):
                lines = pl.int_range(position + 1, position + 1 + frame.height, dtype=pl.Int64, eager=True)
                position += frame.height
                yield SourceBatch(frame, lines, [], position, total)

        yield Source(QUERY_NAME, columns, batches)


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise Rejected("this is not a database URL", where="--from", hint=_URL_HINT, code="database_url") from None
    backend = address.get_backend_name()
    if backend in ("postgres", "postgresql"):
        return address.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and address.database not in (None, "", ":memory:"):
        if not Path(str(address.database)).is_file():
            raise Rejected(
                "there is no such database", where=str(address.database), hint=_URL_HINT, code="database_url"
            )
        path = Path(str(address.database)).absolute().as_uri()
        return address.set(database=path).update_query_dict({"mode": "ro", "uri": "true"})
    return address


def _place(address: URL) -> str:
    return address.set(drivername=address.get_backend_name(), query={}).render_as_string(hide_password=True)


def _spool(address: URL, query: str, folder: Path, batch_rows: int) -> tuple[list[str], list[Path]]:
    """The names of the query's columns, and its rows in files, each of at most so many."""
    rows, pieces = 0, list[Path]()
    try:
        database = _open(address)
        with _disposing(database), _reader(database) as connection:
            result = connection.exec_driver_sql(query)
            if not result.returns_rows:
                raise Rejected("the query returns no rows", where="--query", hint="write a SELECT", code="query_failed")
            names = list(result.keys())
            for part in result.partitions(batch_rows):
                pieces.append(folder / f"{len(pieces)}.parquet")
                _frame(part, column_keys(names)).write_parquet(pieces[-1])
                rows += len(part)
    except _FAILURES as error:
        raise _failure(address, error, rows) from None
    return names, pieces


def _open(address: URL) -> Database:
    try:
        timeout = {"connect_timeout": CONNECT_SECONDS} if address.get_backend_name() == "postgresql" else {}
        return create_engine(address, connect_args=timeout)
    except (NoSuchModuleError, ModuleNotFoundError):
        message = f"there is no driver for `{address.get_backend_name()}` databases here"
        hint = "install one, or use postgresql or sqlite"
        raise Rejected(message, where="--from", hint=hint, code="database_url") from None


@contextmanager
def _disposing(database: Database) -> Iterator[None]:
    try:
        yield
    finally:
        database.dispose()


@contextmanager
def _reader(database: Database) -> Iterator[Connection]:
    """A connection that streams, reads only, and leaves percent signs and colons in the query as they are."""
    options: dict[str, Any] = {"stream_results": True, "no_parameters": True}
    if database.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    with database.connect() as connection:
        yield connection.execution_options(**options)
        with suppress(SQLAlchemyError):
            connection.rollback()


def _failure(address: URL, error: Exception, rows: int) -> Rejected:
    """The reason in one line, in the database's words, without the password."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    reason = lines[0].strip()
    if address.password and str(address.password) in reason:
        reason = "the database refuses us"
    stage = f"the query failed after {rows:,} rows" if rows or isinstance(error, DBAPIError) else "the query failed"
    message = f"{stage}: {reason}; nothing was imported"
    hint = "check the query and the URL, and run it again"
    return Rejected(message, where=_place(address), hint=hint, code="query_failed")


def _frame(rows: Sequence[Sequence[Any]], keys: list[str]) -> pl.DataFrame:
    columns = zip(*rows, strict=True)
    return pl.DataFrame([_column(key, list(values)) for key, values in zip(keys, columns, strict=True)])


def _column(key: str, values: list[Any]) -> pl.Series:
    """The values in one type; as texts if they have none in common, or one that Polars does not know."""
    try:
        has_nan = any(isinstance(value, Decimal) and not value.is_finite() for value in values)  # Polars panics on it
        column = pl.Series(key, values, pl.Object if has_nan else None, strict=False)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        column = pl.Series(key, values, pl.Object)
    if column.dtype == pl.Object or column.null_count() > values.count(None):
        return pl.Series(key, [None if value is None else str(value) for value in values], pl.String)
    return column


def _common_type(one: Any, other: Any) -> Any:
    """The type in which values of both are kept: texts if there is no closer one."""
    if other in (pl.Null, one):
        return one
    if one == pl.Null:
        return other
    if one.is_numeric() and other.is_numeric():
        if one.is_float() or other.is_float():
            return pl.Float64()
        return pl.Decimal(38, max(getattr(one, "scale", 0), getattr(other, "scale", 0)))
    return pl.String()
