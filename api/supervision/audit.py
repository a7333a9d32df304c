"""The audit: walking the chain of decisions, finding them, and what stands beside each.

An entry says what a merchant was told and names nobody. The record, with whom it was about, is beside it until the person
leaves; then the entry still verifies, and the record is said to be erased.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, select

from api.clock import EPOCH, iso, later, micros
from api.database import reading
from api.decisions.decisions import ENTRY, FIRST, chained, committed, entry
from api.supervision.merkle import Growing
from api.tables import DAY_DIGESTS, DECISION_SUBJECTS, DECISIONS
from engine.errors import Refused

BATCH: Final = 5_000  # decisions read at once: what a walk holds in memory
_ABOUT: Final = ("subject", "merchant", "transaction_id", "salt", "record")
_BESIDE: Final = DECISIONS.outerjoin(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
_WALKED: Final = select(
    *(DECISIONS.c[c] for c in ("seq", *ENTRY, "previous_hash", "hash")),
    *(DECISION_SUBJECTS.c[c].label(f"about_{c}") for c in _ABOUT),
).select_from(_BESIDE)


@dataclass(frozen=True)
class Break:
    """Where a chain does not hold: the decision, or the digest of a day, and what is wrong."""

    seq: int | None
    id: str | None
    what: str


@dataclass(frozen=True)
class Verified:
    """What a walk saw, up to the first break if there is one. `head`: the hash of the last decision that holds."""

    decisions: int
    erased: int
    digests: int
    head: str
    broken: Break | None


@dataclass(frozen=True)
class Sought:
    """Which decisions: all that fit every field that is given."""

    since: datetime | None = None
    until: datetime | None = None  # not that moment itself
    merchant: str | None = None
    perk: str | None = None
    outcome: str | None = None


def verify(engine: Engine, on_progress: Callable[[int], None] = lambda _: None, head: str | None = None) -> Verified:
    """Walk the chain from its first decision to the first break. `head`: a hash that must be in it, kept from an earlier walk.

    Decisions are read in batches, each of one moment, so that nobody waits for the walk; memory is that of a batch.
    """
    walk = _Walk(head)
    with reading(engine) as connection:
        walk.due = [tuple(row) for row in connection.execute(_DIGESTS)]
    for rows in _batches(engine):
        for row in rows:
            broken = walk.step(row)
            if broken:
                return walk.said(broken)
        on_progress(walk.decisions)
    return walk.said(walk.end() or _unclaimed(engine))


_DIGESTS: Final = select(*(DAY_DIGESTS.c[c] for c in ("day", "first", "last", "root"))).order_by(DAY_DIGESTS.c.first)


class _Walk:
    """What is remembered from one decision to the next."""

    def __init__(self, head: str | None) -> None:
        self.previous, self.wanted = FIRST, head
        self.decisions = self.erased = self.digests = 0
        self.due: list[tuple[Any, ...]] = []  # digests still to come
        self.tree: Growing | None = None

    def step(self, row: Row[Any]) -> Break | None:
        """One decision further, or what is wrong with it."""
        known = dict(row._mapping)
        what = self._entry(known) or _record(known) or self._digested(known)
        if what:
            return Break(known["seq"], known["id"], what)
        self.previous = known["hash"]
        self.wanted = None if self.previous == self.wanted else self.wanted
        self.decisions += 1
        self.erased += known["about_salt"] is None
        return None

    def end(self) -> Break | None:
        """What is missing after the last decision."""
        if self.due:
            day, _, last, _ = self.due[0]
            return Break(last, None, f"the digest of {day_name(day)} reaches to it, and it is not there")
        if self.wanted is not None:
            return Break(None, None, "no decision has the hash of the head that was given: the last ones were dropped")
        return None

    def said(self, broken: Break | None) -> Verified:
        return Verified(self.decisions, self.erased, self.digests, self.previous, broken)

    def _entry(self, known: Mapping[str, Any]) -> str | None:
        if known["previous_hash"] != self.previous:
            return "it does not follow the decision before it: one was dropped, put in or moved"
        if chained(self.previous, entry(known)) != known["hash"]:
            return "its entry was altered"
        return None

    def _digested(self, known: Mapping[str, Any]) -> str | None:
        if not self.due:
            return None
        (day, first, last, root), seq = self.due[0], known["seq"]
        if self.tree is None:
            if seq < first:
                return f"it is in no digest, and that of {day_name(day)} follows"
            if seq > first:
                return f"the digest of {day_name(day)} begins before it, at a decision that is not there"
            self.tree = Growing()
        if seq > last:
            return f"the digest of {day_name(day)} ends before it, at a decision that is not there"
        self.tree.add(bytes.fromhex(known["hash"]))
        if seq == last:
            made, self.tree = self.tree.root().hex(), None
            del self.due[0]
            self.digests += 1
            if made != root:
                return f"the digest of {day_name(day)}, which ends with it, is another"
        return None


def _record(known: Mapping[str, Any]) -> str | None:
    """What is wrong with what stands beside an entry, if it is still there."""
    if known["about_salt"] is None:
        return None
    if committed(known["about_salt"], known["about_record"]) != known["commitment"]:
        return "its record was altered"
    record = json.loads(known["about_record"])
    # A question that was refused is found by no transaction: it may be asked again.
    transaction = None if "refused" in record else record["transaction_id"]
    said = (record["merchant"], transaction, _subject(record) or known["about_subject"])
    beside = (known["about_merchant"], known["about_transaction_id"], known["about_subject"])
    return None if said == beside else "what it is found by was altered"


def _subject(record: Mapping[str, Any]) -> str | None:
    """Whom a record says that it is about; None when it doesn't."""
    made = record.get("decision") or {}
    found: str | None = (made.get("question") or {}).get("subject")
    return found


def _batches(engine: Engine) -> Iterator[list[Row[Any]]]:
    seen = None
    while True:
        query = _WALKED if seen is None else _WALKED.where(DECISIONS.c.seq > seen)
        with reading(engine) as connection:
            rows = list(connection.execute(query.order_by(DECISIONS.c.seq).limit(BATCH)))
        if not rows:
            return
        yield rows
        seen = rows[-1].seq


def _unclaimed(engine: Engine) -> Break | None:
    """A record that no entry stands for."""
    beside = DECISION_SUBJECTS.outerjoin(DECISIONS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    query = select(DECISION_SUBJECTS.c.seq).select_from(beside).where(DECISIONS.c.seq.is_(None)).limit(1)
    with reading(engine) as connection:
        seq = connection.execute(query).scalar()
    return None if seq is None else Break(seq, None, "there is a record, and no decision")


def sought(engine: Engine, what: Sought, before: int | None, most: int) -> list[dict[str, Any]]:
    """The entries that fit, newest first, at most so many, of those before a `seq`."""
    query = select(*(DECISIONS.c[c] for c in ("seq", *ENTRY, "previous_hash", "hash")))
    for column in ("merchant", "perk", "outcome"):
        wanted = getattr(what, column)
        query = query if wanted is None else query.where(DECISIONS.c[column] == wanted)
    if what.since:
        query = query.where(DECISIONS.c.decided_at >= micros(what.since))
    if what.until:
        query = query.where(DECISIONS.c.decided_at < micros(what.until))
    if before is not None:
        query = query.where(DECISIONS.c.seq < before)
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(query.order_by(DECISIONS.c.seq.desc()).limit(most)).mappings()]


def whole(engine: Engine, name: str) -> dict[str, Any]:
    """One decision with what stands beside it, `about_*`, null where it was erased. Raises Refused for no such decision."""
    with reading(engine) as connection:
        return _whole(connection, name)


def record(engine: Engine, name: str) -> dict[str, Any]:
    """All that a decision depended on. Raises Refused: `unknown_decision`, or `erased` when the person has left."""
    found = whole(engine, name)
    if found["about_record"] is None:
        hint = "its entry can still be verified: the person has left"
        raise Refused("the record was erased", where="decision_id", hint=hint, code="erased")
    made: dict[str, Any] = json.loads(found["about_record"])
    return made


def _whole(connection: Connection, name: str) -> dict[str, Any]:
    row = connection.execute(_WALKED.where(DECISIONS.c.id == name)).mappings().first()
    if row is None:
        raise Refused("unknown decision", where="decision_id", code="unknown_decision")
    return dict(row)


def day_name(day: int) -> str:
    """A day, counted from 1970-01-01, as it is written."""
    return iso(later(EPOCH, days=day))[:10]
