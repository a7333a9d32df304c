"""Selecting events: rows of the ledger's table as a frame of `SCHEMA`'s types, fast on either database."""

import gc
import io
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection

from api.evidence.insertion import names
from graph.events import KIND_FIELDS, SCHEMA, conform
from graph.vocabulary import KIND

_TIMES: Final = tuple(c for c, t in SCHEMA.items() if isinstance(t, pl.Datetime))
_DAYS: Final = tuple(c for c, t in SCHEMA.items() if t == pl.Date)
_STORED: Final = {
    "seq": pl.Int64,
    **{c: t if t == pl.String else pl.Int64 for c, t in SCHEMA.items()},
}  # times as integers
_ROWS_A_FETCH: Final = 20_000


LISTED: Final[dict[str, Callable[[str], str]]] = {
    "sqlite": lambda name: f"(SELECT value FROM json_each(:{name}))",
    "postgresql": lambda name: f"(SELECT unnest(%({name})s::text[]))",
}


def bound(dialect: str, items: list[str]) -> str | list[str]:
    """A list of texts as the value of a parameter that stands where `LISTED` has it."""
    return json.dumps(items) if dialect == "sqlite" else items


def fetch(
    connection: Connection, source: str, values: dict[str, Any], kinds: Collection[str] = tuple(KIND)
) -> pl.DataFrame:
    """Whole events of `kinds`, with `seq` before the columns of `SCHEMA`; `source` is what comes after FROM."""
    found = select_events(connection, ["seq", *columns_of(kinds)], source, values)
    return found.select("seq").hstack(conform(found))


def columns_of(kinds: Collection[str]) -> list[str]:
    """Only these kinds' columns: the others are null anyway, and a value costs as much to fetch when it is null."""
    fields = {field for name in kinds if name in KIND for field in (*KIND[name].needs, *KIND[name].may)}
    return [c for c in SCHEMA if c not in KIND_FIELDS or c in fields]


def select_events(
    connection: Connection, columns: Collection[str], source: str, values: dict[str, Any]
) -> pl.DataFrame:
    """These columns of `source` (what comes after FROM), as the types of SCHEMA."""
    sql = f"SELECT {names(columns)} FROM {source}"
    stored = _FETCH[connection.dialect.name](
        connection.connection.cursor(), sql, {c: _STORED[c] for c in columns}, values
    )
    return stored.with_columns(
        *(pl.col(c).cast(SCHEMA[c]) for c in columns if c in _TIMES),
        *(pl.col(c).cast(pl.Int32).cast(pl.Date) for c in columns if c in _DAYS),
    )


def _fetch_sqlite(cursor: Any, sql: str, schema: dict[str, Any], values: dict[str, Any]) -> pl.DataFrame:
    cursor.execute(sql, values)
    parts = [pl.DataFrame(schema=schema)]
    with _uncollected():
        while rows := cursor.fetchmany(_ROWS_A_FETCH):
            columns = zip(schema.items(), zip(*rows, strict=True), strict=True)
            parts.append(pl.DataFrame([pl.Series(name, column, dtype) for (name, dtype), column in columns]))
    return pl.concat(parts)


@contextmanager
def _uncollected() -> Iterator[None]:
    """The collector looks at every row as if it could be part of a cycle: without it a fetch takes two thirds of the time."""
    if not gc.isenabled():  # whoever switched it off, or another thread that fetches
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
    with cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT csv)", values or None) as copy:
        for data in copy:
            text.write(data)
    if not text.tell():
        return pl.DataFrame(schema=schema)
    text.seek(0)
    return pl.read_csv(text, has_header=False, new_columns=list(schema), schema=schema)


_FETCH: Final = {"sqlite": _fetch_sqlite, "postgresql": _fetch_postgresql}
