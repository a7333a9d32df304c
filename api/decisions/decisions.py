"""Decisions as they are kept: each written down before it is answered, and chained to the one before by its hash.

The record is the canonical JSON of everything the decision depended on. The entry in the chain names nobody: it holds
what a merchant was told, and a salted commitment to the record. Its hash covers the hash before it, so that altering,
dropping or inserting one shows in every later one, also when records have gone with the people whom they were about.
"""

import hashlib
import json
import secrets
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine

from api.clock import iso, micros, moment
from api.database import Query, fetched, inserted, reading
from engine.decide import Decision, as_json
from engine.errors import Refused

FIRST: Final = "0" * 64  # what the first decision is chained to
REFUSED: Final = "REFUSED"  # the outcome of a question that was not answered
SHORTEST: Final = 371  # about as long as a record is that says nothing but that it was refused
# As dear to write as a record, for it is pressed together as well, and it says nothing.
_PART: Final = (
    '{{"baseline":{},"bin":{},"dimension":"none","id":"none_{}","points":{},"reason":"none_{}","status":true}}'
)
_PADDING: Final = ",".join(_PART.format(n * 7 % 50, n % 5, n % 97, n * 3 % 40, n % 23) for n in range(300))
ENTRY: Final = (
    *("id", "merchant", "service", "service_version", "perk", "amount", "currency", "outcome", "waived", "deposit"),
    *("decided_at", "valid_until", "release", "commitment"),
)
SUBJECT: Final = ("merchant", "transaction_id", "subject", "context", "held_since", "salt", "record")
_WHOLE: Final = (*ENTRY, "transaction_id", "subject", "context")
_SELECT: Final = f"""
SELECT {", ".join(f"d.{c}" for c in ENTRY)}, s.transaction_id, s.subject, s.context
FROM decisions AS d JOIN decision_subjects AS s ON s.seq = d.seq
"""


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

    def same_as(self, other: "Asked") -> bool:
        """Whether it is the same question; the version of the service is not the merchant's to say."""
        return self._said() == other._said()

    def _said(self) -> tuple[object, ...]:
        about = self.service or (self.perk, self.currency)
        return self.subject, about, self.amount, json.dumps(dict(self.context), sort_keys=True)  # to Python, true is 1


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


Row = dict[str, Any]


def row_of(asked: Asked, now: datetime, made: Decision, order_moves: str = FIRST) -> Row:
    """A decision as it is kept, but for its place in the chain. `order_moves`: the hash of the newest move of any order."""
    valid_until = now + timedelta(hours=made.valid_hours)
    held = None if made.held_since is None else micros(datetime.fromisoformat(made.held_since))
    told = {"outcome": made.outcome, "waived": made.answer.waived, "deposit": made.answer.deposit}
    return _row(
        asked,
        now,
        valid_until,
        told | {"release": made.release, "held_since": held},
        order_moves,
        decision=made.parts(),
    )


def refusal_of(asked: Asked, now: datetime, stand_in: Row, code: str, order_moves: str = FIRST) -> Row:
    """A question that was not answered, as it is kept: the person sees who asked. The transaction may be asked again.

    The record is padded to the length of the decision that was thrown away, for writing takes longer the more there is to write.
    """
    told = {"outcome": REFUSED, "waived": 0, "deposit": asked.amount, "held_since": None}
    padding = _PADDING[: max(0, len(stand_in["record"]) - SHORTEST)]
    made = _row(asked, now, now, told | {"release": stand_in["release"]}, order_moves, refused=code, padding=padding)
    return made | {"transaction_id": None}


def _row(asked: Asked, now: datetime, valid_until: datetime, told: Row, order_moves: str, **record: Any) -> Row:
    name, salt = uuid.uuid4().hex, secrets.token_hex(32)
    said: Row = {
        "id": name,
        "merchant": asked.merchant,
        "transaction_id": asked.transaction_id,
        "service": asked.service,
    }
    # The request as it came: later questions read it from columns, and `iftah audit verify` compares them with this.
    said |= {"subject": asked.subject, "context": dict(asked.context), "order_moves": order_moves}
    text = as_json({**said, "decided_at": iso(now), "valid_until": iso(valid_until), **record})
    return {
        **{"id": name, "merchant": asked.merchant, "service": asked.service, "service_version": asked.service_version},
        **{"perk": asked.perk, "amount": asked.amount, "currency": asked.currency, **told},
        **{"decided_at": micros(now), "valid_until": micros(valid_until), "commitment": committed(salt, text)},
        **{"transaction_id": asked.transaction_id, "subject": asked.subject},
        **{"context": json.dumps(dict(asked.context), sort_keys=True), "salt": salt, "record": text},
    }


_HEAD: Final = "UPDATE chain_head SET length = length + :more, hash = :hash WHERE id = 1"
NEWEST: Final = Query("SELECT seq, hash, decided_at FROM decisions ORDER BY seq DESC LIMIT 1")
NEWEST_MOVE: Final = Query("SELECT hash FROM chain_head WHERE id = 2")  # of any order: `api.orders.move_chain`


def keep(connection: Connection, rows: Iterable[Row], newest: list[tuple[Any, ...]]) -> None:
    """Append to the chain, in this order; within a write transaction in which `newest` was read, so that nobody else does meanwhile."""
    seq, previous = newest[0][:2] if newest else (0, FIRST)
    entries, subjects = [], []
    for row in rows:
        seq += 1
        hash_ = chained(previous, entry(row))
        entries.append((seq, *(row[c] for c in ENTRY), previous, hash_))
        subjects.append((seq, *(row[c] for c in SUBJECT)))
        previous = hash_
    chain = ("seq", *ENTRY, "previous_hash", "hash")
    head = Query(_HEAD, {"more": len(entries), "hash": previous})
    inserted(connection, {"decisions": (chain, entries), "decision_subjects": (("seq", *SUBJECT), subjects)}, head)


def answered_before(keys: Collection[tuple[str, str]]) -> Query:
    """What at least these transactions (merchant, transaction_id) were answered."""
    merchants, transactions = (sorted({key[n] for key in keys}) for n in (0, 1))
    where = "WHERE s.merchant IN {merchants} AND s.transaction_id IN {transactions}"
    return Query(f"{_SELECT} {where}", {"merchants": merchants, "transactions": transactions})


def by_transaction(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], Answered]:
    """The rows of `answered_before`, by merchant and transaction."""
    made = (answer_of(dict(zip(_WHOLE, row, strict=True))) for row in rows)
    return {(a.asked.merchant, a.asked.transaction_id or ""): a for a in made}


def found(engine: Engine, merchant: str, name: str) -> Answered:
    """A merchant's own decision. Raises Refused for any other: whether it exists is not told."""
    sql = f"{_SELECT} WHERE d.id = :name AND d.merchant = :merchant AND d.outcome <> '{REFUSED}'"
    with reading(engine) as connection:
        (rows,) = fetched(connection, Query(sql, {"name": name, "merchant": merchant}))
    if not rows:
        hint = "ask with the token of the merchant who got it"
        raise Refused("unknown decision", where="decision_id", hint=hint, code="unknown_decision")
    return answer_of(dict(zip(_WHOLE, rows[0], strict=True)))


def record_of(engine: Engine, name: str) -> dict[str, Any]:
    """All that a decision depended on. Raises Refused when there is none of that id, or whom it was about has left."""
    sql = "SELECT s.record FROM decisions AS d JOIN decision_subjects AS s ON s.seq = d.seq WHERE d.id = :name"
    with reading(engine) as connection:
        (rows,) = fetched(connection, Query(sql, {"name": name}))
    if not rows:
        raise Refused("unknown decision", where="decision_id", code="unknown_decision")
    record: dict[str, Any] = json.loads(rows[0][0])
    return record


def answer_of(row: Mapping[str, Any]) -> Answered:
    """What the merchant is told of a row."""
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


def committed(salt: str, record: str) -> str:
    """The commitment to a record: without the salt nothing can be guessed from it. SHA-256, hex."""
    return hashlib.sha256(f"{salt}\n{record}".encode()).hexdigest()


def entry(row: Mapping[str, Any]) -> str:
    """What of a row of `decisions` is chained: canonical JSON of the columns `ENTRY`."""
    return as_json({column: row[column] for column in ENTRY})


def chained(previous: str, entry: str) -> str:
    """The hash of an entry that follows another: SHA-256, hex."""
    return hashlib.sha256(f"{previous}\n{entry}".encode()).hexdigest()
