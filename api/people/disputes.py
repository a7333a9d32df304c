"""Disputes: a person disputes an item of evidence. We ignore the item at once and answer the dispute within twenty days.

The ledger excludes the item: it holds a `dispute.opened` event by a party of the item. While a dispute has no answer the
item stays excluded, also after the due date: a late answer costs the operator, not the person. After the answer the person
cannot dispute the same item again, unless its contributor changed its content. The person's statement stays with the item.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, cast

from sqlalchemy import Connection, RowMapping, Select, insert, or_, select, update

from api.access.presence import writing_about
from api.evidence import ledger
from api.features import builds
from api.people import evidence
from api.people.open_cases import Cursor, by_due_date
from api.store.clock import micros
from api.store.database import Database, reading, writing
from api.store.tables import CORRECTED_PARTIES, DISPUTES, EVENTS
from engine.errors import Rejected
from graph.evidence.vocabulary import STATEMENT_KINDS, EventVocabulary

ANSWER_PERIOD: Final = timedelta(days=20)  # PRC credit reporting regulation 2013, art. 25


class Dispute(TypedDict):
    """A row of `disputes`. Times are microseconds since 1970-01-01 UTC."""

    id: str
    subject: str
    contributor: str
    event_id: str
    statement: str | None
    opened_at: int
    due_at: int
    outcome: str | None  # upheld, rejected; None while no one has answered
    note: str | None
    resolved_by: str | None
    resolved_at: int | None


def open_dispute(
    database: Database,
    vocabulary: EventVocabulary,
    person: str,
    contributor: str,
    event_id: str,
    statement: str | None,
    now: datetime,
) -> tuple[Dispute, bool]:
    """Open the person's dispute of an item. Returns the dispute, and whether it is new: an open dispute is returned as it is.

    Raises Rejected: `unknown_item` if there is no such item or the person is not a party to it; `dispute_answered` if an
    earlier dispute was answered and the item's content has not changed since.
    """
    with writing_about(database, person) as connection:
        _require_party(connection, person, contributor, event_id)
        previous = _latest_dispute(connection, person, contributor, event_id)
        if previous is not None and previous["resolved_at"] is None:
            return previous, False
        if previous is not None and not _may_reopen(connection, vocabulary, previous):
            hint = "add to its statement, or ask for a review of the decision"
            raise Rejected("this dispute has been answered", where="event_id", hint=hint, code="dispute_answered")
        row = Dispute(
            id=secrets.token_hex(8),
            subject=person,
            contributor=contributor,
            event_id=event_id,
            statement=statement,
            opened_at=micros(now),
            due_at=micros(now + ANSWER_PERIOD),
            outcome=None,
            note=None,
            resolved_by=None,
            resolved_at=None,
        )
        connection.execute(insert(DISPUTES).values(row))
        _append_event(connection, row, "dispute.opened", now, statement=statement)
    return row, True


def resolve_dispute(database: Database, name: str, outcome: str, note: str | None, by: str, now: datetime) -> Dispute:
    """Answer a dispute: `upheld` (the item stays excluded) or `rejected` (the item counts again).

    Idempotent for the same answer. Raises Rejected: `unknown_dispute`, `already_answered`.
    """
    with writing(database) as connection:
        row = _require_dispute(connection, select(DISPUTES).where(DISPUTES.c.id == name))
        if row["resolved_at"] is not None:
            if (row["outcome"], row["note"]) == (outcome, note):
                return row
            hint = f"it was {row['outcome']}"
            raise Rejected("this dispute has been answered", where="dispute", hint=hint, code="already_answered")
        row["outcome"], row["note"], row["resolved_by"], row["resolved_at"] = outcome, note, by, micros(now)
        answer = {"outcome": outcome, "note": note, "resolved_by": by, "resolved_at": row["resolved_at"]}
        connection.execute(update(DISPUTES).where(DISPUTES.c.id == name).values(answer))
        _append_event(connection, row, "dispute.resolved", now, outcome=outcome)
    return row


def find_dispute(database: Database, name: str) -> Dispute:
    """Find a dispute by its id. Raises Rejected `unknown_dispute`."""
    with reading(database) as connection:
        return _require_dispute(connection, select(DISPUTES).where(DISPUTES.c.id == name))


def set_statement(database: Database, person: str, name: str, statement: str) -> Dispute:
    """Set the person's statement on one of their disputes, answered or not. Raises Rejected `unknown_dispute`."""
    query = select(DISPUTES).where(DISPUTES.c.id == name, DISPUTES.c.subject == person)
    with writing_about(database, person) as connection:
        row = _require_dispute(connection, query)
        connection.execute(update(DISPUTES).where(DISPUTES.c.id == name).values(statement=statement))
    row["statement"] = statement
    return row


def of_person(connection: Connection, person: str) -> list[Dispute]:
    """List a person's disputes, newest first."""
    query = select(DISPUTES).where(DISPUTES.c.subject == person).order_by(DISPUTES.c.opened_at.desc(), DISPUTES.c.id)
    return [_dispute(row) for row in connection.execute(query).mappings()]


def list_disputes(
    database: Database, *, waiting: bool, after: Cursor | None = None, limit: int | None = None
) -> list[Dispute]:
    """List all disputes, or only the unanswered ones, by due date, after the one that `after` names."""
    query = by_due_date(select(DISPUTES), DISPUTES, after).limit(limit)
    if waiting:
        query = query.where(DISPUTES.c.resolved_at.is_(None))
    with reading(database) as connection:
        return [_dispute(row) for row in connection.execute(query).mappings()]


def _require_dispute(connection: Connection, query: Select[Any]) -> Dispute:
    row = connection.execute(query).mappings().first()
    if row is None:
        raise Rejected("unknown dispute", where="dispute", hint="check its id", code="unknown_dispute")
    return _dispute(row)


def _dispute(row: RowMapping) -> Dispute:
    return cast(Dispute, dict(row))


def _latest_dispute(connection: Connection, person: str, contributor: str, event_id: str) -> Dispute | None:
    """The person's last dispute of an item."""
    item = DISPUTES.c.contributor == contributor, DISPUTES.c.event_id == event_id
    query = select(DISPUTES).where(DISPUTES.c.subject == person, *item).order_by(DISPUTES.c.opened_at.desc())
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else _dispute(row)


def _may_reopen(connection: Connection, vocabulary: EventVocabulary, previous: Dispute) -> bool:
    """Whether the item counts again and its content has changed since the dispute."""
    if previous["outcome"] != "rejected":
        return False
    is_opening = (
        EVENTS.c.contributor == ledger.SYSTEM_CONTRIBUTOR,
        EVENTS.c.event_id == f"dispute.opened-{previous['id']}",
    )
    seq = connection.execute(select(EVENTS.c.seq).where(*is_opening)).scalar_one()
    return evidence.changed_since(connection, vocabulary, previous["contributor"], previous["event_id"], seq)


def _require_party(connection: Connection, person: str, contributor: str, event_id: str) -> None:
    """Raise Rejected `unknown_item` unless the item is evidence and the person is a party to it, perhaps by a correction."""
    item = EVENTS.c.contributor == contributor, EVENTS.c.event_id == event_id
    moves = select(CORRECTED_PARTIES.c.other).where(
        CORRECTED_PARTIES.c.contributor == contributor,
        CORRECTED_PARTIES.c.event_id == event_id,
        CORRECTED_PARTIES.c.other == person,
    )
    party = or_(EVENTS.c.subject == person, EVENTS.c.other == person, moves.exists())
    kind = connection.execute(select(EVENTS.c.kind).where(*item, party)).scalar()
    if kind is None or kind in STATEMENT_KINDS:
        hint = "name one of GET /v1/me/evidence"
        raise Rejected("unknown item of evidence", where="event_id", hint=hint, code="unknown_item")


def _append_event(connection: Connection, row: Dispute, kind: str, now: datetime, **more: object) -> None:
    """Append an event to the ledger. A build with a fixed `as_of` must see the event, so the event does not happen later."""
    build = builds.latest_build_in(connection)
    at = now if build is None or build.follows else min(now, build.as_of)
    reference = {"ref_contributor": row["contributor"], "ref_event": row["event_id"]}
    name = f"{kind}-{row['id']}"
    ledger.append_system_event(
        connection, now, event_id=name, kind=kind, subject=row["subject"], happened_at=at, **reference, **more
    )
