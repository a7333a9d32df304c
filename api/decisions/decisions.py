"""Stored decisions: we write each decision before we answer, and chain it to the previous decision by its hash.

The record is the canonical JSON of everything that the decision depended on. The entry in the chain names no person: it holds
the merchant's answer and a salted commitment to the record. The entry's hash covers the previous hash. So if someone alters,
drops or inserts an entry, every later hash shows it, also after the erasure of records with their people.
"""

import hashlib
import json
import secrets
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, or_, select, update

from api.decisions.question import EligibilityQuestion
from api.evidence import counting_lists
from api.store.clock import iso, micros, moment
from api.store.database import Database, fetch_rows, insert_rows, reading
from api.store.statements import Query, is_any_of, texts
from api.store.tables import (
    CHAIN_HEAD,
    COUNTING_DECISIONS,
    DECISION_SUBJECTS,
    DECISIONS,
    SHARED_DECISIONS,
    TRIAL_ANSWERS,
)
from engine.decide.decide import Decision, as_json, integer_json
from engine.errors import Rejected

GENESIS_HASH: Final = "0" * 64  # the previous hash of the first decision
REFUSED: Final = "REFUSED"  # the outcome of a question without an answer
MIN_RECORD_CHARS: Final = 371  # about the length of a refusal's record without padding
# Meaningless text that costs as much to write as a record: it compresses about as well.
_PART: Final = (
    '{{"baseline":{},"bin":{},"dimension":"none","id":"none_{}","points":{},"reason":"none_{}","status":true}}'
)
_PADDING: Final = ",".join(_PART.format(n * 7 % 50, n % 5, n % 97, n * 3 % 40, n % 23) for n in range(300))
ENTRY_COLUMNS: Final = (
    "id",
    "merchant",
    "service",
    "service_version",
    "perk",
    "amount",
    "currency",
    "outcome",
    "waived",
    "deposit",
    "decided_at",
    "valid_until",
    "release",
    "commitment",
)
COUNTING_COLUMNS: Final = (
    *("id", "merchant", "perk", "currency", "amount", "outcome", "waived", "decided_at", "valid_until", "held_since"),
)
SUBJECT_COLUMNS: Final = ("merchant", "transaction_id", "subject", "context", "held_since", "salt", "record")
_RESULT_COLUMNS: Final = (*ENTRY_COLUMNS, "transaction_id", "subject", "context")
_DECISION_WITH_SUBJECT: Final = DECISIONS.join(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == DECISIONS.c.seq)
_SELECT: Final = select(
    *(DECISIONS.c[c] for c in ENTRY_COLUMNS),
    *(DECISION_SUBJECTS.c[c] for c in ("transaction_id", "subject", "context")),
).select_from(_DECISION_WITH_SUBJECT)
_BY_TRANSACTION: Final = _SELECT.where(
    is_any_of(DECISION_SUBJECTS.c.merchant, texts("merchants")),
    is_any_of(DECISION_SUBJECTS.c.transaction_id, texts("transactions")),
)
_OF_MERCHANT: Final = _SELECT.where(
    DECISIONS.c.id == bindparam("name"), DECISIONS.c.merchant == bindparam("merchant"), DECISIONS.c.outcome != REFUSED
)
_RECORD: Final = (
    select(DECISION_SUBJECTS.c.record).select_from(_DECISION_WITH_SUBJECT).where(DECISIONS.c.id == bindparam("name"))
)
_EXTEND_CHAIN: Final = (
    update(CHAIN_HEAD)
    .where(CHAIN_HEAD.c.id == 1)
    .values(length=CHAIN_HEAD.c.length + bindparam("more"), hash=bindparam("newest"))
)
NEWEST_DECISION: Final = Query(
    select(DECISIONS.c.seq, DECISIONS.c.hash, DECISIONS.c.decided_at).order_by(DECISIONS.c.seq.desc()).limit(1)
)
# of the moves of any order (2: `api.orders.move_chain`), and of the release log (3: `api.releases.release_log`)
OTHER_HEADS: Final = Query(
    select(CHAIN_HEAD.c.id, CHAIN_HEAD.c.hash).where(or_(CHAIN_HEAD.c.id == 2, CHAIN_HEAD.c.id == 3))
)


@dataclass(frozen=True)
class DecisionResult:
    """The answer to a merchant, and the id of its record."""

    id: str
    question: EligibilityQuestion
    outcome: str
    waived: int
    deposit: int
    decided_at: datetime
    valid_until: datetime

    def merchant_view(self) -> dict[str, Any]:
        """The merchant's answer: without score and reasons, which only the person may see."""
        return {
            "decision_id": self.id,
            "outcome": self.outcome,
            "waived_amount": self.waived,
            "deposit_amount": self.deposit,
            "currency": self.question.currency,
            "valid_until": self.valid_until,
        }


@dataclass(frozen=True)
class TrialAnswer:
    """What one arm of a trial answered: a row of `trial_answers`, without the `seq` of the decision."""

    arm: str
    proposal: int
    stage: int
    release: str
    outcome: str
    waived: int
    currency: str
    score: int | None
    reasons: str
    micros: int


@dataclass(frozen=True)
class DecisionRow:
    """A decision as we store it, without its place in the chain. Money in minor units, times in microseconds since 1970."""

    id: str
    merchant: str
    transaction_id: str | None
    service: str | None
    service_version: int | None
    subject: str
    perk: str
    amount: int
    currency: str
    context: str  # JSON
    outcome: str
    waived: int
    deposit: int
    held_since: int | None
    release: str
    decided_at: int
    valid_until: int
    salt: str
    record: str  # canonical JSON
    commitment: str
    linked: tuple[str, ...] = ()  # pseudonyms of all ids of a person that has several
    trial: tuple["TrialAnswer", ...] = ()  # while a release is on trial


@dataclass(frozen=True)
class _Outcome:
    """The result of a question: the columns of a row that the question itself does not fill."""

    outcome: str
    waived: int
    deposit: int
    held_since: int | None
    release: str
    valid_until: datetime


@dataclass(frozen=True)
class OtherChains:
    """The hashes of the newest move of any order, and of the newest step of the release log: a decision binds both."""

    order_moves: str = GENESIS_HASH
    release_log: str = GENESIS_HASH

    def binding(self) -> dict[str, str]:
        """The part of a record. A decision from before the release log binds no step of it."""
        return {"order_moves": self.order_moves} | (
            {} if self.release_log == GENESIS_HASH else {"release_log": self.release_log}
        )


def row_of(
    question: EligibilityQuestion, decision: Decision, chains: OtherChains = OtherChains(), shared: tuple[int, ...] = ()
) -> DecisionRow:
    """The row of a decision. `shared`: the `seq` of the decisions about other ids that it counted, since a link once joined
    them.
    """
    held_since = None if decision.held_since is None else micros(datetime.fromisoformat(decision.held_since))
    answer, valid_until = decision.answer, question.asked_at + timedelta(hours=decision.valid_hours)
    outcome = _Outcome(decision.outcome, answer.waived, answer.deposit, held_since, decision.release, valid_until)
    more = {**chains.binding(), **({"shared": list(shared)} if shared else {}), "decision": decision.as_dict()}
    return replace(_row(question, outcome, more), linked=decision.question.linked or ())


def refusal_of(
    question: EligibilityQuestion, stand_in: DecisionRow, code: str, chains: OtherChains = OtherChains()
) -> DecisionRow:
    """The row of a question without an answer: it shows the inquiry to the person. The merchant may use the transaction again.

    We pad the record to the length of the discarded decision's record, because a longer record takes longer to write.
    """
    padding = _PADDING[: max(0, len(stand_in.record) - MIN_RECORD_CHARS)]
    outcome = _Outcome(REFUSED, 0, question.amount, None, stand_in.release, question.asked_at)
    row = _row(question, outcome, {**chains.binding(), "refused": code, "padding": padding})
    return replace(row, transaction_id=None)


def _row(question: EligibilityQuestion, outcome: _Outcome, more: Mapping[str, object]) -> DecisionRow:
    """Build a row. `more`: further content of the record. The record holds the request as we got it: later questions read the
    request from columns, and `iftah audit verify` compares these columns with the record.
    """
    decision_id, salt = uuid.uuid4().hex, secrets.token_hex(32)
    record = {
        "id": decision_id,
        "merchant": question.merchant,
        "transaction_id": question.transaction_id,
        "service": question.service,
        "subject": question.subject,
        "context": dict(question.context),
        "decided_at": iso(question.asked_at),
        "valid_until": iso(outcome.valid_until),
        **more,
    }
    has_floats = any(isinstance(value, float) for value in question.context.values())  # no field of any perk is one
    text = as_json(record) if has_floats else integer_json(record)
    return DecisionRow(
        id=decision_id,
        merchant=question.merchant,
        transaction_id=question.transaction_id,
        service=question.service,
        service_version=question.service_version,
        subject=question.subject,
        perk=question.perk,
        amount=question.amount,
        currency=question.currency,
        context=json.dumps(dict(question.context), sort_keys=True),
        outcome=outcome.outcome,
        waived=outcome.waived,
        deposit=outcome.deposit,
        held_since=outcome.held_since,
        release=outcome.release,
        decided_at=micros(question.asked_at),
        valid_until=micros(outcome.valid_until),
        salt=salt,
        record=text,
        commitment=record_commitment(salt, text),
    )


class ChainTail(NamedTuple):
    """The newest decision of the chain, as `NEWEST_DECISION` reads it; `decided_at` in microseconds since 1970."""

    seq: int
    hash: str
    decided_at: int


def append_decisions(
    connection: Connection,
    rows: Iterable[DecisionRow],
    newest: ChainTail | None,
    shared: Iterable[tuple[str, int]] = (),
    changes: Sequence[Query] = (),
) -> None:
    """Append to the chain, in this order. You must have read `newest` in the same write transaction, which excludes other
    writers. `shared`: earlier decisions to share from now on, pseudonym and `seq`. We make the `changes` in the same round trip.
    """
    seq, previous = (newest.seq, newest.hash) if newest else (0, GENESIS_HASH)
    entries, subjects, answers, listed = [], [], [], []
    earlier, shares = tuple(shared), []
    for row in rows:
        columns = vars(row)
        seq += 1
        hash_ = chain_hash(previous, entry(columns))
        chained = {column: columns[column] for column in ENTRY_COLUMNS}
        entries.append({"seq": seq, **chained, "previous_hash": previous, "hash": hash_})
        subjects.append({"seq": seq, **{column: columns[column] for column in SUBJECT_COLUMNS}})
        shares += [{"pseudonym": name, "seq": seq} for name in row.linked]
        counting = {"seq": seq, **{column: columns[column] for column in COUNTING_COLUMNS}}
        listed += [{"subject": name, **counting} for name in dict.fromkeys((row.subject, *row.linked))]
        answers += [{"seq": seq, **vars(answer)} for answer in row.trial]
        previous = hash_
    tables = {
        DECISIONS: entries,
        DECISION_SUBJECTS: subjects,
        SHARED_DECISIONS: shares + [{"pseudonym": name, "seq": number} for name, number in earlier],
        TRIAL_ANSWERS: answers,
        COUNTING_DECISIONS: listed,
    }
    head = Query(_EXTEND_CHAIN, {"more": len(entries), "newest": previous})
    insert_rows(connection, tables, (head, *changes))
    counting_lists.add_shares(connection, earlier)


def transactions_query(keys: Collection[tuple[str, str]]) -> Query:
    """The query for earlier results of these transactions (merchant, transaction_id). It can return others too."""
    merchants, transactions = (sorted({key[n] for key in keys}) for n in (0, 1))
    return Query(_BY_TRANSACTION, {"merchants": merchants, "transactions": transactions})


def by_transaction(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], DecisionResult]:
    """The rows of `transactions_query` as results, by merchant and transaction."""
    results = (result_of_row(dict(zip(_RESULT_COLUMNS, row, strict=True))) for row in rows)
    return {(a.question.merchant, a.question.transaction_id or ""): a for a in results}


def find_decision(database: Database, merchant: str, name: str) -> DecisionResult:
    """A merchant's own decision. Raises Rejected `unknown_decision` for any other, whether or not it exists."""
    with reading(database) as connection:
        (rows,) = fetch_rows(connection, Query(_OF_MERCHANT, {"name": name, "merchant": merchant}))
    if not rows:
        hint = "use the token of the merchant that received the decision"
        raise Rejected("unknown decision", where="decision_id", hint=hint, code="unknown_decision")
    return result_of_row(dict(zip(_RESULT_COLUMNS, rows[0], strict=True)))


def record_of(database: Database, name: str) -> dict[str, Any]:
    """The record of a decision. Raises Rejected `unknown_decision` for an unknown id, or after the person's erasure."""
    with reading(database) as connection:
        (rows,) = fetch_rows(connection, Query(_RECORD, {"name": name}))
    if not rows:
        raise Rejected("unknown decision", where="decision_id", code="unknown_decision")
    record: dict[str, Any] = json.loads(rows[0][0])
    return record


def recorded_inputs(database: Database, name: str) -> dict[str, Any]:
    """The recorded inputs and result of the rules. Raises Rejected as `record_of`."""
    inputs: dict[str, Any] = record_of(database, name)["decision"]
    return inputs


def result_of(row: DecisionRow) -> DecisionResult:
    """The merchant's result from a row to be written."""
    return result_of_row({column: getattr(row, column) for column in _RESULT_COLUMNS})


def result_of_row(row: Mapping[str, Any]) -> DecisionResult:
    """The merchant's result from the columns `_RESULT_COLUMNS`."""
    decided_at = moment(row["decided_at"])
    question = EligibilityQuestion(
        merchant=row["merchant"],
        transaction_id=row["transaction_id"],
        subject=row["subject"],
        perk=row["perk"],
        amount=row["amount"],
        currency=row["currency"],
        asked_at=decided_at,
        context=json.loads(row["context"] or "{}"),
        service=row["service"],
        service_version=row["service_version"],
    )
    until = moment(row["valid_until"])
    return DecisionResult(row["id"], question, row["outcome"], row["waived"], row["deposit"], decided_at, until)


def record_commitment(salt: str, record: str) -> str:
    """The commitment to a record: without the salt you cannot confirm a guess of the record. SHA-256, hex."""
    return hashlib.sha256(f"{salt}\n{record}".encode()).hexdigest()


def entry(row: Mapping[str, object]) -> str:
    """The chained part of a row of `decisions`: canonical JSON of the columns `ENTRY_COLUMNS`."""
    return integer_json({column: row[column] for column in ENTRY_COLUMNS})


def chain_hash(previous: str, entry: str) -> str:
    """The hash of an entry after the hash `previous`. SHA-256, hex."""
    return hashlib.sha256(f"{previous}\n{entry}".encode()).hexdigest()
