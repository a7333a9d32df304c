"""Marks: who and what waits within a build. The ledger itself is the queue of what is new; here stands only what is put off.

A person can be put off: there are too many to be refreshed with the others, or too many events of theirs. An event can be
before its time: it is seen once more when that has come.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, delete, func, insert, select

from api.clock import micros
from api.tables import MARKS, WAITING
from graph.touched import times


@dataclass(frozen=True)
class Mark:
    """A person who is put off; `seq` of the last event that touched them; classes of which global features go astray."""

    person: str
    seq: int
    astray: frozenset[str]


def put_off(connection: Connection, build: int, people: Mapping[str, frozenset[str]], seq: int) -> None:
    """Mark people, with the classes that go astray beside those that are marked already."""
    if not people:
        return
    before = {m.person: m.astray for m in of(connection, build, people)}
    forget(connection, build, people)
    rows = [
        {"build": build, "person": p, "seq": seq, "astray": ",".join(sorted(astray | before.get(p, frozenset())))}
        for p, astray in people.items()
    ]
    connection.execute(insert(MARKS), rows)


def forget(connection: Connection, build: int, people: Collection[str]) -> None:
    """Take the marks away."""
    for some in _chunks(people):
        connection.execute(delete(MARKS).where(MARKS.c.build == build, MARKS.c.person.in_(some)))


def of(connection: Connection, build: int, people: Collection[str]) -> list[Mark]:
    """The marks of these people."""
    query = select(MARKS.c.person, MARKS.c.seq, MARKS.c.astray).where(MARKS.c.build == build)
    return [
        _mark(*row) for some in _chunks(people) for row in connection.execute(query.where(MARKS.c.person.in_(some)))
    ]


def oldest(connection: Connection, build: int, most: int) -> list[Mark]:
    """Who has waited longest."""
    query = select(MARKS.c.person, MARKS.c.seq, MARKS.c.astray).where(MARKS.c.build == build)
    return [_mark(*row) for row in connection.execute(query.order_by(MARKS.c.seq, MARKS.c.person).limit(most))]


def count(connection: Connection, build: int) -> int:
    """How many people are put off."""
    return int(connection.execute(select(func.count()).where(MARKS.c.build == build)).scalar() or 0)


def due(connection: Connection, build: int, now: datetime, most: int) -> list[tuple[int, int]]:
    """The events whose time has come: `seq` and that time, in microseconds."""
    query = select(WAITING.c.seq, WAITING.c.at).where(WAITING.c.build == build, WAITING.c.at <= micros(now))
    return [(seq, at) for seq, at in connection.execute(query.order_by(WAITING.c.at).limit(most))]


def done(connection: Connection, build: int, found: Collection[tuple[int, int]]) -> None:
    """They wait no longer."""
    for seq, at in found:
        connection.execute(delete(WAITING).where(WAITING.c.build == build, WAITING.c.seq == seq, WAITING.c.at == at))


def to_come(build: int, events: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The rows of `WAITING` for what these events say of times after `as_of`."""
    found = times(events, as_of)
    return found.select(pl.lit(build).alias("build"), "seq", pl.col("at").to_physical(), "kind")


def _mark(person: str, seq: int, astray: str) -> Mark:
    return Mark(person, seq, frozenset(astray.split(",")) - {""})


def _chunks(people: Collection[str]) -> list[list[str]]:
    """So many as a statement can name."""
    listed = sorted(people)
    return [listed[at : at + 500] for at in range(0, len(listed), 500)]
