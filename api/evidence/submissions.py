"""Submissions: a contributor looks up its submissions, the rows that we refused, and later statements about its events."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, or_, select, true

from api.evidence import withheld
from api.store.clock import micros, moment
from api.store.database import Database, reading, writing
from api.store.tables import CORRECTED_PARTIES, EVENTS, SUBMISSIONS, has_reference
from engine.errors import Rejected

RETENTION: Final = timedelta(days=90)  # we report a submission for so long; its accepted events are in the ledger
_CHANGE_OF_KIND: Final = {  # of an event by another: the kind -> the word
    "event.corrected": "corrected",
    "event.retracted": "retracted",
    "dispute.opened": "disputed",
    "dispute.resolved": "dispute_resolved",
}


@dataclass(frozen=True)
class SubmissionReport:
    """A submission. `problems`: `row`, `event_id` and `reason` of each row that we refused for its own sake."""

    id: str
    contributor: str
    received_at: datetime
    rows: int
    accepted: int
    duplicates: int
    refused: int
    problems: list[dict[str, Any]]


@dataclass(frozen=True)
class EventAnnotation:
    """A later statement about an event: a correction, retraction or dispute."""

    what: str
    recorded_at: datetime
    outcome: str | None = None


@dataclass(frozen=True)
class EventStatus:
    """When we recorded an event, and the later statements about it, in order. We leave its content out: the contributor has it, and
    we do not keep it of an erased person.
    """

    event_id: str
    recorded_at: datetime
    since: list[EventAnnotation]


def list_submissions(
    database: Database, contributor: str, limit: int, before: str | None = None
) -> list[SubmissionReport]:
    """The contributor's submissions, newest first; those older than `before`. Raises Rejected `unknown_submission`."""
    with reading(database) as connection:
        return _list(connection, SUBMISSIONS.c.contributor == contributor, limit, before)


def list_all(
    database: Database, limit: int, before: str | None = None, contributor: str | None = None, *, refused: bool = False
) -> list[SubmissionReport]:
    """Everyone's submissions, newest first, or one contributor's; `refused`: only those with refused rows. As `list_submissions`."""
    condition = SUBMISSIONS.c.refused > 0 if refused else true()
    if contributor is not None:
        condition = and_(condition, SUBMISSIONS.c.contributor == contributor)
    with reading(database) as connection:
        return _list(connection, condition, limit, before)


def find_submission(database: Database, name: str) -> SubmissionReport:
    """One submission of any contributor. Raises Rejected `unknown_submission`."""
    with reading(database) as connection:
        return _submission(_row(connection, true(), name))


def submission(database: Database, contributor: str, name: str) -> SubmissionReport:
    """One submission. Raises Rejected `unknown_submission`, and does not reveal whether another contributor has one of that id."""
    with reading(database) as connection:
        return _submission(_row(connection, SUBMISSIONS.c.contributor == contributor, name))


def drop_old(database: Database, now: datetime) -> int:
    """Delete submissions older than `RETENTION`. Returns their number."""
    old = SUBMISSIONS.c.received_at <= micros(now - RETENTION)
    with reading(database) as connection:
        if not connection.execute(select(func.count()).where(old)).scalar_one():
            return 0
    with writing(database) as connection:
        return connection.execute(delete(SUBMISSIONS).where(old)).rowcount


def _list(
    connection: Connection, condition: ColumnElement[bool], limit: int, before: str | None
) -> list[SubmissionReport]:
    at = (SUBMISSIONS.c.received_at, SUBMISSIONS.c.id)
    query = select(SUBMISSIONS).where(condition)
    if before is not None:
        last = _row(connection, condition, before)
        received, name = last["received_at"], last["id"]
        query = query.where(or_(at[0] < received, and_(at[0] == received, at[1] < name)))
    rows = connection.execute(query.order_by(*(c.desc() for c in at)).limit(limit)).mappings()
    return [_submission(row) for row in rows]


def _row(connection: Connection, condition: ColumnElement[bool], name: str) -> RowMapping:
    query = select(SUBMISSIONS).where(SUBMISSIONS.c.id == name, condition)
    row = None if "\0" in name else connection.execute(query).mappings().first()
    if row is None:
        hint = "GET /v1/events/submissions lists yours"
        raise Rejected("unknown submission", where="submission", hint=hint, code="unknown_submission")
    return row


def _submission(row: RowMapping) -> SubmissionReport:
    counts = {c: row[c] for c in ("rows", "accepted", "duplicates", "refused")}
    names = row["id"], row["contributor"]
    return SubmissionReport(*names, moment(row["received_at"]), problems=json.loads(row["problems"]), **counts)


def event_status(database: Database, contributor: str, event_id: str) -> EventStatus:
    """The contributor's own event. Raises Rejected `unknown_event`, and does not reveal whether another contributor has
    one of that id.
    """
    query = select(EVENTS).where(EVENTS.c.contributor == contributor, EVENTS.c.event_id == event_id)
    key = contributor, event_id
    with reading(database) as connection:
        row = None if "\0" in event_id else connection.execute(query).mappings().first()
        parties = set() if row is None else {row["subject"], row["other"], *_corrected_counterparties(connection, key)}
        row = row or withheld.get(connection, key)
        if row is None:
            hint = "it is your own event's id, as it was accepted"
            raise Rejected("unknown event", where="event_id", hint=hint, code="unknown_event")
        since = _annotations(connection, key, parties)
    return EventStatus(event_id, moment(row["recorded_at"]), since)


def _corrected_counterparties(connection: Connection, key: withheld.Key) -> Iterable[str]:
    condition = (CORRECTED_PARTIES.c.contributor == key[0]) & (CORRECTED_PARTIES.c.event_id == key[1])
    return connection.execute(select(CORRECTED_PARTIES.c.other).where(condition)).scalars()


def _annotations(connection: Connection, key: withheld.Key, parties: Collection[str]) -> list[EventAnnotation]:
    """The statements about an event that count: the contributor's own, and disputes by the event's parties."""
    ref_contributor = func.coalesce(EVENTS.c.ref_contributor, EVENTS.c.contributor)
    query = select(EVENTS).where(has_reference(EVENTS), EVENTS.c.ref_event == key[1], ref_contributor == key[0])
    rows = connection.execute(query.order_by(EVENTS.c.seq)).mappings().all()
    annotations = [row for row in rows if _counts(row, key[0], parties)]
    ledger_keys = [(row["contributor"], row["event_id"]) for row in rows]
    annotations = sorted(
        [*annotations, *withheld.references_to(connection, key, ledger_keys)], key=lambda row: int(row["recorded_at"])
    )
    return [
        EventAnnotation(_CHANGE_OF_KIND[row["kind"]], moment(row["recorded_at"]), row["outcome"]) for row in annotations
    ]


def _counts(row: RowMapping, contributor: str, parties: Collection[str]) -> bool:
    if row["kind"].startswith("event."):
        return bool(row["contributor"] == contributor)
    return row["kind"].startswith("dispute.") and row["subject"] in parties
