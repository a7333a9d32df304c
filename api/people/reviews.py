"""Reviews: a person asks that a human looks at a decision again, and is told what came of it.

The recorded decision stays what it was. Where a review comes to another answer the merchant asks anew, under a new
transaction, and is answered by what is known then.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, select, update

from api.access.presence import writing_about
from api.clock import micros
from api.database import reading, writing
from api.tables import DECISION_SUBJECTS, DECISIONS, REVIEWS
from engine.errors import Refused

ANSWERED_IN: Final = timedelta(days=20)  # as for objections
Row = dict[str, Any]


def asked(engine: Engine, person: str, decision: str, statement: str | None, now: datetime) -> tuple[Row, bool]:
    """The person's request about a decision of theirs, and whether it is new: the one that was made before if there is one.

    Raises Refused: `unknown_decision` for none of theirs.
    """
    about = select(DECISIONS.c.id).join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    with writing_about(engine, person) as connection:
        query = about.where(DECISIONS.c.id == decision, DECISION_SUBJECTS.c.subject == person)
        if connection.execute(query).first() is None:
            hint = "name one of GET /v1/me/inquiries"
            raise Refused("unknown decision", where="decision_id", hint=hint, code="unknown_decision")
        same = select(REVIEWS).where(REVIEWS.c.decision == decision, REVIEWS.c.subject == person)
        before = connection.execute(same).mappings().first()
        if before is not None:
            return dict(before), False
        row = {
            **{"id": secrets.token_hex(8), "decision": decision, "subject": person, "statement": statement},
            **{"asked_at": micros(now), "due_at": micros(now + ANSWERED_IN)},
            **{"outcome": None, "note": None, "answered_by": None, "answered_at": None},
        }
        connection.execute(insert(REVIEWS).values(row))
    return row, True


def answered(engine: Engine, name: str, outcome: str, note: str | None, by: str, now: datetime) -> Row:
    """Answer a request: `stands` (the decision was right) or `mistaken` (what it rested on is put right). The same answer again changes nothing.

    Raises Refused: `unknown_review`, `already_answered`.
    """
    with writing(engine) as connection:
        found = connection.execute(select(REVIEWS).where(REVIEWS.c.id == name)).mappings().first()
        if found is None:
            raise Refused("unknown review", where="review", hint="check its id", code="unknown_review")
        if found["answered_at"] is not None:
            if (found["outcome"], found["note"]) == (outcome, note):
                return dict(found)
            hint = f"it was {found['outcome']}"
            raise Refused("this review has been answered", where="review", hint=hint, code="already_answered")
        answer = {"outcome": outcome, "note": note, "answered_by": by, "answered_at": micros(now)}
        connection.execute(update(REVIEWS).where(REVIEWS.c.id == name).values(answer))
    return {**found, **answer}


def of_person(connection: Connection, person: str) -> list[Row]:
    """A person's requests, newest first."""
    query = select(REVIEWS).where(REVIEWS.c.subject == person).order_by(REVIEWS.c.asked_at.desc(), REVIEWS.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def listed(engine: Engine, *, waiting: bool) -> list[Row]:
    """All requests, or only those that wait for an answer: what is due first comes first."""
    query = select(REVIEWS).order_by(REVIEWS.c.due_at, REVIEWS.c.id)
    if waiting:
        query = query.where(REVIEWS.c.answered_at.is_(None))
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
