"""Excerpts: the part of the ledger on which some people's local features and flags depend, or what a few events are about.

What is read grows with the people and the first ring around them, not with the ledger: each query goes by an index. All of
an excerpt is read in one transaction.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection

from api.clock import micros
from api.evidence.selection import LISTED, bound, fetch
from api.tables import REFERRING, STANDING, TIED
from graph.events import IDENTITY, SCHEMA
from graph.touched import CHANGES, PAYMENT, TIES, Pairs, ends, named, pairs
from graph.touched import STANDING as STANDING_KINDS
from graph.vocabulary import KIND

WINDOWED: Final = (
    PAYMENT,
    "account.balance",
)  # what the features look back at for `graph.features.payments.WINDOW` months
_EVIDENCE: Final = tuple(k for k in KIND if k not in CHANGES)


def of_people(connection: Connection, people: Collection[str], windowed_after: datetime | None = None) -> pl.DataFrame:
    """Every event on which the local features and flags of these people can depend, in order of appending: `seq` and the
    columns of `SCHEMA`. Cost: their events, those about these, and the ties, consents and enrolments of whoever they are
    tied to or pay.

    `windowed_after`: of the kinds `WINDOWED`, only what happened after it, or may have by a correction: for whoever knows
    that nothing looks further back.
    """
    recent = "true" if windowed_after is None else _recent(windowed_after)
    own = _concat([_named(connection, people, only=recent), moved_to(connection, people)])
    fixes = about(connection, own)
    known = ends(own, fixes)
    parties = named(known) - set(people)
    ring = named(known.filter(pl.col("kind").is_in(TIES))) - set(people)
    theirs = _concat([_standing(connection, parties), _ties_among(connection, ring)])
    said = about(connection, _concat([theirs, fixes]))
    return _concat([own, fixes, theirs, said, about(connection, said)])


def since(connection: Connection, seq: int, most: int) -> pl.DataFrame:
    """The first events appended after `seq`, at most so many."""
    return fetch(connection, f"events WHERE seq > {seq} ORDER BY seq LIMIT {most}", {})


def numbered(connection: Connection, numbers: Iterable[int]) -> pl.DataFrame:
    """The events of these `seq`."""
    listed = ", ".join(map(str, sorted(numbers)))  # integers of ours
    return fetch(connection, f"events WHERE seq IN ({listed or 'NULL'}) ORDER BY seq", {})


def last(connection: Connection) -> int:
    """The `seq` of the newest event; 0 while there is none."""
    return int(connection.exec_driver_sql("SELECT coalesce(max(seq), 0) FROM events").scalar() or 0)


def timed(connection: Connection, after: datetime, upto: int) -> pl.DataFrame:
    """The events up to a `seq` that say something of a time after `after`. Cost: the ledger, so it is for whole builds."""
    late = f"happened_at > {micros(after)} OR until > {micros(after)}"
    return fetch(connection, f"events WHERE seq <= {upto} AND ({late} OR fields LIKE '%happened_at%') ORDER BY seq", {})


def about(connection: Connection, events: pl.DataFrame) -> pl.DataFrame:
    """The corrections, retractions and disputes that refer to these events, perhaps others of the same id."""
    if events.is_empty():
        return events
    ids = events["event_id"].unique().to_list()
    return _listed(connection, "ref_event", ids, REFERRING, CHANGES)


def referred(connection: Connection, changes: pl.DataFrame) -> pl.DataFrame:
    """The events that these refer to."""
    whose = pl.coalesce("ref_contributor", "contributor")
    keys = changes.filter(pl.col("ref_event").is_not_null()).select(contributor=whose, event_id="ref_event").unique()
    return _keyed(connection, keys)


def enrolled(connection: Connection, people: Collection[str]) -> set[str]:
    """Who of these was ever enrolled: nobody else has features."""
    found = _standing(connection, people)
    return set(found.filter(pl.col("kind") == "person.enrolled")["subject"])


def ties_of(connection: Connection, people: Collection[str]) -> Pairs:
    """Whom these people were ever tied to."""
    found = _concat(
        [_ties(connection, "subject", people), _ties(connection, "other", people), moved_to(connection, people)]
    )
    found = found.filter(pl.col("kind").is_in(TIES))
    return pairs(ends(found, about(connection, found)))


def payments_of(connection: Connection, people: Collection[str]) -> Pairs:
    """Whom these people ever paid, and who paid them."""
    found = _concat([_named(connection, people, kinds=(PAYMENT,)), moved_to(connection, people)])
    found = found.filter(pl.col("kind") == PAYMENT)
    return pairs(ends(found, about(connection, found)))


def sizes(connection: Connection, people: Collection[str], most: int) -> dict[str, int]:
    """How many events each of these people is named in; counting ends a little beyond `most`."""
    if not people:
        return {}
    dialect = connection.dialect.name
    ends_ = (
        f"(SELECT count(*) FROM (SELECT 1 FROM events WHERE {end} = p.person LIMIT {most + 1}) AS n)"
        for end in ("subject", "other")
    )
    listed = (
        "SELECT value AS person FROM json_each(:a)" if dialect == "sqlite" else "SELECT unnest(%(a)s::text[]) AS person"
    )
    sql = f"SELECT person, {' + '.join(ends_)} FROM ({listed}) AS p"
    rows = connection.connection.cursor().execute(sql, {"a": bound(dialect, sorted(people))})
    return dict(rows.fetchall())


def moved_to(connection: Connection, people: Collection[str]) -> pl.DataFrame:
    """The events to which a correction gave one of these people as `other`."""
    if not people:
        return _concat(())
    listed = LISTED[connection.dialect.name]("a")
    cursor: Any = connection.connection.cursor()
    values = {"a": bound(connection.dialect.name, sorted(people))}
    keys = cursor.execute(
        f"SELECT DISTINCT contributor, event_id FROM moves WHERE other IN {listed}", values
    ).fetchall()
    return _keyed(connection, pl.DataFrame(keys, schema=dict.fromkeys(IDENTITY, pl.String), orient="row"))


def _keyed(connection: Connection, keys: pl.DataFrame) -> pl.DataFrame:
    if keys.is_empty():
        return _concat(())
    dialect = connection.dialect.name
    a, b = (bound(dialect, keys[c].to_list()) for c in IDENTITY)
    if dialect == "sqlite":  # CROSS JOIN: each key is looked up, whatever the statistics say
        joined = (
            "JOIN json_each(:b) AS y ON y.key = x.key CROSS JOIN events ON contributor = x.value AND event_id = y.value"
        )
        source = f"json_each(:a) AS x {joined}"
    else:
        found = "SELECT * FROM events WHERE contributor = k.c AND event_id = k.e OFFSET 0"
        source = f"unnest(%(a)s::text[], %(b)s::text[]) AS k(c, e) CROSS JOIN LATERAL ({found}) AS events"
    return fetch(connection, source, {"a": a, "b": b})


def _recent(after: datetime) -> str:
    old = f"kind IN ({', '.join(map(repr, WINDOWED))}) AND happened_at <= {micros(after)}"
    changed = f"EXISTS (SELECT 1 FROM events AS said WHERE said.ref_event = events.event_id AND said.{REFERRING})"
    return f"(NOT ({old}) OR {changed})"


def _named(
    connection: Connection, people: Collection[str], kinds: Collection[str] = tuple(KIND), only: str = "true"
) -> pl.DataFrame:
    if len(kinds) < len(KIND):
        only = f"kind IN ({', '.join(map(repr, kinds))}) AND {only}"
    if connection.dialect.name != "sqlite" or not people:
        return _concat(_listed(connection, end, people, only, kinds) for end in ("subject", "other"))
    listed = LISTED["sqlite"]("a")  # one pass over the table in its order takes two thirds of the time of two without
    either = " UNION ".join(f"SELECT seq FROM events WHERE {end} IN {listed}" for end in ("subject", "other"))
    source = f"events WHERE seq IN ({either}) AND {only} ORDER BY seq"
    return fetch(connection, source, {"a": bound("sqlite", sorted(people))}, kinds)


def _standing(connection: Connection, people: Collection[str]) -> pl.DataFrame:
    return _listed(connection, "subject", people, STANDING, STANDING_KINDS)


def _ties(connection: Connection, end: str, people: Collection[str]) -> pl.DataFrame:
    return _listed(connection, end, people, TIED, TIES)


def _ties_among(connection: Connection, people: Collection[str]) -> pl.DataFrame:
    """The ties whose ends are both among these people, now or by a correction."""
    moved = moved_to(connection, people).filter(pl.col("kind").is_in(TIES), pl.col("subject").is_in(list(people)))
    return _concat([_listed(connection, "subject", people, f"other {{}} AND {TIED}", TIES), moved])


def _listed(
    connection: Connection, column: str, items: Collection[str], only: str, kinds: Collection[str]
) -> pl.DataFrame:
    """Events by a list of texts, in no order; `only` is the condition of the index that is meant, in its own words, in which
    `{}` says that something is in the list. Each text is looked up by itself, whatever a database thinks that it knows of the table.
    """
    if not items:
        return _concat(())
    dialect = connection.dialect.name
    narrower = only.format("IN (SELECT value FROM json_each(:a))" if dialect == "sqlite" else "= ANY (%(a)s::text[])")
    if dialect == "sqlite":
        source = f"json_each(:a) AS k CROSS JOIN events ON {column} = k.value WHERE {narrower}"
    else:
        found = f"SELECT * FROM events WHERE {column} = k.v AND {narrower} OFFSET 0"
        source = f"unnest(%(a)s::text[]) AS k(v) CROSS JOIN LATERAL ({found}) AS events"
    return fetch(connection, source, {"a": bound(dialect, sorted(items))}, kinds)


def _concat(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Each event once, in order of appending."""
    filled = [part for part in parts if part.height]
    if not filled:
        return pl.DataFrame(schema={"seq": pl.Int64, **SCHEMA})
    rows = pl.concat(filled) if len(filled) > 1 else filled[0]
    if rows["seq"].is_sorted() and rows["seq"].n_unique() == rows.height:  # one gathering of all columns less, or two
        return rows
    order = rows.select(pl.int_range(pl.len()).alias("row"), "seq").unique("seq", keep="any").sort("seq")
    return rows[order["row"]]
