"""Decisions: each written down before it is answered, and chained to the one before by its hash.

The record is the canonical JSON of everything the decision depended on. The entry in the chain names nobody: it holds
what a merchant was told, and a salted commitment to the record. Its hash covers the hash before it, so that altering,
dropping or inserting one shows in every later one, also when records have gone with the people whom they were about.
"""

import hashlib
import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, insert, select

from api import account, departed
from api.account import Before
from api.clock import iso, micros, moment
from api.database import reading, writing
from api.tables import DECISION_SUBJECTS, DECISIONS
from engine.decide import Decision
from engine.errors import Refused

FIRST: Final = "0" * 64  # what the first decision is chained to
ENTRY: Final = (
    *("id", "merchant", "service", "service_version", "perk", "amount", "currency", "outcome", "waived", "deposit"),
    *("decided_at", "valid_until", "release", "commitment"),
)
_BOTH: Final = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
_WHOLE: Final = select(
    *(DECISIONS.c[c] for c in ("seq", *ENTRY)),
    *(DECISION_SUBJECTS.c[c] for c in ("transaction_id", "subject", "context")),
).select_from(_BOTH)
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
    service: str | None = None  # none: the house itself asks
    service_version: int | None = None


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
        if earlier:
            return earlier
        if departed.gone(connection, [asked.subject]):  # while it was being looked what is known
            raise Refused("unknown person", where="subject", hint="check the id", code="unknown_person")
        rows = account.given(connection, [asked.subject])[asked.subject]
        return _kept(connection, asked, now, decision(found, account.before(rows, asked.merchant, asked.perk, now)))


def found(engine: Engine, merchant: str, name: str) -> Answered:
    """A merchant's own decision. Raises Refused for any other: whether it exists is not told."""
    query = _WHOLE.where(DECISIONS.c.id == name, DECISIONS.c.merchant == merchant)
    with reading(engine) as connection:
        row = connection.execute(query).mappings().first()
    if row is None:
        hint = "ask with the token of the merchant who got it"
        raise Refused("unknown decision", where="decision_id", hint=hint, code="unknown_decision")
    return _answered(dict(row))


def record_of(engine: Engine, name: str) -> dict[str, Any]:
    """All that a decision depended on. Raises Refused when there is none of that id."""
    with reading(engine) as connection:
        query = select(DECISION_SUBJECTS.c.record).select_from(_BOTH).where(DECISIONS.c.id == name)
        text = connection.execute(query).scalar()
    if text is None:
        raise Refused("unknown decision", where="decision_id", code="unknown_decision")
    record: dict[str, Any] = json.loads(text)
    return record


def _before(connection: Connection, asked: Asked, now: datetime) -> Answered | None:
    if asked.transaction_id is None:
        return None
    query = _WHOLE.where(
        DECISION_SUBJECTS.c.merchant == asked.merchant, DECISION_SUBJECTS.c.transaction_id == asked.transaction_id
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
    text, salt = canonical(record), secrets.token_hex(32)
    row = {
        **{"id": name, "merchant": asked.merchant, "service": asked.service, "service_version": asked.service_version},
        **{"perk": asked.perk, "amount": asked.amount, "currency": asked.currency, "outcome": made.outcome},
        **{"waived": made.answer.waived, "deposit": made.answer.deposit},
        **{"decided_at": micros(now), "valid_until": micros(valid_until), "release": made.release},
        "commitment": committed(salt, text),
    }
    chain = {"previous_hash": previous, "hash": chained(previous, entry(row))}
    seq = connection.execute(insert(DECISIONS).values(row | chain).returning(DECISIONS.c.seq)).scalar()
    about = {
        **{"seq": seq, "merchant": asked.merchant, "transaction_id": asked.transaction_id, "subject": asked.subject},
        **{"context": json.dumps(asked.context, sort_keys=True), "held_since": _held(made)},
        **{"salt": salt, "record": text},
    }
    connection.execute(insert(DECISION_SUBJECTS).values(about))
    return _answered(row | about)


def canonical(value: Mapping[str, Any]) -> str:
    """JSON in the one form that is hashed: sorted keys, no spaces, text as it is."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def committed(salt: str, record: str) -> str:
    """The commitment to a record: without the salt nothing can be guessed from it. SHA-256, hex."""
    return hashlib.sha256(f"{salt}\n{record}".encode()).hexdigest()


def entry(row: Mapping[str, Any]) -> str:
    """What of a row of `decisions` is chained: canonical JSON of the columns `ENTRY`."""
    return canonical({column: row[column] for column in ENTRY})


def chained(previous: str, entry: str) -> str:
    """The hash of an entry that follows another: SHA-256, hex."""
    return hashlib.sha256(f"{previous}\n{entry}".encode()).hexdigest()


def _held(made: Decision) -> int | None:
    return None if made.held_since is None else micros(datetime.fromisoformat(made.held_since))


def _answered(row: dict[str, Any]) -> Answered:
    asked = Asked(
        merchant=row["merchant"],
        transaction_id=row["transaction_id"],
        subject=row["subject"],
        perk=row["perk"],
        amount=row["amount"],
        currency=row["currency"],
        context=json.loads(row["context"] or "{}"),
        service=row["service"],
        service_version=row["service_version"],
    )
    times = moment(row["decided_at"]), moment(row["valid_until"])
    return Answered(row["id"], asked, row["outcome"], row["waived"], row["deposit"], *times)
