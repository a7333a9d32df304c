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
from api.decisions.decisions import ENTRY, FIRST, chained, entry
from api.supervision import exposure, order_moves, records
from api.supervision.merkle import Growing, dated
from api.tables import CHAIN_HEAD, DAY_DIGESTS, DECISION_SUBJECTS, DECISIONS, ORDERS, REVIEWS
from engine.errors import Refused

BATCH: Final = 5_000  # decisions read at once: what a walk holds in memory
_BESIDE: Final = DECISIONS.outerjoin(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
_WALKED: Final = select(
    *(DECISIONS.c[c] for c in ("seq", *ENTRY, "previous_hash", "hash")),
    *(DECISION_SUBJECTS.c[c].label(f"about_{c}") for c in records.COLUMNS),
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
    Where something is wrong with an order, that is named and not the decisions that counted it.
    """
    order = order_moves.first_break(engine)
    with reading(engine) as connection:
        kept = connection.execute(_HEAD).first()
        walk = _Walk(head, kept)
        walk.due = [tuple(row) for row in connection.execute(_DIGESTS)]
    for rows, misread in _batches(engine, counts=order is None):
        for row in rows:
            broken = walk.step(row, misread.get(row["seq"]))
            if broken:
                return walk.said(broken)
        on_progress(walk.decisions)
    with reading(engine) as connection:
        ended = _unclaimed(connection) or walk.end(connection.execute(_HEAD).first())
    return walk.said(ended or (None if order is None else Break(None, None, order)))


_HEAD: Final = select(CHAIN_HEAD.c.length, CHAIN_HEAD.c.hash).where(CHAIN_HEAD.c.id == 1)
_DIGEST: Final = ("day", "first", "last", "root", "format")
_DIGESTS: Final = select(*(DAY_DIGESTS.c[c] for c in _DIGEST)).order_by(DAY_DIGESTS.c.first)


class _Walk:
    """What is remembered from one decision to the next."""

    def __init__(self, head: str | None, kept: Row[int, str] | None) -> None:
        self.previous, self.wanted = FIRST, head
        self.kept = kept  # the length and the head of the chain when the walk began
        self.decisions = self.erased = self.digests = 0
        self.due: list[tuple[Any, ...]] = []  # digests still to come
        self.tree: Growing | None = None

    def step(self, known: Mapping[str, Any], misread: str | None) -> Break | None:
        """One decision further, or what is wrong with it."""
        what = self._entry(known) or records.altered(known) or misread or self._digested(known)
        if what:
            return Break(known["seq"], known["id"], what)
        self.previous = known["hash"]
        self.wanted = None if self.previous == self.wanted else self.wanted
        self.decisions += 1
        self.erased += known["about_salt"] is None
        if self.kept is not None and self.decisions == self.kept.length and self.previous != self.kept.hash:
            return Break(known["seq"], known["id"], "the head of the chain is kept as another: decisions were replaced")
        return None

    def end(self, now: Row[int, str] | None) -> Break | None:
        """What is missing after the last decision. `now`: the length and the head that are kept after the walk."""
        if self.due:
            day, _, last, *_ = self.due[0]
            return Break(last, None, f"the digest of {day_name(day)} reaches to it, and it is not there")
        if self.wanted is not None:
            return Break(None, None, "no decision has the hash of the head that was given: the last ones were dropped")
        if self.kept is None or now is None:
            return Break(None, None, "the head of the chain is not kept any more")
        if not self.kept.length <= self.decisions <= now.length:
            return Break(None, None, f"{self.kept.length:,} decisions were made, and {self.decisions:,} are there")
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
        (day, first, last, root, format_), seq = self.due[0], known["seq"]
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
            tree, self.tree = self.tree, None
            made = (tree.root() if format_ == 1 else dated(day_name(day), tree.size, tree.root())).hex()
            del self.due[0]
            self.digests += 1
            if made != root:
                return f"the digest of {day_name(day)}, which ends with it, is another"
        return None


def _batches(engine: Engine, *, counts: bool) -> Iterator[tuple[list[dict[str, Any]], Mapping[int, str]]]:
    """Rows, and what is wrong with what they read of others, by `seq`. `counts`: also with what they counted of orders."""
    seen = None
    while True:
        query = _WALKED if seen is None else _WALKED.where(DECISIONS.c.seq > seen)
        with reading(engine) as connection:
            rows = [dict(row) for row in connection.execute(query.order_by(DECISIONS.c.seq).limit(BATCH)).mappings()]
            miscounted = exposure.miscounted(connection, rows) if counts else {}
            misread = {**miscounted, **records.misread(connection, rows)}
        if not rows:
            return
        yield rows, misread
        seen = rows[-1]["seq"]


def _unclaimed(connection: Connection) -> Break | None:
    """A record, an order or a review of a decision that is not there."""
    beside = DECISION_SUBJECTS.outerjoin(DECISIONS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    query = select(DECISION_SUBJECTS.c.seq).select_from(beside).where(DECISIONS.c.seq.is_(None)).limit(1)
    if (seq := connection.execute(query).scalar()) is not None:
        return Break(seq, None, "there is a record, and no decision")
    for what, table in (("an order", ORDERS), ("a review", REVIEWS)):
        there = table.outerjoin(DECISIONS, DECISIONS.c.id == table.c.decision)
        query = select(table.c.decision).select_from(there).where(DECISIONS.c.id.is_(None)).limit(1)
        if (name := connection.execute(query).scalar()) is not None:
            return Break(None, name, f"there is {what} of it, and no decision")
    return None


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
