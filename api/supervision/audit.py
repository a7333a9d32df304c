"""The audit: verify the chain of decisions, search decisions, and load their records.

An entry of the chain holds the merchant's answer and names no person. The record, with the person's id, is stored beside the
entry until the erasure of the person. After that you can still verify the entry, and we report the record as erased.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import Connection, Row, select

from api.decisions.decisions import ENTRY_COLUMNS, GENESIS_HASH, chain_hash, entry
from api.store.clock import EPOCH, add_days, iso
from api.store.database import Database, reading
from api.store.tables import CHAIN_HEAD, DAY_DIGESTS, DECISION_SUBJECTS, DECISIONS, ORDERS, REVIEWS
from api.supervision import exposure, order_moves, records, release_checks
from api.supervision.merkle import MerkleBuilder, dated_root
from api.supervision.records import EntryRow
from api.supervision.release_checks import ReleaseHistory
from engine.errors import Rejected

BATCH_ROWS: Final = 5_000  # decisions read at once; a walk holds one batch in memory
_WITH_RECORDS: Final = DECISIONS.outerjoin(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
_ENTRIES: Final = select(
    *(DECISIONS.c[c] for c in ("seq", *ENTRY_COLUMNS, "previous_hash", "hash")),
    *(DECISION_SUBJECTS.c[c].label(f"about_{c}") for c in records.COLUMNS),
).select_from(_WITH_RECORDS)


@dataclass(frozen=True)
class ChainBreak:
    """A break of the chain: the decision, or the last decision of a day's digest, and the problem."""

    seq: int | None
    id: str | None
    problem: str


@dataclass(frozen=True)
class Verification:
    """The result of a walk, up to the first break. `head`: the hash of the last decision before the break."""

    decisions: int
    erased: int
    digests: int
    head: str
    first_break: ChainBreak | None


def verify(
    database: Database, on_progress: Callable[[int], None] = lambda _: None, head: str | None = None
) -> Verification:
    """Walk the chain from its first decision to the first break. `head`: a hash from an earlier walk that the chain must contain.

    We read decisions in batches, one transaction per batch, so no writer waits for the walk. Memory: one batch. If an order
    has a problem, we report the order instead of the decisions that counted it.
    """
    order_problem = order_moves.first_problem(database)
    with reading(database) as connection:
        stored_head = connection.execute(_HEAD).first()
        walk = _Walk(head, stored_head)
        walk.pending_digests = [_PendingDigest(*row) for row in connection.execute(_DIGESTS)]
    history = release_checks.history_of(database)
    for rows, read_problems in _read_batches(database, history, counts=order_problem is None):
        for row in rows:
            chain_break = walk.step(row, read_problems.get(row["seq"]))
            if chain_break:
                return walk.result(chain_break)
        on_progress(walk.decisions)
    with reading(database) as connection:
        final_break = _find_orphan(connection) or walk.end(connection.execute(_HEAD).first())
    return walk.result(final_break or (None if order_problem is None else ChainBreak(None, None, order_problem)))


_HEAD: Final = select(CHAIN_HEAD.c.length, CHAIN_HEAD.c.hash).where(CHAIN_HEAD.c.id == 1)


class _PendingDigest(NamedTuple):
    """A day's digest that the walk has not reached: `first` and `last` are its decisions, by `seq`."""

    day: int
    first: int
    last: int
    root: str
    format: int


_DIGESTS: Final = select(*(DAY_DIGESTS.c[c] for c in _PendingDigest._fields)).order_by(DAY_DIGESTS.c.first)


class _Walk:
    """The state of a walk between two decisions."""

    def __init__(self, head: str | None, stored_head: Row[int, str] | None) -> None:
        self.previous, self.expected_head = GENESIS_HASH, head
        self.stored_head = stored_head  # length and hash of the chain at the beginning of the walk
        self.decisions = self.erased = self.digests = 0
        self.pending_digests: list[_PendingDigest] = []  # day digests that the walk has not reached
        self.tree: MerkleBuilder | None = None

    def step(self, row: EntryRow, read_problem: str | None) -> ChainBreak | None:
        """Check the next decision. Returns its problem, or None."""
        problem = self._entry_problem(row) or records.record_problem(row) or read_problem or self._digest_problem(row)
        if problem:
            return ChainBreak(row["seq"], row["id"], problem)
        self.previous = row["hash"]
        self.expected_head = None if self.previous == self.expected_head else self.expected_head
        self.decisions += 1
        self.erased += row["about_salt"] is None
        if (
            self.stored_head is not None
            and self.decisions == self.stored_head.length
            and self.previous != self.stored_head.hash
        ):
            return ChainBreak(
                row["seq"], row["id"], "the head of the chain is kept as another: decisions were replaced"
            )
        return None

    def end(self, now: Row[int, str] | None) -> ChainBreak | None:
        """Check the end of the chain. `now`: the stored length and hash after the walk. Returns the problem, or None."""
        if self.pending_digests:
            digest = self.pending_digests[0]
            problem = f"the digest of {day_name(digest.day)} reaches to it, and it is not there"
            return ChainBreak(digest.last, None, problem)
        if self.expected_head is not None:
            return ChainBreak(
                None, None, "no decision has the hash of the head that was given: the last ones were dropped"
            )
        if self.stored_head is None or now is None:
            return ChainBreak(None, None, "the head of the chain is missing")
        if not self.stored_head.length <= self.decisions <= now.length:
            return ChainBreak(
                None, None, f"{self.stored_head.length:,} decisions were made, and {self.decisions:,} are there"
            )
        return None

    def result(self, broken: ChainBreak | None) -> Verification:
        return Verification(self.decisions, self.erased, self.digests, self.previous, broken)

    def _entry_problem(self, row: EntryRow) -> str | None:
        if row["previous_hash"] != self.previous:
            return "it does not follow the decision before it: one was dropped, put in or moved"
        if chain_hash(self.previous, entry(row)) != row["hash"]:
            return "its entry was altered"
        return None

    def _digest_problem(self, row: EntryRow) -> str | None:
        if not self.pending_digests:
            return None
        digest, seq = self.pending_digests[0], row["seq"]
        if self.tree is None and seq < digest.first:
            return f"it is in no digest, and that of {day_name(digest.day)} follows"
        if self.tree is None and seq > digest.first:
            return f"the digest of {day_name(digest.day)} begins before it, at a decision that is not there"
        if seq > digest.last:
            return f"the digest of {day_name(digest.day)} ends before it, at a decision that is not there"
        tree = self.tree = self.tree or MerkleBuilder()
        tree.add(bytes.fromhex(row["hash"]))
        return self._end_digest(digest, tree) if seq == digest.last else None

    def _end_digest(self, digest: _PendingDigest, tree: MerkleBuilder) -> str | None:
        """Compare the root over a day's decisions with the stored one."""
        self.tree = None
        del self.pending_digests[0]
        self.digests += 1
        root = tree.root() if digest.format == 1 else dated_root(day_name(digest.day), tree.size, tree.root())
        if root.hex() != digest.root:
            return f"the digest of {day_name(digest.day)}, which ends with it, is another"
        return None


def _read_batches(
    database: Database, history: ReleaseHistory, *, counts: bool
) -> Iterator[tuple[list[EntryRow], Mapping[int, str]]]:
    """Yield batches of rows with the problems of the earlier data that they read, by `seq`. `counts`: also check the orders
    that they counted.
    """
    last_seq = None
    while True:
        query = _ENTRIES if last_seq is None else _ENTRIES.where(DECISIONS.c.seq > last_seq)
        with reading(database) as connection:
            batch = connection.execute(query.order_by(DECISIONS.c.seq).limit(BATCH_ROWS)).mappings()
            rows = [cast(EntryRow, dict(row)) for row in batch]
            count_problems = exposure.count_problems(connection, rows) if counts else {}
            read_problems = dict(count_problems) | dict(records.read_problems(connection, rows))
            read_problems |= release_checks.release_problems(connection, history, rows)
        if not rows:
            return
        yield rows, read_problems
        last_seq = rows[-1]["seq"]


def _find_orphan(connection: Connection) -> ChainBreak | None:
    """A record, order or review without its decision, or None."""
    joined = DECISION_SUBJECTS.outerjoin(DECISIONS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    query = select(DECISION_SUBJECTS.c.seq).select_from(joined).where(DECISIONS.c.seq.is_(None)).limit(1)
    if (seq := connection.execute(query).scalar()) is not None:
        return ChainBreak(seq, None, "there is a record, and no decision")
    for label, table in (("an order", ORDERS), ("a review", REVIEWS)):
        joined_table = table.outerjoin(DECISIONS, DECISIONS.c.id == table.c.decision)
        query = select(table.c.decision).select_from(joined_table).where(DECISIONS.c.id.is_(None)).limit(1)
        if (name := connection.execute(query).scalar()) is not None:
            return ChainBreak(None, name, f"there is {label} of it, and no decision")
    return None


def find_decision_row(database: Database, name: str) -> EntryRow:
    """One entry with the columns of its record, `about_*`: null after an erasure. Raises Rejected `unknown_decision`."""
    with reading(database) as connection:
        return _decision_row(connection, name)


def load_record(database: Database, name: str) -> dict[str, Any]:
    """The record of a decision. Raises Rejected: `unknown_decision`, or `erased` after the person's erasure."""
    row = find_decision_row(database, name)
    if row["about_record"] is None:
        hint = "its entry can still be verified: the person has left"
        raise Rejected("the record was erased", where="decision_id", hint=hint, code="erased")
    content: dict[str, Any] = json.loads(row["about_record"])
    return content


def _decision_row(connection: Connection, name: str) -> EntryRow:
    row = connection.execute(_ENTRIES.where(DECISIONS.c.id == name)).mappings().first()
    if row is None:
        raise Rejected("unknown decision", where="decision_id", code="unknown_decision")
    return cast(EntryRow, dict(row))


def day_name(day: int) -> str:
    """The ISO 8601 date of a day counted from 1970-01-01."""
    return iso(add_days(EPOCH, days=day))[:10]
