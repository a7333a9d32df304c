"""Search decisions by time, merchant, perk, outcome and release, newest first.

One filter reads its own index, in the order of the answer. Of several filters we read the index of one, and look at the others in
its rows. Each filter can match many decisions and all of them together few, so we look at so many rows at most, and say where we
stopped: the next request goes on from there.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import Connection, Select, select, tuple_

from api.decisions.decisions import ENTRY_COLUMNS
from api.store.clock import micros
from api.store.database import Database, reading
from api.store.tables import DECISIONS, search_key
from api.supervision.records import ChainEntry

SEARCH_COLUMNS: Final = ("merchant", "release", "perk", "outcome")  # the rarest first: we read the index of the first
MAX_SCANNED: Final = (
    10_000  # decisions that a request looks at: some 40 ms. The page of the search says the number, too
)
_NEWEST_FIRST: Final = (DECISIONS.c.decided_at.desc(), DECISIONS.c.seq.desc())


@dataclass(frozen=True)
class DecisionFilter:
    """Select the decisions that match every field that is not None."""

    since: datetime | None = None
    until: datetime | None = None  # exclusive
    merchant: str | None = None
    perk: str | None = None
    outcome: str | None = None
    release: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the filter names, the rarest first."""
        return tuple(name for name in SEARCH_COLUMNS if getattr(self, name) is not None)


class SearchResult(NamedTuple):
    """Entries that match, newest first. `stop`: the `seq` of the last entry that the search looked at, if it stopped before its end."""

    rows: list[ChainEntry]
    stop: int | None


def find_decisions(
    database: Database, criteria: DecisionFilter, before: int | None, limit: int, scanned: int = MAX_SCANNED
) -> SearchResult:
    """The matching entries, at most `limit`, after the entry with the `seq` `before`. It looks at `scanned` entries at most."""
    columns = criteria.columns
    indexed = _in_time(select(DECISIONS), criteria, before).order_by(*_NEWEST_FIRST)
    for column in columns[:1]:
        indexed = indexed.where(search_key(column) == getattr(criteria, column))
    with reading(database) as connection:
        if len(columns) < 2:  # every row matches
            return SearchResult(_entries(connection, indexed.limit(limit)), None)
        window = indexed.limit(scanned).subquery()
        query = select(window).order_by(window.c.decided_at.desc(), window.c.seq.desc()).limit(limit)
        for column in columns[1:]:
            query = query.where(window.c[column] == getattr(criteria, column))
        rows = _entries(connection, query)
        return SearchResult(rows, None if len(rows) == limit else _stop(connection, indexed, scanned))


def _in_time(query: Select[Any], criteria: DecisionFilter, before: int | None) -> Select[Any]:
    if criteria.since:
        query = query.where(DECISIONS.c.decided_at >= micros(criteria.since))
    if criteria.until:
        query = query.where(DECISIONS.c.decided_at < micros(criteria.until))
    if before is not None:
        decided_at = select(DECISIONS.c.decided_at).where(DECISIONS.c.seq == before).scalar_subquery()
        query = query.where(tuple_(DECISIONS.c.decided_at, DECISIONS.c.seq) < tuple_(decided_at, before))
    return query


def _entries(connection: Connection, query: Select[Any]) -> list[ChainEntry]:
    names = ("seq", *ENTRY_COLUMNS, "previous_hash", "hash")
    chosen = query.with_only_columns(*(query.selected_columns[name] for name in names))
    return [cast(ChainEntry, dict(row)) for row in connection.execute(chosen).mappings()]


def _stop(connection: Connection, indexed: Select[Any], scanned: int) -> int | None:
    """The last row that the search looked at, if there are more."""
    seqs = connection.execute(indexed.with_only_columns(DECISIONS.c.seq).offset(scanned - 1).limit(2)).scalars().all()
    return seqs[0] if len(seqs) > 1 else None
