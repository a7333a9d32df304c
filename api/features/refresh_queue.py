"""The queue of deferred refreshes and scheduled events of a build. The ledger itself is the queue of new events.

We defer the refresh of a person if a batch has too many people, or the person has too many events. We schedule an event that
takes effect later: a refresh processes the event again at that time.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, delete, func, insert, select

from api.store.clock import micros
from api.store.tables import DEFERRED_REFRESHES, SCHEDULED_EVENTS
from graph.evidence.invalidation import future_times


@dataclass(frozen=True)
class DeferredRefresh:
    """A person whose refresh waits. `seq`: the last event that affected them. `stale_classes`: the data classes whose global
    features we must withhold.
    """

    person: str
    seq: int
    stale_classes: frozenset[str]


def defer(connection: Connection, build: int, people: Mapping[str, frozenset[str]], seq: int) -> None:
    """Defer people's refreshes. Their stale classes are added to those that are queued already."""
    if not people:
        return
    previous = {m.person: m.stale_classes for m in deferred_among(connection, build, people)}
    forget(connection, build, people)
    rows = [
        {
            "build": build,
            "person": p,
            "seq": seq,
            "stale_classes": ",".join(sorted(stale_classes | previous.get(p, frozenset()))),
        }
        for p, stale_classes in people.items()
    ]
    connection.execute(insert(DEFERRED_REFRESHES), rows)


def forget(connection: Connection, build: int, people: Collection[str]) -> None:
    """Remove these people from the queue."""
    for chunk in _chunks(people):
        connection.execute(
            delete(DEFERRED_REFRESHES).where(
                DEFERRED_REFRESHES.c.build == build, DEFERRED_REFRESHES.c.person.in_(chunk)
            )
        )


def deferred_among(connection: Connection, build: int, people: Collection[str]) -> list[DeferredRefresh]:
    """The deferred refreshes of these people."""
    query = select(DEFERRED_REFRESHES.c.person, DEFERRED_REFRESHES.c.seq, DEFERRED_REFRESHES.c.stale_classes).where(
        DEFERRED_REFRESHES.c.build == build
    )
    return [
        _deferred_refresh(*row)
        for chunk in _chunks(people)
        for row in connection.execute(query.where(DEFERRED_REFRESHES.c.person.in_(chunk)))
    ]


def oldest_deferred(connection: Connection, build: int, limit: int) -> list[DeferredRefresh]:
    """The deferred refreshes that have waited longest."""
    query = select(DEFERRED_REFRESHES.c.person, DEFERRED_REFRESHES.c.seq, DEFERRED_REFRESHES.c.stale_classes).where(
        DEFERRED_REFRESHES.c.build == build
    )
    return [
        _deferred_refresh(*row)
        for row in connection.execute(
            query.order_by(DEFERRED_REFRESHES.c.seq, DEFERRED_REFRESHES.c.person).limit(limit)
        )
    ]


def count_deferred(connection: Connection, build: int) -> int:
    """Count the deferred refreshes."""
    return int(connection.execute(select(func.count()).where(DEFERRED_REFRESHES.c.build == build)).scalar() or 0)


def due_events(connection: Connection, build: int, now: datetime, limit: int) -> list[tuple[int, int]]:
    """The scheduled events that are due: `seq`, and the scheduled time in microseconds."""
    query = select(SCHEDULED_EVENTS.c.seq, SCHEDULED_EVENTS.c.at).where(
        SCHEDULED_EVENTS.c.build == build, SCHEDULED_EVENTS.c.at <= micros(now)
    )
    return [(seq, at) for seq, at in connection.execute(query.order_by(SCHEDULED_EVENTS.c.at).limit(limit))]


def delete_scheduled(connection: Connection, build: int, scheduled: Collection[tuple[int, int]]) -> None:
    """Remove these events from the schedule."""
    for seq, at in scheduled:
        connection.execute(
            delete(SCHEDULED_EVENTS).where(
                SCHEDULED_EVENTS.c.build == build, SCHEDULED_EVENTS.c.seq == seq, SCHEDULED_EVENTS.c.at == at
            )
        )


def scheduled_rows(build: int, events: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The rows of `SCHEDULED_EVENTS` for the times after `as_of` that these events name."""
    scheduled = future_times(events, as_of)
    return scheduled.select(pl.lit(build).alias("build"), "seq", pl.col("at").to_physical(), "kind")


def _deferred_refresh(person: str, seq: int, stale_classes: str) -> DeferredRefresh:
    return DeferredRefresh(person, seq, frozenset(stale_classes.split(",")) - {""})


def _chunks(people: Collection[str]) -> list[list[str]]:
    """Sorted chunks of at most 500: the number of values in one SQL statement."""
    names = sorted(people)
    return [names[at : at + 500] for at in range(0, len(names), 500)]
