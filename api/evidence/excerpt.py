"""Excerpts: the part of the ledger on which some people's local features and flags depend, and the events that others refer to.

The cost grows with the people and the first ring around them, not with the ledger: each query uses an index. We read all of
an excerpt in one transaction.
"""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection

from api.evidence import event_queries
from api.evidence.event_queries import event_columns
from api.evidence.selection import fetch
from api.store.clock import micros
from api.store.statements import Condition, Query, Values, any_row, compiled, look_up, look_up_keys
from api.store.tables import EVENTS, has_reference, is_enrolment_or_consent, is_link, is_tie
from graph.evidence.events import EVENT_KEY, SCHEMA
from graph.evidence.invalidation import (
    PAYMENT_KIND,
    STATEMENT_KINDS,
    TIE_KINDS,
    Adjacency,
    adjacency,
    end_people,
    event_ends,
    with_linked_ids,
)
from graph.evidence.invalidation import PERSON_KINDS as STANDING_KINDS
from graph.evidence.links import ids_by_person, representatives
from graph.evidence.vocabulary import LINK_KIND

_NO_VALUES: Final[Values] = {}
_REFERENCE_COLUMNS: Final = ("contributor", "ref_event", "kind")


def of_people(connection: Connection, people: Collection[str], windowed_after: datetime | None = None) -> pl.DataFrame:
    """Every event on which the local features and flags of these people can depend, in order of appending: `seq` and the
    columns of `SCHEMA`. Cost: their events, those about these, and the ties, consents and enrolments of everyone they are
    tied to or pay; each with all their linked ids.

    `windowed_after`: of the kinds `WINDOWED`, only events that happened after it, or may have by a correction. Give it
    when you know that no feature looks further back.
    """
    people = linked_ids(connection, people)
    own_events = _concat([_events_of(connection, people, windowed_after), events_moved_to(connection, people)])
    fixes = references_to(connection, own_events)
    own_ends = event_ends(own_events, fixes)
    links, link_ends = _links_around(connection, end_people(own_ends))
    parties = with_linked_ids(end_people(own_ends), link_ends) - people
    ring = with_linked_ids(end_people(own_ends.filter(pl.col("kind").is_in(TIE_KINDS))), link_ends) - people
    neighbour_events = _concat([_enrolments_and_consents(connection, parties), _ties_among(connection, ring), links])
    amendments = references_to(connection, _concat([neighbour_events, fixes]))
    return _concat([own_events, fixes, neighbour_events, amendments, references_to(connection, amendments)])


def linked_ids(connection: Connection, people: Collection[str]) -> set[str]:
    """These people, and all ids that links ever joined to theirs. Cost: one look-up while there is no link."""
    return with_linked_ids(people, _links_around(connection, people)[1])


def linked_groups(connection: Connection, people: Collection[str]) -> dict[str, tuple[str, ...]]:
    """All ids that links ever joined, by each of them that is in `people` or joined to one of these."""
    ends = _links_around(connection, people)[1]
    pairs = list(ends.select("subject", "other").drop_nulls().iter_rows())
    return ids_by_person(representatives(pairs, most=2 * len(pairs)))


def links_of(connection: Connection, links: pl.DataFrame) -> tuple[pl.DataFrame, set[str]]:
    """All links from the ends of these links on, with the statements about them, and all ids that they ever joined."""
    people = end_people(event_ends(links, references_to(connection, links)))
    links_around, ends = _links_around(connection, people)
    statements = references_to(connection, links_around)
    return _concat([links_around, statements, references_to(connection, statements)]), people | end_people(ends)


def counterparties(connection: Connection, people: Collection[str]) -> set[str]:
    """Everyone whom an event ever named together with one of these people."""
    events = _concat([_with_ends(connection, people, None), events_moved_to(connection, people)])
    return end_people(event_ends(events, references_to(connection, events)))


def _links_around(connection: Connection, people: Collection[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The links from these people on, from id to id, with their `event_ends`."""
    links = _concat(())
    ends = event_ends(links, links)
    if not people or not _rows(connection, Query(event_queries.ANY_LINK)):
        return links, ends
    ids, new_ids = set[str](), set(people)
    while new_ids:
        moved_links = events_moved_to(connection, new_ids).filter(pl.col("kind") == LINK_KIND)
        by_end = (_by_list(connection, end, new_ids, is_link, None) for end in event_queries.ENDS)
        links = _concat([links, *by_end, moved_links])
        ends = event_ends(links, references_to(connection, links))
        ids |= new_ids
        new_ids = end_people(ends) - ids
    return links, ends


def since(connection: Connection, seq: int, limit: int) -> pl.DataFrame:
    """The first events appended after `seq`, at most so many."""
    return fetch(connection, Query(event_queries.SINCE, {"seq": seq, "limit": limit}))


def by_seq(connection: Connection, numbers: Iterable[int]) -> pl.DataFrame:
    """The events of these `seq`."""
    return fetch(connection, Query(event_queries.AMONG, {"numbers": sorted(numbers)}))


def last_seq(connection: Connection) -> int:
    """The `seq` of the newest event; 0 while there is none."""
    return int(connection.execute(event_queries.LAST_SEQ).scalar_one())


def events_after(connection: Connection, after: datetime, upto: int) -> pl.DataFrame:
    """The events up to a `seq` that say something of a time after `after`. Cost: the ledger, so it is for whole builds."""
    return fetch(connection, Query(event_queries.AFTER, {"after": micros(after), "upto": upto}))


def references_to(connection: Connection, events: pl.DataFrame) -> pl.DataFrame:
    """The corrections, retractions and disputes that refer to these events, perhaps others of the same id."""
    if events.is_empty():
        return events
    ids = events["event_id"].unique().to_list()
    rows = _by_list(connection, "ref_event", ids, has_reference, STATEMENT_KINDS)
    return rows.filter(pl.col("kind").is_in(STATEMENT_KINDS))  # a refund refers to its payment, and is evidence itself


def by_keys(connection: Connection, keys: pl.DataFrame) -> pl.DataFrame:
    """The events of these keys: `contributor` and `event_id`."""
    if keys.is_empty():
        return _concat(())
    statement = look_up_keys(connection.dialect.name, EVENTS, event_columns(), EVENT_KEY)
    return fetch(connection, Query(statement, {"keys": json.dumps(keys.rows())}))


def referenced_events(connection: Connection, changes: pl.DataFrame) -> pl.DataFrame:
    """The events that these refer to."""
    contributor = pl.coalesce("ref_contributor", "contributor")
    keys = (
        changes.filter(pl.col("ref_event").is_not_null()).select(contributor=contributor, event_id="ref_event").unique()
    )
    return by_keys(connection, keys)


def early_corrections(connection: Connection, batch: pl.DataFrame) -> pl.DataFrame:
    """The recorded corrections of a batch's events, by `contributor` and `event_id` of the event, each event once.

    Cost: a look-up by index for each event of the batch; one for the batch while the ledger holds no correction.
    """
    none = batch.select(EVENT_KEY).clear()
    evidence = batch.filter(~pl.col("kind").is_in(STATEMENT_KINDS))
    if evidence.is_empty() or not _rows(connection, Query(event_queries.ANY_CORRECTION)):
        return none
    ids = evidence["event_id"].unique().to_list()
    statement = look_up(connection.dialect.name, EVENTS, _REFERENCE_COLUMNS, "ref_event", has_reference)
    rows = _rows(connection, Query(statement, {"items": sorted(ids)}))
    keys = {(contributor, ref) for contributor, ref, kind in rows if kind == "event.corrected"}
    return pl.DataFrame(sorted(keys), schema=none.schema, orient="row").join(evidence, on=EVENT_KEY, how="semi")


def enrolled_people(connection: Connection, people: Collection[str]) -> set[str]:
    """The people among these that were ever enrolled: only they have features."""
    events = _enrolments_and_consents(connection, people)
    return set(events.filter(pl.col("kind") == "person.enrolled")["subject"])


def ties_of(connection: Connection, people: Collection[str]) -> Adjacency:
    """The people that these people were ever tied to."""
    events = _concat(
        [_ties(connection, "subject", people), _ties(connection, "other", people), events_moved_to(connection, people)]
    )
    events = events.filter(pl.col("kind").is_in(TIE_KINDS))
    return adjacency(event_ends(events, references_to(connection, events)))


def counterparties_of(connection: Connection, people: Collection[str]) -> Adjacency:
    """The people that an event of any kind ever named together with these people."""
    own = _with_ends(connection, people, (PAYMENT_KIND,), event_queries.has_other)  # no column but its parties matters
    events = _concat([own, events_moved_to(connection, people)])
    return adjacency(event_ends(events, references_to(connection, events)))


def sizes(connection: Connection, people: Collection[str], limit: int) -> dict[str, int]:
    """How many events each of these people is named in; we stop counting a little beyond `limit`."""
    if not people:
        return {}
    query = Query(event_queries.sizes(connection.dialect.name), {"people": sorted(people), "limit": limit + 1})
    return dict(_rows(connection, query))


def events_moved_to(connection: Connection, people: Collection[str]) -> pl.DataFrame:
    """The events to which a correction gave one of these people as `other`."""
    if not people:
        return _concat(())
    keys = _rows(connection, Query(event_queries.MOVED_TO, {"people": sorted(people)}))
    return by_keys(connection, pl.DataFrame(keys, schema=dict.fromkeys(EVENT_KEY, pl.String), orient="row"))


def _rows(connection: Connection, query: Query) -> list[tuple[Any, ...]]:
    """The rows of a query, by the driver: PostgreSQL's settings for look-ups stay as they are."""
    statement = compiled(query.statement, connection.dialect.name)
    cursor: Any = connection.connection.cursor()
    rows: list[tuple[Any, ...]] = cursor.execute(statement.sql, statement.bind(query.values)).fetchall()
    return rows


def _events_of(connection: Connection, people: Collection[str], windowed_after: datetime | None) -> pl.DataFrame:
    if windowed_after is None:
        return _with_ends(connection, people, None)
    return _with_ends(connection, people, None, event_queries.is_recent, {"after": micros(windowed_after)})


def _with_ends(
    connection: Connection,
    people: Collection[str],
    kinds: tuple[str, ...] | None,
    condition: Condition = any_row,
    values: Values = _NO_VALUES,
) -> pl.DataFrame:
    """Events with one of these people at either end."""
    if connection.dialect.name != "sqlite" or not people:
        return _concat(_by_list(connection, end, people, condition, kinds, values) for end in event_queries.ENDS)
    return fetch(connection, Query(event_queries.of_people(kinds, condition), {"items": sorted(people), **values}))


def _enrolments_and_consents(connection: Connection, people: Collection[str]) -> pl.DataFrame:
    return _by_list(connection, "subject", people, is_enrolment_or_consent, STANDING_KINDS)


def _ties(connection: Connection, end: str, people: Collection[str]) -> pl.DataFrame:
    return _by_list(connection, end, people, is_tie, TIE_KINDS)


def _ties_among(connection: Connection, people: Collection[str]) -> pl.DataFrame:
    """The ties whose ends are both among these people, now or by a correction."""
    moved_ties = events_moved_to(connection, people).filter(
        pl.col("kind").is_in(TIE_KINDS), pl.col("subject").is_in(list(people))
    )
    return _concat([_by_list(connection, "subject", people, event_queries.is_tie_among, TIE_KINDS), moved_ties])


def _by_list(
    connection: Connection,
    column: str,
    items: Collection[str],
    condition: Condition,
    kinds: Collection[str] | None,
    values: Values = _NO_VALUES,
) -> pl.DataFrame:
    """Events by a list of texts, in no order. `condition` is that of the index that is meant; `values` are its parameters."""
    if not items:
        return _concat(())
    statement = look_up(connection.dialect.name, EVENTS, event_columns(kinds), column, condition)
    return fetch(connection, Query(statement, {"items": sorted(items), **values}))


def _concat(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Each event once, in order of appending."""
    non_empty = [part for part in parts if part.height]
    if not non_empty:
        return pl.DataFrame(schema={"seq": pl.Int64, **SCHEMA})
    rows = pl.concat(non_empty) if len(non_empty) > 1 else non_empty[0]
    if rows["seq"].is_sorted() and rows["seq"].n_unique() == rows.height:  # one gathering of all columns less, or two
        return rows
    order = rows.select(pl.int_range(pl.len()).alias("row"), "seq").unique("seq", keep="any").sort("seq")
    return rows[order["row"]]
