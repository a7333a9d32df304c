"""Verify the record beside each entry of the chain against the entry's commitment.

An entry commits to its record by a salted hash. Later decisions do not read the record: they read the columns beside it. So we
check that each such column equals the value in the record, and that each decision read the value of the decision before it.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypedDict

from sqlalchemy import Connection, Select, or_, select

from api.decisions.decisions import REFUSED, record_commitment
from api.store.clock import micros
from api.store.tables import DECISION_SUBJECTS, DECISIONS
from api.supervision.linked_subjects import linked_subjects, subjects_of

COLUMNS: Final = ("subject", "merchant", "transaction_id", "context", "held_since", "salt", "record")


class ChainEntry(TypedDict):
    """An entry of the chain: a row of `decisions`."""

    seq: int
    id: str
    merchant: str
    service: str | None
    service_version: int | None
    perk: str
    amount: int
    currency: str
    outcome: str
    waived: int
    deposit: int
    decided_at: int
    valid_until: int
    release: str
    commitment: str
    previous_hash: str
    hash: str


class EntryRow(ChainEntry):
    """An entry with the columns of its record. After an erasure these are None."""

    about_subject: str | None
    about_merchant: str | None
    about_transaction_id: str | None
    about_context: str | None
    about_held_since: int | None
    about_salt: str | None
    about_record: str | None


def record_problem(row: EntryRow) -> str | None:
    """The problem with the record beside an entry; None if it is right or erased."""
    if row["about_salt"] is None:
        return None
    text = row["about_record"] or ""
    if record_commitment(row["about_salt"], text) != row["commitment"]:
        return "its record was altered"
    record = json.loads(text)
    columns = {
        "subject": row["about_subject"],
        "merchant": row["about_merchant"],
        "transaction_id": row["about_transaction_id"],
        "held_since": row["about_held_since"],
        "context": json.loads(row["about_context"] or "{}"),
    }
    differing = sorted(name for name, value in _recorded_columns(record, columns).items() if value != columns[name])
    if not differing:
        return None
    return f"columns that later questions read were altered: {', '.join(differing)}"


def _recorded_columns(record: Mapping[str, Any], columns: Mapping[str, object]) -> dict[str, object]:
    """The value of each column in the record.

    Old records of refusals contain neither context nor subject; for those we accept the column's value.
    """
    decision = record.get("decision") or {}
    held_since = decision.get("held_since")
    subject = (decision.get("question") or {}).get("subject") or columns["subject"]
    return {
        "subject": record.get("subject", subject),
        "merchant": record["merchant"],
        # A refusal has no transaction id in its column, so that the merchant can ask again under the same id.
        "transaction_id": None if "refused" in record else record["transaction_id"],
        "context": record.get("context", columns["context"]),
        "held_since": None if held_since is None else micros(datetime.fromisoformat(held_since)),
    }


def read_problems(connection: Connection, rows: Sequence[EntryRow]) -> Mapping[int, str]:
    """The decisions that used another `held_since` of a perk than the decision before it states: their problems, by `seq`.

    So we also detect a time that someone forged before a decision and restored after it. Cost: one look-up per decision about
    a perk that the person held.
    """
    problems = {}
    reads = {row["seq"]: read for row in rows if (read := _held_read(row)) is not None}
    subjects = linked_subjects(connection, {name for read in reads.values() for name in read.linked})
    for row in rows:
        if (read := reads.get(row["seq"])) is None:
            continue
        own = {subjects[name] for name in read.linked} or {row["about_subject"]}
        if None in own or len(subjects_of(connection, read.shared)) < len(read.shared):
            continue  # one of the ids was erased since, with its decisions
        held_since, previous = read.held_since, connection.execute(_previous_query(row, own, read.shared)).scalar()
        if previous is None or held_since != min(previous, row["decided_at"]):
            problems[row["seq"]] = "its `held_since` of the perk differs from the decision before it"
    return problems


class _HeldRead(NamedTuple):
    """The `held_since` that a decision read, in microseconds, and the linked ids and shared decisions that it may be from."""

    held_since: int
    linked: tuple[str, ...]
    shared: tuple[int, ...]


def _held_read(row: EntryRow) -> _HeldRead | None:
    """None: the person did not hold the perk, or the record does not say."""
    if row["about_record"] is None or '"held_since":"' not in row["about_record"]:
        return None
    record = json.loads(row["about_record"])
    question = (record.get("decision") or {}).get("question") or {}
    since, linked = question.get("held_since"), tuple(question.get("linked") or ())
    shared = tuple(record.get("shared") or ())
    return None if since is None else _HeldRead(micros(datetime.fromisoformat(since)), linked, shared)


def _previous_query(
    row: EntryRow, subjects: Collection[str | None], shared: Collection[int]
) -> Select[tuple[int | None]]:
    joined = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    is_counted = or_(DECISION_SUBJECTS.c.subject.in_(subjects), DECISIONS.c.seq.in_(shared))
    is_same_perk = is_counted & (DECISIONS.c.perk == row["perk"])
    is_earlier = (DECISIONS.c.seq < row["seq"]) & (DECISIONS.c.outcome != REFUSED)
    query = select(DECISION_SUBJECTS.c.held_since).select_from(joined).where(is_same_perk, is_earlier)
    return query.order_by(DECISIONS.c.seq.desc()).limit(1)
