"""Decisions: each written down before it is answered, and chained to the one before by its hash.

The record is the canonical JSON of everything the decision depended on; its hash covers the hash before it, so that
altering, dropping or inserting one shows in every later one.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, select

from api.clock import iso, micros, moment
from api.database import reading, writing
from api.tables import DECISIONS
from engine.decide import Decision
from engine.errors import Refused

FIRST: Final = "0" * 64  # what the first decision is chained to
REPEATED: Final = timedelta(hours=24)  # how long the same transaction gets the same answer


@dataclass(frozen=True)
class Asked:
    """Who asked what: a merchant's question, with its own number for it."""

    merchant: str
    transaction_id: str | None
    subject: str
    perk: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Answered:
    """What the merchant is told, and by which record."""

    id: str
    asked: Asked
    outcome: str
    waived: int
    deposit: int
    decided_at: datetime
    valid_until: datetime


def decided(engine: Engine, asked: Asked, now: datetime, decision: Callable[[], Decision]) -> Answered:
    """The answer to a question: made and kept now, or the one that was given to the same transaction before.

    `decision` is called outside the write transaction, and only for a question that is new. Raises Refused for a
    transaction id used for another question, or for the same after a day.
    """
    with reading(engine) as connection:
        before = _before(connection, asked, now)
    if before:
        return before
    made = decision()
    with writing(engine) as connection:
        return _before(connection, asked, now) or _kept(connection, asked, now, made)


def found(engine: Engine, merchant: str, name: str) -> Answered:
    """A merchant's own decision. Raises Refused for any other: whether it exists is not told."""
    query = select(DECISIONS).where(DECISIONS.c.id == name, DECISIONS.c.merchant == merchant)
    with reading(engine) as connection:
        row = connection.execute(query).mappings().first()
    if row is None:
        hint = "ask with the token of the merchant who got it"
        raise Refused("unknown decision", where="decision_id", hint=hint, code="unknown_decision")
    return _answered(dict(row))


def record_of(engine: Engine, name: str) -> dict[str, Any]:
    """All that a decision depended on. Raises Refused when there is none of that id."""
    with reading(engine) as connection:
        query = select(DECISIONS.c.record).where(DECISIONS.c.id == name)
        text = connection.execute(query).scalar()
    if text is None:
        raise Refused("unknown decision", where="decision_id", code="unknown_decision")
    record: dict[str, Any] = json.loads(text)
    return record


def _before(connection: Connection, asked: Asked, now: datetime) -> Answered | None:
    if asked.transaction_id is None:
        return None
    query = select(DECISIONS).where(
        DECISIONS.c.merchant == asked.merchant,
        DECISIONS.c.transaction_id == asked.transaction_id,
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    before = _answered(dict(row))
    if before.asked != asked:
        message = f"transaction `{asked.transaction_id}` asked something else before"
        raise Refused(message, where="transaction_id", hint="use a new transaction_id", code="transaction_mismatch")
    if now - before.decided_at > REPEATED:
        message = f"transaction `{asked.transaction_id}` was answered more than a day ago"
        raise Refused(message, where="transaction_id", hint="use a new transaction_id", code="transaction_expired")
    return before


def _kept(connection: Connection, asked: Asked, now: datetime, made: Decision) -> Answered:
    newest = select(DECISIONS.c.hash).order_by(DECISIONS.c.seq.desc()).limit(1)
    previous = connection.execute(newest).scalar() or FIRST
    name = uuid.uuid4().hex
    valid_until = now + timedelta(hours=made.valid_hours)
    record = {
        **{"id": name, "merchant": asked.merchant, "transaction_id": asked.transaction_id},
        **{"decided_at": iso(now), "valid_until": iso(valid_until), "decision": made.record()},
    }
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    row = {
        **{"id": name, "merchant": asked.merchant, "transaction_id": asked.transaction_id, "subject": asked.subject},
        **{"perk": asked.perk, "amount": asked.amount, "currency": asked.currency, "outcome": made.outcome},
        **{"waived": made.answer.waived, "deposit": made.answer.deposit},
        **{"decided_at": micros(now), "valid_until": micros(valid_until), "release": made.release},
        **{"record": text, "previous_hash": previous, "hash": chained(previous, text)},
    }
    connection.execute(insert(DECISIONS).values(row))
    return _answered(row)


def chained(previous: str, record: str) -> str:
    """The hash of a record that follows another: SHA-256, hex."""
    return hashlib.sha256(f"{previous}\n{record}".encode()).hexdigest()


def _answered(row: dict[str, Any]) -> Answered:
    asked = Asked(*(row[c] for c in ("merchant", "transaction_id", "subject", "perk", "amount", "currency")))
    times = moment(row["decided_at"]), moment(row["valid_until"])
    return Answered(row["id"], asked, row["outcome"], row["waived"], row["deposit"], *times)
