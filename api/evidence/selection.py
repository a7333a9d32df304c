"""Selecting events: rows of the ledger's table as a frame of `SCHEMA`'s types, fast on either database."""

import gc
import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection

from api.store import plain_sql
from api.store.statements import Query, compiled
from graph.evidence.events import KIND_FIELDS, SCHEMA, conform
from graph.evidence.vocabulary import STANDARD

_TIMES: Final = tuple(c for c, t in SCHEMA.items() if isinstance(t, pl.Datetime))
_DAYS: Final = tuple(c for c, t in SCHEMA.items() if t == pl.Date)
_STORED_TYPES: Final = {
    "seq": pl.Int64,
    **{c: t if t == pl.String else pl.Int64 for c, t in SCHEMA.items()},
}  # times as integers
_ROWS_PER_FETCH: Final = 20_000


def fetch(connection: Connection, query: Query) -> pl.DataFrame:
    """The events of a query for `seq` and columns of `SCHEMA`: `seq`, then all columns of `SCHEMA`, null where not selected."""
    events = select_events(connection, query)
    return events.select("seq").hstack(conform(events))


def columns_of(kinds: Collection[str] | None = None) -> list[str]:
    """Only these kinds' columns: the others are null anyway, and a value costs as much to fetch when it is null. All columns
    for None, and for kinds that are not shipped.
    """
    shipped = STANDARD.kind_by_name
    if kinds is None or not set(kinds) <= set(shipped):
        return list(SCHEMA)
    fields = {field for name in kinds for field in shipped[name].fields}
    return [c for c in SCHEMA if c not in KIND_FIELDS or c in fields]


def select_events(connection: Connection, query: Query) -> pl.DataFrame:
    """The rows of a query for columns of events, in the types of `SCHEMA`."""
    dialect = connection.dialect.name
    statement = compiled(query.statement, dialect)
    types = {c: _STORED_TYPES[c] for c in statement.columns}
    stored = _FETCH[dialect](connection.connection.cursor(), statement.sql, types, statement.bind(query.values))
    return stored.with_columns(
        *(pl.col(c).cast(SCHEMA[c]) for c in types if c in _TIMES),
        *(pl.col(c).cast(pl.Int32).cast(pl.Date) for c in types if c in _DAYS),
    )


def _fetch_sqlite(cursor: Any, sql: str, schema: dict[str, Any], values: dict[str, Any]) -> pl.DataFrame:
    cursor.execute(sql, values)
    parts = [pl.DataFrame(schema=schema)]
    with _without_garbage_collection():
        while rows := cursor.fetchmany(_ROWS_PER_FETCH):
            columns = zip(schema.items(), zip(*rows, strict=True), strict=True)
            parts.append(pl.DataFrame([pl.Series(name, column, dtype) for (name, dtype), column in columns]))
    return pl.concat(parts)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """The collector looks at every row as if it could be part of a cycle: without it a fetch takes two thirds of the time."""
    if not gc.isenabled():  # another thread that fetches, or other code, switched it off
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _fetch_postgresql(cursor: Any, sql: str, schema: dict[str, Any], values: dict[str, Any]) -> pl.DataFrame:
    """As CSV: Polars parses it many times as fast as rows can be made into Python values. Null is an empty, unquoted field."""
    text = io.BytesIO()
    with cursor.copy(plain_sql.copy_out(sql), values) as copy:
        for data in copy:
            text.write(data)
    if not text.tell():
        return pl.DataFrame(schema=schema)
    text.seek(0)
    return pl.read_csv(text, has_header=False, new_columns=list(schema), schema=schema)


_FETCH: Final = {"sqlite": _fetch_sqlite, "postgresql": _fetch_postgresql}
