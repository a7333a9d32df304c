"""Insert a batch of checked events into the table by the fastest method of each database that skips existing rows, and compare
the skipped ones with those that are recorded under their ids.
"""

import json
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl
from psycopg.errors import UniqueViolation
from sqlalchemy import Connection, column, select, table, tuple_

from api.evidence.selection import select_events
from api.store import plain_sql
from api.store.clock import micros
from api.store.statements import Query, insert_missing, look_up_keys
from api.store.tables import EVENTS
from graph.evidence.events import CONTENT_COLUMNS, EVENT_KEY, SCHEMA

REFUSED_SCHEMA: Final = {"row": pl.Int64, "reason": pl.String}
_BATCH: Final = table("batch", *(column(c) for c in EVENT_KEY))
_RECORDED_COLUMNS: Final = (*CONTENT_COLUMNS, "recorded_at")
_RECORDED_OF_BATCH: Final = select(*(EVENTS.c[c] for c in _RECORDED_COLUMNS)).where(
    tuple_(*(EVENTS.c[c] for c in EVENT_KEY)).in_(select(*(_BATCH.c[c] for c in EVENT_KEY)))
)

_ROWS_PER_STATEMENT: Final = 250  # one statement for so many rows is three times as fast as one for each


class Insertion(NamedTuple):
    """How many rows were new; the rows whose id is recorded with other content (`row`, `reason`); the rows that are repeats."""

    accepted: int
    clashes: pl.DataFrame
    repeats: pl.Series


def insert_new(connection: Connection, good: pl.DataFrame, recorded_at: datetime) -> Insertion:
    """Insert the rows whose key is new, in their order. `good`: SCHEMA's columns and `row`."""
    accepted = _INSERT[connection.dialect.name](connection, good, micros(recorded_at))
    if accepted == good.height:
        return Insertion(accepted, pl.DataFrame(schema=REFUSED_SCHEMA), pl.Series("row", dtype=pl.Int64))
    return Insertion(accepted, *_clashes_and_repeats(connection, good, recorded_at))


def _clashes_and_repeats(
    connection: Connection, good: pl.DataFrame, recorded_at: datetime
) -> tuple[pl.DataFrame, pl.Series]:
    """The rows whose content is not the content recorded under their id; and the others of those that are not new.

    The first row of an id has been recorded by now, with `recorded_at` if it is new.
    """
    query = _recorded_query(connection, good)
    recorded_events = select_events(connection, query)
    pairs = good.join(recorded_events, on=EVENT_KEY, how="left", suffix="_recorded", maintain_order="left")
    differs = {c: pl.col(c).ne_missing(pl.col(f"{c}_recorded")) for c in CONTENT_COLUMNS if c not in EVENT_KEY}
    differing = pl.concat_str(
        [pl.when(d).then(pl.lit(f"`{c}`")) for c, d in differs.items()], separator=", ", ignore_nulls=True
    )
    reason = (
        pl.lit("`event_id` was sent before with other content, see "),
        differing,
        pl.lit(": send event.corrected instead"),
    )
    clashing = pl.any_horizontal(differs.values())
    new = (pl.col("recorded_at_recorded") == recorded_at) & pl.struct(EVENT_KEY).is_first_distinct()
    clashes = pairs.filter(clashing).select("row", pl.concat_str(*reason).alias("reason"))
    return clashes, pairs.filter(~clashing & ~new)["row"]


def _recorded_query(connection: Connection, good: pl.DataFrame) -> Query:
    """The events that are recorded under the keys of a batch, which PostgreSQL has in its temporary table `batch`."""
    if connection.dialect.name == "postgresql":
        return Query(_RECORDED_OF_BATCH)
    keys = json.dumps(good.select(EVENT_KEY).unique().rows())
    return Query(look_up_keys("sqlite", EVENTS, _RECORDED_COLUMNS, EVENT_KEY), {"keys": keys})


def _narrow(good: pl.DataFrame, *extra: str) -> pl.DataFrame:
    """The rows as we store them, without `recorded_at` and the columns that are null in every row: half of an insert's
    cost is columns.
    """
    columns = [c for c in CONTENT_COLUMNS if good[c].null_count() < good.height]
    return good.select(
        *extra, *(pl.col(c) if SCHEMA[c] == pl.String else pl.col(c).to_physical().cast(pl.Int64) for c in columns)
    )


def _insert_sqlite(connection: Connection, good: pl.DataFrame, recorded_at: int) -> int:
    rows = _narrow(good).with_columns(pl.lit(recorded_at).alias("recorded_at"))
    constant_columns = [c for c in rows.columns if c != "event_id" and _is_constant(rows[c])]
    constants = rows.select(constant_columns).row(0)
    varying = rows.drop(constant_columns)
    flat = _row_by_row(varying)
    size = varying.width * _ROWS_PER_STATEMENT
    full_length = len(flat) - len(flat) % size
    cursor: Any = connection.connection.cursor()
    accepted = 0
    for start, end, step in ((0, full_length, size), (full_length, len(flat), varying.width)):
        if start < end:
            sql = plain_sql.insert_events(varying.columns, constant_columns, step // varying.width)
            cursor.executemany(sql, ((*flat[at : at + step], *constants) for at in range(start, end, step)))
            accepted += cursor.rowcount
    return accepted


def _is_constant(column: pl.Series) -> bool:
    return column.null_count() == 0 and bool((column == column[0]).all())


def _row_by_row(rows: pl.DataFrame) -> list[Any]:
    """All values in one list, row after row; columns are dealt out by slices, without a step of Python for each value."""
    flat: list[Any] = [None] * (rows.width * rows.height)
    for place, values in enumerate(rows):
        flat[place :: rows.width] = values.to_list()
    return flat


def _insert_postgresql(connection: Connection, good: pl.DataFrame, recorded_at: int) -> int:
    """Insert directly as if all rows were new, which takes a third of the time. If some are not, copy to a temporary
    table and insert the missing ones.
    """
    rows = _narrow(good, "row").with_columns(pl.lit(recorded_at).alias("recorded_at"))
    try:
        with connection.begin_nested():
            _copy_in(connection, "events", rows.drop("row"))
    except UniqueViolation:
        return _insert_missing(connection, rows)
    return rows.height


def _insert_missing(connection: Connection, rows: pl.DataFrame) -> int:
    columns = rows.columns[1:]
    connection.exec_driver_sql(plain_sql.create_batch(columns))
    _copy_in(connection, "batch", rows)
    batch = table("batch", column("row"), *(column(c) for c in columns))
    in_order = select(*(batch.c[c] for c in columns)).order_by(batch.c.row)
    return connection.execute(
        insert_missing(EVENTS, "postgresql").from_select(columns, in_order),
        execution_options={"preserve_rowcount": True},
    ).rowcount


def _copy_in(connection: Connection, name: str, rows: pl.DataFrame) -> None:
    cursor: Any = connection.connection.cursor()
    with cursor.copy(plain_sql.copy_in(name, rows.columns)) as copy:
        copy.write(rows.write_csv(include_header=False).encode())


_INSERT: Final = {"sqlite": _insert_sqlite, "postgresql": _insert_postgresql}
