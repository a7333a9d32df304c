"""Reviews: a person asks for a human review of a decision, and gets an answer.

We never change the recorded decision. If a review finds it wrong, the merchant asks again under a new transaction, and we
decide on the evidence of that moment.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final, TypedDict, cast

from sqlalchemy import Connection, RowMapping, insert, select, update

from api.access.presence import writing_about
from api.people.open_cases import Cursor, by_due_date
from api.store.clock import micros
from api.store.database import Database, reading, writing
from api.store.tables import DECISION_SUBJECTS, DECISIONS, REVIEWS
from engine.errors import Rejected

ANSWER_PERIOD: Final = timedelta(days=20)  # as for disputes


class Review(TypedDict):
    """A row of `reviews`. Times are microseconds since 1970-01-01 UTC."""

    id: str
    decision: str
    subject: str
    statement: str | None
    asked_at: int
    due_at: int
    outcome: str | None  # stands, mistaken; None while no one has answered
    note: str | None
    answered_by: str | None
    answered_at: int | None


def request_review(
    database: Database, person: str, decision: str, statement: str | None, now: datetime
) -> tuple[Review, bool]:
    """Request a review of a decision about the person. Returns the request, and whether it is new.

    A second request for the same decision returns the first. Raises Rejected `unknown_decision` if no such decision is about
    the person.
    """
    joined = select(DECISIONS.c.id).join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    with writing_about(database, person) as connection:
        query = joined.where(DECISIONS.c.id == decision, DECISION_SUBJECTS.c.subject == person)
        if connection.execute(query).first() is None:
            hint = "name one of GET /v1/me/inquiries"
            raise Rejected("unknown decision", where="decision_id", hint=hint, code="unknown_decision")
        is_same = select(REVIEWS).where(REVIEWS.c.decision == decision, REVIEWS.c.subject == person)
        existing = connection.execute(is_same).mappings().first()
        if existing is not None:
            return _review(existing), False
        row = Review(
            id=secrets.token_hex(8),
            decision=decision,
            subject=person,
            statement=statement,
            asked_at=micros(now),
            due_at=micros(now + ANSWER_PERIOD),
            outcome=None,
            note=None,
            answered_by=None,
            answered_at=None,
        )
        connection.execute(insert(REVIEWS).values(row))
    return row, True


def answer_review(database: Database, name: str, outcome: str, note: str | None, by: str, now: datetime) -> Review:
    """Answer a review: `stands` (the decision was right) or `mistaken` (someone corrects the evidence behind the decision).

    Idempotent for the same answer. Raises Rejected: `unknown_review`, `already_answered`.
    """
    with writing(database) as connection:
        stored = connection.execute(select(REVIEWS).where(REVIEWS.c.id == name)).mappings().first()
        if stored is None:
            raise _unknown_review()
        review = _review(stored)
        if review["answered_at"] is not None:
            if (review["outcome"], review["note"]) == (outcome, note):
                return review
            hint = f"it was {review['outcome']}"
            raise Rejected("this review has been answered", where="review", hint=hint, code="already_answered")
        review["outcome"], review["note"], review["answered_by"], review["answered_at"] = outcome, note, by, micros(now)
        answer = {"outcome": outcome, "note": note, "answered_by": by, "answered_at": review["answered_at"]}
        connection.execute(update(REVIEWS).where(REVIEWS.c.id == name).values(answer))
    return review


def of_person(connection: Connection, person: str) -> list[Review]:
    """List a person's requests, newest first."""
    query = select(REVIEWS).where(REVIEWS.c.subject == person).order_by(REVIEWS.c.asked_at.desc(), REVIEWS.c.id)
    return [_review(row) for row in connection.execute(query).mappings()]


def find_review(database: Database, name: str) -> Review:
    """Find a review by its id. Raises Rejected `unknown_review`."""
    with reading(database) as connection:
        row = connection.execute(select(REVIEWS).where(REVIEWS.c.id == name)).mappings().first()
    if row is None:
        raise _unknown_review()
    return _review(row)


def list_reviews(
    database: Database, *, waiting: bool, after: Cursor | None = None, limit: int | None = None
) -> list[Review]:
    """List all requests, or only the unanswered ones, by due date, after the one that `after` names."""
    query = by_due_date(select(REVIEWS), REVIEWS, after).limit(limit)
    if waiting:
        query = query.where(REVIEWS.c.answered_at.is_(None))
    with reading(database) as connection:
        return [_review(row) for row in connection.execute(query).mappings()]


def _unknown_review() -> Rejected:
    return Rejected("unknown review", where="review", hint="check its id", code="unknown_review")


def _review(row: RowMapping) -> Review:
    return cast(Review, dict(row))
