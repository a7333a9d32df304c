"""Disputes: a person objects to an item of evidence. At once it says nothing against them; the answer comes within twenty days.

That the item is out while nobody has answered is the ledger's doing: it holds `dispute.opened` by a party of the item. An
objection that nobody answers in time stays out: what is late costs the house, not the person. Once answered, the same item
is not objected to again, unless its contributor changed what it says; the person's statement stays beside it.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, insert, or_, select, update

from api.access.presence import writing_about
from api.clock import micros
from api.database import reading, writing
from api.evidence import ledger
from api.features import builds
from api.people import evidence
from api.tables import DISPUTES, EVENTS, MOVES
from engine.errors import Refused
from graph.vocabulary import KIND

ANSWERED_IN: Final = timedelta(days=20)  # PRC credit reporting regulation 2013, art. 25
Row = dict[str, Any]


def opened(
    engine: Engine, person: str, contributor: str, event_id: str, statement: str | None, now: datetime
) -> tuple[Row, bool]:
    """The person's objection to an item, and whether it is new: the open one if there is one.

    Raises Refused: `unknown_item` for what is not there or not of theirs, `dispute_answered` for one that has been answered
    and says what it said then.
    """
    with writing_about(engine, person) as connection:
        _of_theirs(connection, person, contributor, event_id)
        before = _latest(connection, person, contributor, event_id)
        if before is not None and before["resolved_at"] is None:
            return before, False
        if before is not None and not _again(connection, before):
            hint = "add to its statement, or ask for a review of the decision"
            raise Refused("this objection has been answered", where="event_id", hint=hint, code="dispute_answered")
        row = {
            **{"id": secrets.token_hex(8), "subject": person, "contributor": contributor, "event_id": event_id},
            **{"statement": statement, "opened_at": micros(now), "due_at": micros(now + ANSWERED_IN)},
            **{"outcome": None, "note": None, "resolved_by": None, "resolved_at": None},
        }
        connection.execute(insert(DISPUTES).values(row))
        _say(connection, row, "dispute.opened", now, statement=statement)
    return row, True


def resolved(engine: Engine, name: str, outcome: str, note: str | None, by: str, now: datetime) -> Row:
    """Answer an objection: `upheld` (the item stays out) or `rejected` (it counts again). The same answer again changes
    nothing. Raises Refused: `unknown_dispute`, `already_answered`.
    """
    with writing(engine) as connection:
        row = _found(connection, select(DISPUTES).where(DISPUTES.c.id == name))
        if row["resolved_at"] is not None:
            if (row["outcome"], row["note"]) == (outcome, note):
                return row
            hint = f"it was {row['outcome']}"
            raise Refused("this dispute has been answered", where="dispute", hint=hint, code="already_answered")
        answer = {"outcome": outcome, "note": note, "resolved_by": by, "resolved_at": micros(now)}
        connection.execute(update(DISPUTES).where(DISPUTES.c.id == name).values(answer))
        _say(connection, row, "dispute.resolved", now, outcome=outcome)
    return row | answer


def stated(engine: Engine, person: str, name: str, statement: str) -> Row:
    """Put the person's statement beside an objection of theirs, answered or not. Raises Refused: `unknown_dispute`."""
    query = select(DISPUTES).where(DISPUTES.c.id == name, DISPUTES.c.subject == person)
    with writing_about(engine, person) as connection:
        row = _found(connection, query)
        connection.execute(update(DISPUTES).where(DISPUTES.c.id == name).values(statement=statement))
    return row | {"statement": statement}


def of_person(connection: Connection, person: str) -> list[Row]:
    """A person's objections, newest first."""
    query = select(DISPUTES).where(DISPUTES.c.subject == person).order_by(DISPUTES.c.opened_at.desc(), DISPUTES.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def listed(engine: Engine, *, waiting: bool) -> list[Row]:
    """All objections, or only those that wait for an answer: what is due first comes first."""
    query = select(DISPUTES).order_by(DISPUTES.c.due_at, DISPUTES.c.id)
    if waiting:
        query = query.where(DISPUTES.c.resolved_at.is_(None))
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _found(connection: Connection, query: Select[Any]) -> Row:
    row = connection.execute(query).mappings().first()
    if row is None:
        raise Refused("unknown dispute", where="dispute", hint="check its id", code="unknown_dispute")
    return dict(row)


def _latest(connection: Connection, person: str, contributor: str, event_id: str) -> Row | None:
    """The person's last objection to an item."""
    item = DISPUTES.c.contributor == contributor, DISPUTES.c.event_id == event_id
    query = select(DISPUTES).where(DISPUTES.c.subject == person, *item).order_by(DISPUTES.c.opened_at.desc())
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else dict(row)


def _again(connection: Connection, before: Row) -> bool:
    """Whether an item counts again, and says something else than what was objected to."""
    if before["outcome"] != "rejected":
        return False
    name = EVENTS.c.contributor == ledger.HOUSE, EVENTS.c.event_id == f"dispute.opened-{before['id']}"
    seq = connection.execute(select(EVENTS.c.seq).where(*name)).scalar_one()
    return evidence.changed_since(connection, before["contributor"], before["event_id"], seq)


def _of_theirs(connection: Connection, person: str, contributor: str, event_id: str) -> None:
    """Whether the item is evidence to which the person is a party, also by a correction."""
    item = EVENTS.c.contributor == contributor, EVENTS.c.event_id == event_id
    moved = select(MOVES.c.other).where(
        MOVES.c.contributor == contributor, MOVES.c.event_id == event_id, MOVES.c.other == person
    )
    party = or_(EVENTS.c.subject == person, EVENTS.c.other == person, moved.exists())
    kind = connection.execute(select(EVENTS.c.kind).where(*item, party)).scalar()
    if kind is None or KIND[kind].data_class is None:
        hint = "name one of GET /v1/me/evidence"
        raise Refused("unknown item of evidence", where="event_id", hint=hint, code="unknown_item")


def _say(connection: Connection, row: Row, kind: str, now: datetime, **more: object) -> None:
    """Tell the ledger. A build that looks from a moment of its own must see it there."""
    made = builds.latest_in(connection)
    at = now if made is None or made.follows else min(now, made.as_of)
    about = {"ref_contributor": row["contributor"], "ref_event": row["event_id"]}
    name = f"{kind}-{row['id']}"
    ledger.say(connection, now, event_id=name, kind=kind, subject=row["subject"], happened_at=at, **about, **more)
