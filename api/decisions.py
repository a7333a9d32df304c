"""Decisions: each written down before it is answered, and chained to the one before by its hash.

The record is the canonical JSON of everything the decision depended on; its hash covers the hash before it, so that
altering, dropping or inserting one shows in every later one.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, Row, insert, select

from api.clock import iso, micros, moment
from api.database import reading, writing
from api.tables import DECISIONS
from engine.caps import Used
from engine.decide import Decision
from engine.errors import Refused

FIRST: Final = "0" * 64  # what the first decision is chained to
REPEATED: Final = timedelta(hours=24)  # how long the same transaction gets the same answer
Known = TypeVar("Known")


@dataclass(frozen=True)
class Asked:
    """Who asked what: a merchant's question, with its own number for it."""

    merchant: str
    transaction_id: str | None
    subject: str
    perk: str
    amount: int
    currency: str
    context: Mapping[str, Any] = field(default_factory=dict)  # the request's own fields, as JSON has them


@dataclass(frozen=True)
class Before:
    """What was given to the person before: waivers, and since when the perk is held (ISO 8601)."""

    used: tuple[Used, ...]
    held_since: str | None


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


def decided(
    engine: Engine,
    asked: Asked,
    now: datetime,
    known: Callable[[], Known],
    decision: Callable[[Known, Before], Decision],
) -> Answered:
    """The answer to a question: made and kept now, or the one that was given to the same transaction before.

    What is `known` of the person is read outside the write transaction; `decision` is made inside, so that what was given
    before is all that was, whoever else asks at the same time. Raises Refused for a transaction id used for another
    question, or for the same after a day.
    """
    with reading(engine) as connection:
        before = _before(connection, asked, now)
    if before:
        return before
    found = known()
    with writing(engine) as connection:
        earlier = _before(connection, asked, now)
        return earlier or _kept(connection, asked, now, decision(found, given_before(connection, asked, now)))


def given_before(connection: Connection, asked: Asked, now: datetime) -> Before:
    """The waivers given to the person so far, and since when the perk is held.

    Until there are orders, an answer counts as used from when it is given, and as open while it is valid. Of the answers
    that the same merchant got about the same perk while the one before was valid the largest counts: asking again uses
    nothing up, and asking for less frees nothing.
    """
    columns = ("seq", "merchant", "perk", "currency", "waived", "decided_at", "valid_until", "held_since")
    query = select(*(DECISIONS.c[c] for c in columns)).where(DECISIONS.c.subject == asked.subject)
    rows = connection.execute(query.order_by(DECISIONS.c.seq)).all()
    held = next((r.held_since for r in reversed(rows) if r.perk == asked.perk), None)
    used: list[Used] = []
    for row in rows:
        alike = [o for o in rows if (o.merchant, o.perk) == (row.merchant, row.perk)]
        replaced = any(_stands_for(o, row) for o in alike)
        again = (asked.merchant, asked.perk) == (row.merchant, row.perk) and row.valid_until > micros(now)
        if row.waived and not replaced and not again:
            open_ = row.valid_until > micros(now)
            used.append(Used(row.perk, row.currency, row.waived, iso(moment(row.decided_at)), open_))
    return Before(tuple(used), None if held is None else iso(moment(held)))


def _stands_for(one: Row[Any], other: Row[Any]) -> bool:
    """Whether the one counts in place of the other: they overlap, and it is the larger, or as large and the later."""
    first, second = sorted((one, other), key=lambda r: r.seq)
    overlap = first is not second and second.decided_at < first.valid_until
    return bool(overlap and (one.waived, one.seq) > (other.waived, other.seq))


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
        **{"context": json.dumps(asked.context, sort_keys=True), "held_since": _held(made)},
        **{"record": text, "previous_hash": previous, "hash": chained(previous, text)},
    }
    connection.execute(insert(DECISIONS).values(row))
    return _answered(row)


def chained(previous: str, record: str) -> str:
    """The hash of a record that follows another: SHA-256, hex."""
    return hashlib.sha256(f"{previous}\n{record}".encode()).hexdigest()


def _held(made: Decision) -> int | None:
    return None if made.held_since is None else micros(datetime.fromisoformat(made.held_since))


def _answered(row: dict[str, Any]) -> Answered:
    context = json.loads(row["context"] or "{}")
    asked = Asked(
        row["merchant"], row["transaction_id"], row["subject"], row["perk"], row["amount"], row["currency"], context
    )
    times = moment(row["decided_at"]), moment(row["valid_until"])
    return Answered(row["id"], asked, row["outcome"], row["waived"], row["deposit"], *times)
