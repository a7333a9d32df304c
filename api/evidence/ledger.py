"""The ledger: the append-only table of events, and the only road into it.

An event is known by (contributor, event_id). Sending it again with the same content changes nothing; with other content
it is refused. `recorded_at` is the ledger's: the `now` of the append, but always later than every append before it. So
everything recorded up to some moment is settled: `read(known_at=extent(engine).recorded_at)` answers the same for ever,
whatever is appended later and however the clock was set.
"""

import json
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, Engine, update

from api import tables
from api.clock import micros, moment, refuse_far_ahead
from api.database import reading, writing
from api.evidence import amendments, departed
from api.evidence.insertion import insert_new
from api.evidence.selection import LISTED, bound, columns_of, select_events
from engine.errors import Refused
from graph.events import CONTENT, IDENTITY, LONGEST, SCHEMA, conform, corrections, problems
from graph.vocabulary import KIND

REFUSED_SCHEMA: Final = {"row": pl.Int64, "reason": pl.String}
_NO_ROWS: Final = pl.DataFrame(schema=REFUSED_SCHEMA)
_TEXTS: Final = tuple(c for c, t in SCHEMA.items() if t == pl.String)
HOUSE: Final = "iftah"  # who contributes what the house itself has to say


@dataclass(frozen=True)
class Appended:
    """What became of a batch. `refused`: `row` (0-based in the batch) and `reason`; `recorded_at` None: nothing was new;
    `repeats`: the rows that are duplicates.
    """

    accepted: int
    duplicates: int
    refused: pl.DataFrame
    recorded_at: datetime | None = None
    repeats: pl.Series = field(default_factory=lambda: _NO_ROWS["row"])


@dataclass(frozen=True)
class Checked:
    """A batch that has been checked by itself: `good` (SCHEMA's columns and `row`) may be inserted, `refused` may not."""

    good: pl.DataFrame
    refused: pl.DataFrame


@dataclass(frozen=True)
class Extent:
    """How many events the ledger holds, and the latest times among them; None while it is empty."""

    events: int
    recorded_at: datetime | None
    happened_at: datetime | None


def append(engine: Engine, batch: pl.DataFrame, now: datetime, *, all_or_nothing: bool = False) -> Appended:
    """Append the batch's good events in one transaction, in the batch's order. A `recorded_at` in it is ignored.

    `all_or_nothing`: one refused row keeps out all others. Raises Refused when the database is in trouble, and polars'
    errors when a column does not have `SCHEMA`'s type.
    """
    return insert(engine, check(batch, now), now, all_or_nothing=all_or_nothing)


def check(batch: pl.DataFrame, now: datetime) -> Checked:
    """What can be said about a batch without the database. Pure."""
    events = _without_empty_texts(conform(batch).with_columns(pl.lit(None, SCHEMA["recorded_at"]).alias("recorded_at")))
    refused = pl.concat([problems(events, now).cast(REFUSED_SCHEMA), _unstorable(events)])  # type: ignore[arg-type]
    rows = events.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    refused = refused.group_by("row").agg(pl.col("reason").str.join("; ")).sort("row")
    return Checked(_without(rows, refused), refused)


def _without(rows: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    return rows if refused.is_empty() else rows.join(refused, on="row", how="anti", maintain_order="left")


def _without_empty_texts(events: pl.DataFrame) -> pl.DataFrame:
    """An empty text says nothing: null, as in a CSV file, so that one event is one content whatever file it came by."""
    empty = [c for c in _TEXTS if (events[c] == "").any()]
    return events.with_columns(pl.when(pl.col(c) != "").then(pl.col(c)).alias(c) for c in empty)


def _unstorable(events: pl.DataFrame) -> pl.DataFrame:
    """PostgreSQL keeps no NUL in a text; the checks of `graph.events` let the long texts have control characters."""
    found = [
        events.select("row", pl.lit(f"`{column}` has a NUL character: remove it").alias("reason"))
        for column, events in ((c, _holding_nul(events, c)) for c in LONGEST)
        if not events.is_empty()
    ]
    return pl.concat([pl.DataFrame(schema=REFUSED_SCHEMA), *found])


def _holding_nul(events: pl.DataFrame, column: str) -> pl.DataFrame:
    rows = events.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), column)
    return rows.filter(pl.col(column).str.contains("\0", literal=True))


def insert(engine: Engine, checked: Checked, now: datetime, *, all_or_nothing: bool = False) -> Appended:
    """The second half of `append`, for those who check one batch while another is being written."""
    if checked.good.is_empty() or (all_or_nothing and not checked.refused.is_empty()):
        return Appended(0, 0, checked.refused)
    with writing(engine) as connection:
        return insert_in(connection, checked, now, all_or_nothing=all_or_nothing)


def insert_in(connection: Connection, checked: Checked, now: datetime, *, all_or_nothing: bool = False) -> Appended:
    """The same within a write transaction, whose other changes then stand or fall with it."""
    if checked.good.is_empty() or (all_or_nothing and not checked.refused.is_empty()):
        return Appended(0, 0, checked.refused)
    try:
        with connection.begin_nested() if all_or_nothing else nullcontext():
            done = _inserted(connection, checked, now)
            if all_or_nothing and not done.refused.is_empty():
                raise _Nothing
    except _Nothing:
        return Appended(0, 0, done.refused)
    return done


def _inserted(connection: Connection, checked: Checked, now: datetime) -> Appended:
    left = departed.naming(connection, checked.good)
    wrong = amendments.rejected(connection, _without(checked.good, left))
    left = pl.concat([left, wrong])
    good = _without(checked.good, left)
    if good.is_empty():
        return Appended(0, 0, pl.concat([checked.refused, left]).sort("row"))
    before = extent_of(connection)
    refuse_far_ahead(now, before.recorded_at)
    recorded_at = _later_than(before.recorded_at, now)
    accepted = insert_new(connection, good, micros(recorded_at))
    clashes, repeats = _NO_ROWS, _NO_ROWS["row"]
    if accepted < good.height:
        clashes, repeats = _known_before(connection, good, recorded_at)
    if accepted:
        _extend(connection, before, accepted, recorded_at, new := _without(good, clashes))
        _follow_moves(connection, new)
    said = pl.concat([checked.refused, left, clashes]).sort("row")
    return Appended(accepted, repeats.len(), said, recorded_at if accepted else None, repeats)


def pass_by(connection: Connection, now: datetime) -> datetime:
    """When something would be recorded now, if it were; later events are later than that."""
    last = extent_of(connection).recorded_at
    recorded_at = _later_than(last, now)
    if last is not None:  # of an empty ledger nobody asks since when
        connection.execute(update(tables.Extent).values(recorded_at=micros(recorded_at)))
    return recorded_at


def say(connection: Connection, now: datetime, **event: object) -> None:
    """Append one event of the house's own within a write transaction. Raises Refused when it may not enter the ledger."""
    row = {"contributor": HOUSE, "happened_at": now, **event}
    checked = check(pl.DataFrame([row], schema_overrides={c: SCHEMA[c] for c in row}), now)
    refused = insert_in(connection, checked, now).refused
    if not refused.is_empty():
        raise Refused(str(refused["reason"][0]), where="event", code="bad_event")


class _Nothing(Exception):  # not an error: it rolls back what was inserted
    pass


def _later_than(last: datetime | None, now: datetime) -> datetime:
    return now if last is None else max(now, last + timedelta(microseconds=1))


def _extend(connection: Connection, before: Extent, accepted: int, recorded_at: datetime, good: pl.DataFrame) -> None:
    last = max(filter(None, (before.happened_at, good["happened_at"].max())))  # type: ignore[type-var]
    row = {"events": before.events + accepted, "recorded_at": micros(recorded_at), "happened_at": micros(last)}  # type: ignore[arg-type]
    connection.execute(update(tables.Extent).values(row))


def _follow_moves(connection: Connection, good: pl.DataFrame) -> None:
    """Write down which items the corrections among these give another `other`."""
    said = good.filter(pl.col("kind") == "event.corrected").select("contributor", "ref_event", "fields")
    told = ((c, item, corrections(fields).get("other")) for c, item, fields in said.iter_rows())
    rows = {(str(other), c, item) for c, item, other in told if other}
    statement = "INSERT INTO moves (other, contributor, event_id) VALUES {} ON CONFLICT DO NOTHING"
    marks = "(?, ?, ?)" if connection.dialect.name == "sqlite" else "(%s, %s, %s)"
    for row in sorted(rows):  # corrections are few
        connection.exec_driver_sql(statement.format(marks), row)


def _known_before(connection: Connection, good: pl.DataFrame, recorded_at: datetime) -> tuple[pl.DataFrame, pl.Series]:
    """The rows whose content is not the content recorded under their id; and the others of those that are not new.

    The first row of an id has been recorded by now, with `recorded_at` if it is new.
    """
    recorded = select_events(connection, (*CONTENT, "recorded_at"), *_of_keys(connection, good))
    both = good.join(recorded, on=IDENTITY, how="left", suffix="_recorded", maintain_order="left")
    differs = {c: pl.col(c).ne_missing(pl.col(f"{c}_recorded")) for c in CONTENT if c not in IDENTITY}
    differing = pl.concat_str(
        [pl.when(d).then(pl.lit(f"`{c}`")) for c, d in differs.items()], separator=", ", ignore_nulls=True
    )
    said = (
        pl.lit("`event_id` was sent before with other content, see "),
        differing,
        pl.lit(": send event.corrected instead"),
    )
    clashing = pl.any_horizontal(differs.values())
    new = (pl.col("recorded_at_recorded") == recorded_at) & pl.struct(IDENTITY).is_first_distinct()
    clashes = both.filter(clashing).select("row", pl.concat_str(*said).alias("reason"))
    return clashes, both.filter(~clashing & ~new)["row"]


def _of_keys(connection: Connection, good: pl.DataFrame) -> tuple[str, dict[str, Any]]:
    if connection.dialect.name == "postgresql":
        return "events WHERE (contributor, event_id) IN (SELECT contributor, event_id FROM batch)", {}
    # CROSS JOIN: SQLite then keeps to the order of the tables and looks each key up, whatever its statistics say
    joined = "CROSS JOIN events ON contributor = key.value ->> 0 AND event_id = key.value ->> 1"
    return f"json_each(:keys) AS key {joined}", {"keys": json.dumps(good.select(IDENTITY).unique().rows())}


def read(
    engine: Engine,
    *,
    known_at: datetime | None = None,
    people: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
) -> pl.DataFrame:
    """The events in order of appending, in `SCHEMA`'s columns.

    `known_at`: recorded up to then; `people`: with one of these at either end; `kinds`: of one of these; None: all.
    Raises Refused when the database is in trouble.
    """
    values: dict[str, Any] = {}
    where = ["true"]
    listed = LISTED[engine.dialect.name]
    if known_at is not None:
        where.append(f"recorded_at <= {micros(known_at)}")
    if people is not None:
        values["people"] = bound(engine.dialect.name, [p for p in people if "\0" not in p])
        ends = (f"SELECT seq FROM events WHERE {end} IN {listed('people')}" for end in ("subject", "other"))
        where.append(f"seq IN ({' UNION '.join(ends)})")
    if kinds is not None:
        values["kinds"] = bound(engine.dialect.name, [k for k in kinds if k in KIND])
        where.append(f"kind IN {listed('kinds')}")
    columns = columns_of(KIND if kinds is None else kinds)
    with reading(engine) as connection:
        return conform(select_events(connection, columns, f"events WHERE {' AND '.join(where)} ORDER BY seq", values))


def extent(engine: Engine) -> Extent:
    """How much there is and up to when. One row is read, whatever the ledger's size."""
    with reading(engine) as connection:
        return extent_of(connection)


def extent_of(connection: Connection) -> Extent:
    """The same, within a transaction."""
    events, recorded_at, happened_at = connection.exec_driver_sql(
        "SELECT events, recorded_at, happened_at FROM extent"
    ).one()
    times = (None if t is None else moment(t) for t in (recorded_at, happened_at))
    return Extent(events, *times)
