"""Sums by contributor and kind of event: how many we ever recorded, and the newest. A job adds what is new; a reader adds the rest.

The ledger grows in the order of `seq`, so the sums remember the last event that they count. An erasure takes nothing away: this is what
arrived, not what we store.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from api.evidence.ledger import SYSTEM_CONTRIBUTOR
from api.store.clock import moment
from api.store.database import Database, reading, writing
from api.store.tables import CONTRIBUTOR_SUMS, EVENTS, SUM_PROGRESS

BATCH: Final = 50_000  # events that one transaction counts, and that a reader adds by itself at most
STALE_AFTER: Final = timedelta(days=31)  # without a new event


@dataclass(frozen=True)
class KindSum:
    """The events of a kind that a contributor sent."""

    kind: str
    events: int
    last_happened_at: datetime
    last_recorded_at: datetime


@dataclass(frozen=True)
class ContributorSum:
    """What a contributor sent. `stale`: nothing new for a month."""

    contributor: str
    events: int
    last_happened_at: datetime
    last_recorded_at: datetime
    stale: bool
    kinds: tuple[KindSum, ...]


def add_new(database: Database) -> bool:
    """Count at most a batch of new events. Returns whether there may be more."""
    with reading(database) as connection:  # mostly nothing is new; then we need no write lock
        if _progress(connection) == _newest(connection):
            return False
    with writing(database) as connection:
        first, newest = _progress(connection), _newest(connection)
        last = min(newest, first + BATCH)
        rows = [dict(row) for row in connection.execute(_sums_of(first, last)).mappings()]
        if rows:
            connection.execute(_addition(connection), rows)
        connection.execute(update(SUM_PROGRESS).where(SUM_PROGRESS.c.id == 1).values(event=last))
        return last < newest


def contributors(connection: Connection, now: datetime) -> list[ContributorSum]:
    """What each contributor sent, without the system itself, by name."""
    first = _progress(connection)
    kinds = defaultdict[str, dict[str, tuple[int, int, int]]](dict)
    for query in (select(CONTRIBUTOR_SUMS), _sums_of(first, first + BATCH)):
        for contributor, kind, *counts in connection.execute(query):
            events, happened, recorded = kinds[contributor].get(kind, (0, counts[1], counts[2]))
            kinds[contributor][kind] = (events + counts[0], max(happened, counts[1]), max(recorded, counts[2]))
    return [_summary(name, kinds[name], now) for name in sorted(kinds) if name != SYSTEM_CONTRIBUTOR]


def _summary(contributor: str, counts: dict[str, tuple[int, int, int]], now: datetime) -> ContributorSum:
    kinds = [
        KindSum(kind, n, moment(happened), moment(recorded)) for kind, (n, happened, recorded) in sorted(counts.items())
    ]
    newest = max(kind.last_recorded_at for kind in kinds)
    return ContributorSum(
        contributor,
        sum(kind.events for kind in kinds),
        max(kind.last_happened_at for kind in kinds),
        newest,
        now - newest > STALE_AFTER,
        tuple(kinds),
    )


def _progress(connection: Connection) -> int:
    return int(connection.execute(select(SUM_PROGRESS.c.event)).scalar_one())


def _newest(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(EVENTS.c.seq), 0))).scalar_one())


def _sums_of(first: int, last: int) -> Select[Any]:
    """The sums of the events after `first`, up to `last`."""
    newest = (func.max(EVENTS.c[name]).label(name) for name in ("happened_at", "recorded_at"))
    keys = (EVENTS.c.contributor, EVENTS.c.kind)
    query = select(*keys, func.count().label("events"), *newest)
    return query.where(EVENTS.c.seq > first, EVENTS.c.seq <= last).group_by(*keys)


def _addition(connection: Connection) -> Any:
    is_sqlite = connection.dialect.name == "sqlite"
    statement = (sqlite.insert if is_sqlite else postgresql.insert)(CONTRIBUTOR_SUMS)
    larger = func.max if is_sqlite else func.greatest
    columns, new = CONTRIBUTOR_SUMS.c, statement.excluded
    changes = {name: larger(columns[name], new[name]) for name in ("happened_at", "recorded_at")}
    return statement.on_conflict_do_update(
        index_elements=["contributor", "kind"], set_={**changes, "events": columns.events + new.events}
    )
