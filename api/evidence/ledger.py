"""The ledger: the append-only table of events, and its only entry.

An event is known by (contributor, event_id). Sending it again with the same content changes nothing; with other content
it is refused. `recorded_at` is the ledger's: the `now` of the append, but always later than every append before it. So
everything recorded up to some moment is settled: `read(known_at=extent(database).recorded_at)` answers the same for ever,
however much you append later and however the clock was set.
"""

from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, Select, bindparam, select, union, update

from api.evidence import amendments, erasure_tombstones, link_sources, undone_links
from api.evidence.insertion import REFUSED_SCHEMA, insert_new
from api.evidence.selection import columns_of, select_events
from api.store import tables
from api.store.clock import micros, moment, refuse_far_ahead
from api.store.database import Database, reading, writing
from api.store.statements import Query, insert_missing, is_any_of, texts
from api.store.tables import EVENTS
from engine.errors import Rejected
from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA, conform, decode_fields
from graph.evidence.vocabulary import STANDARD, EventVocabulary

_NO_ROWS: Final = pl.DataFrame(schema=REFUSED_SCHEMA)
_TEXTS: Final = tuple(c for c, t in SCHEMA.items() if t == pl.String)
_PERSON_EVENTS: Final = EVENTS.alias("p")
_SEQS_OF_PEOPLE: Final = union(
    *(
        select(_PERSON_EVENTS.c.seq).where(is_any_of(_PERSON_EVENTS.c[end], texts("people")))
        for end in ("subject", "other")
    )
)
_EXTENT: Final = select(tables.EXTENT.c.events, tables.EXTENT.c.recorded_at, tables.EXTENT.c.happened_at)
SYSTEM_CONTRIBUTOR: Final = "iftah"  # the contributor of the system's own events


@dataclass(frozen=True)
class AppendResult:
    """The result of appending a batch. `refused`: `row` (0-based in the batch) and `reason`; `recorded_at` None: nothing was new;
    `repeats`: the rows that are duplicates; `clashes`: those of `refused` whose id has been recorded with other content.
    """

    accepted: int
    duplicates: int
    refused: pl.DataFrame
    recorded_at: datetime | None = None
    repeats: pl.Series = field(default_factory=lambda: _NO_ROWS["row"])
    clashes: pl.Series = field(default_factory=lambda: _NO_ROWS["row"])


@dataclass(frozen=True)
class CheckedBatch:
    """A batch that has been checked by itself: `good` (SCHEMA's columns and `row`) may be inserted, `refused` may not."""

    good: pl.DataFrame
    refused: pl.DataFrame
    vocabulary: EventVocabulary = STANDARD


@dataclass(frozen=True)
class LedgerExtent:
    """How many events the ledger holds, and the latest times among them; None while it is empty."""

    events: int
    recorded_at: datetime | None
    happened_at: datetime | None


def append(
    database: Database,
    batch: pl.DataFrame,
    now: datetime,
    *,
    all_or_nothing: bool = False,
    vocabulary: EventVocabulary = STANDARD,
) -> AppendResult:
    """Append the batch's good events in one transaction, in the batch's order. A `recorded_at` in it is ignored.

    `all_or_nothing`: one refused row keeps out all others. Raises Rejected when the database is in trouble, and polars'
    errors when a column does not have `SCHEMA`'s type.
    """
    return insert(database, check(batch, now, vocabulary), now, all_or_nothing=all_or_nothing)


def check(batch: pl.DataFrame, now: datetime, vocabulary: EventVocabulary = STANDARD) -> CheckedBatch:
    """Check a batch as far as we can without the database. Pure."""
    events = _without_empty_texts(conform(batch).with_columns(pl.lit(None, SCHEMA["recorded_at"]).alias("recorded_at")))
    refused = problems(events, now, vocabulary)
    rows = events.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    return CheckedBatch(_without(rows, refused), refused, vocabulary)


def _without(rows: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    return rows if refused.is_empty() else rows.join(refused, on="row", how="anti", maintain_order="left")


def _without_empty_texts(events: pl.DataFrame) -> pl.DataFrame:
    """Turn empty texts into null, as in a CSV file, so that an event has the same content from every file format."""
    empty = [c for c in _TEXTS if (events[c] == "").any()]
    return events.with_columns(pl.when(pl.col(c) != "").then(pl.col(c)).alias(c) for c in empty)


def insert(database: Database, checked: CheckedBatch, now: datetime, *, all_or_nothing: bool = False) -> AppendResult:
    """The second half of `append`: you can check one batch while you insert another."""
    if checked.good.is_empty() or (all_or_nothing and not checked.refused.is_empty()):
        return AppendResult(0, 0, checked.refused)
    with writing(database) as connection:
        return insert_in(connection, checked, now, all_or_nothing=all_or_nothing)


def insert_in(
    connection: Connection, checked: CheckedBatch, now: datetime, *, all_or_nothing: bool = False
) -> AppendResult:
    """The same within a write transaction, whose other changes then stand or fall with it."""
    if checked.good.is_empty() or (all_or_nothing and not checked.refused.is_empty()):
        return AppendResult(0, 0, checked.refused)
    try:
        with connection.begin_nested() if all_or_nothing else nullcontext():
            result = _insert(connection, checked, now)
            if all_or_nothing and not result.refused.is_empty():
                raise _RollBack
    except _RollBack:
        return AppendResult(0, 0, result.refused)
    return result


def _insert(connection: Connection, checked: CheckedBatch, now: datetime) -> AppendResult:
    rejected_rows = erasure_tombstones.rejections(connection, checked.good)
    foreign_links = link_sources.rejections(connection, _without(checked.good, rejected_rows))
    rejected_rows = pl.concat([rejected_rows, foreign_links])
    bad_amendments = amendments.rejections(connection, _without(checked.good, rejected_rows), checked.vocabulary)
    rejected_rows = pl.concat([rejected_rows, bad_amendments])
    good = _without(checked.good, rejected_rows)
    if good.is_empty():
        return AppendResult(0, 0, pl.concat([checked.refused, rejected_rows]).sort("row"))
    extent_before = extent_of(connection)
    refuse_far_ahead(now, extent_before.recorded_at)
    recorded_at = _later_than(extent_before.recorded_at, now)
    accepted, clashes, repeats = insert_new(connection, good, recorded_at)
    if accepted:
        _extend(connection, extent_before, accepted, recorded_at, new := _without(good, clashes))
        _follow_moves(connection, new)
        undone_links.stop_sharing(connection, new, recorded_at)
    refused = pl.concat([checked.refused, rejected_rows, clashes]).sort("row")
    return AppendResult(accepted, repeats.len(), refused, recorded_at if accepted else None, repeats, clashes["row"])


def reserve_moment(connection: Connection, now: datetime) -> datetime:
    """The `recorded_at` of an append at this moment. We reserve it: events recorded later are later than that."""
    last = extent_of(connection).recorded_at
    recorded_at = _later_than(last, now)
    if last is not None:  # an empty ledger has no latest time
        connection.execute(update(tables.ExtentRow).values(recorded_at=micros(recorded_at)))
    return recorded_at


def append_system_event(connection: Connection, now: datetime, **event: object) -> None:
    """Append one event of the system's own within a write transaction. Raises Rejected when the ledger refuses it."""
    row = {"contributor": SYSTEM_CONTRIBUTOR, "happened_at": now, **event}
    checked = check(pl.DataFrame([row], schema_overrides={c: SCHEMA[c] for c in row}), now)
    refused = insert_in(connection, checked, now).refused
    if not refused.is_empty():
        raise Rejected(str(refused["reason"][0]), where="event", code="bad_event")


class _RollBack(Exception):  # not an error: it rolls back the insertion
    pass


def _later_than(last: datetime | None, now: datetime) -> datetime:
    return now if last is None else max(now, last + timedelta(microseconds=1))


def _extend(
    connection: Connection, extent_before: LedgerExtent, accepted: int, recorded_at: datetime, good: pl.DataFrame
) -> None:
    last = max(filter(None, (extent_before.happened_at, good["happened_at"].max())))  # type: ignore[type-var]
    row = {"events": extent_before.events + accepted, "recorded_at": micros(recorded_at), "happened_at": micros(last)}  # type: ignore[arg-type]
    connection.execute(update(tables.ExtentRow).values(row))


def _follow_moves(connection: Connection, good: pl.DataFrame) -> None:
    """Write down which items the corrections among these give another `other`."""
    correction_events = good.filter(pl.col("kind") == "event.corrected").select("contributor", "ref_event", "fields")
    moves = ((c, item, decode_fields(fields).get("other")) for c, item, fields in correction_events.iter_rows())
    rows = {(str(other), c, item) for c, item, other in moves if other}
    if rows:
        parties = [{"other": other, "contributor": c, "event_id": item} for other, c, item in sorted(rows)]
        connection.execute(insert_missing(tables.CORRECTED_PARTIES, connection.dialect.name), parties)


def read(
    database: Database,
    *,
    known_at: datetime | None = None,
    people: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
) -> pl.DataFrame:
    """The events in order of appending, in `SCHEMA`'s columns.

    `known_at`: recorded up to then; `people`: with one of these at either end; `kinds`: of one of these; None: all.
    Raises Rejected when the database is in trouble.
    """
    values: dict[str, Any] = {}
    if known_at is not None:
        values["known_at"] = micros(known_at)
    if people is not None:
        values["people"] = [p for p in people if "\0" not in p]
    if kinds is not None:
        values["kinds"] = list(kinds)
    columns = tuple(columns_of(kinds))
    with reading(database) as connection:
        return conform(select_events(connection, Query(_select_by(columns, frozenset(values)), values)))


@lru_cache(32)
def _select_by(columns: tuple[str, ...], parameters: frozenset[str]) -> Select[Any]:
    """These columns of the events, in order of appending, by those of `known_at`, `people` and `kinds` that are given."""
    conditions = {
        "known_at": EVENTS.c.recorded_at <= bindparam("known_at"),
        "people": EVENTS.c.seq.in_(_SEQS_OF_PEOPLE),
        "kinds": is_any_of(EVENTS.c.kind, texts("kinds")),
    }
    query = select(*(EVENTS.c[c] for c in columns)).order_by(EVENTS.c.seq)
    return query.where(*(conditions[name] for name in sorted(parameters)))


def extent(database: Database) -> LedgerExtent:
    """The number of events and the latest times. We read one row, so the cost does not grow with the ledger."""
    with reading(database) as connection:
        return extent_of(connection)


def extent_of(connection: Connection) -> LedgerExtent:
    """The same, within a transaction."""
    events, recorded_at, happened_at = connection.execute(_EXTENT).one()
    times = (None if t is None else moment(t) for t in (recorded_at, happened_at))
    return LedgerExtent(events, *times)
