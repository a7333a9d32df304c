"""Digests: compute for each day a root over the hashes of its decisions, which you can publish, and prove that a digest
contains a decision.

A leaf is a decision's hash in the chain, which covers every earlier decision. So a published root fixes all earlier decisions
too, and the roots need no chain of their own. The root covers the day and the Merkle root over the leaves (format 2), or the
Merkle root alone (format 1). A day's digest contains the decisions since the previous digest, up to the last decision of the
day. So each decision is in exactly one digest, also if a clock was late or ahead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, func, insert, or_, select

from api.decisions.decisions import ENTRY_COLUMNS, chain_hash, entry
from api.store import clock
from api.store.clock import EPOCH, micros, moment
from api.store.database import Database, reading, writing
from api.store.tables import DAY_DIGESTS, DECISIONS
from api.supervision.audit import BATCH_ROWS, day_name
from api.supervision.merkle import MerkleBuilder, dated_root, inclusion_path, root_of_path
from engine.errors import Rejected

FORMATS: Final = {1: "iftah.proof.1", 2: "iftah.proof.2"}
NEWEST_FORMAT: Final = 2
PROOF_KEYS: Final = frozenset(("format", "entry", "previous_hash", "day", "index", "size", "path", "root"))
DAY_CLOSE_DELAY: Final = timedelta(
    minutes=10
)  # after midnight, so that questions from before midnight have their answers


@dataclass(frozen=True)
class Digest:
    """The root over the decisions `first` to `last`, by `seq`; `day` counted from 1970-01-01."""

    day: int
    first: int
    last: int
    root: str
    made_at: datetime
    format: int


@dataclass(frozen=True)
class ProofCheck:
    """The root that a proof leads to. `dates`: whether the root covers the day; roots of format 1 do not."""

    root: str
    dates: bool


def list_digests(database: Database) -> list[Digest]:
    """List the digests, oldest first."""
    with reading(database) as connection:
        return [
            _digest_of_row(dict(row))
            for row in connection.execute(select(DAY_DIGESTS).order_by(DAY_DIGESTS.c.first)).mappings()
        ]


def make_digests(database: Database, now: datetime) -> list[Digest]:
    """Make the digests of all past days that have none. Idempotent; several processes may call it at once."""
    digests: list[Digest] = []
    while True:
        with reading(database) as connection:
            pending = _next_due(connection, now)
        if pending is None:
            return digests
        tree = _tree(database, pending.first, pending.last)  # outside the write transaction: a day may be long
        root = dated_root(day_name(pending.day), tree.size, tree.root())
        with writing(database) as connection:
            if _next_due(connection, now) != pending:
                continue  # another process was faster
            row = {
                "day": pending.day,
                "first": pending.first,
                "last": pending.last,
                "root": root.hex(),
                "made_at": micros(now),
                "format": NEWEST_FORMAT,
            }
            connection.execute(insert(DAY_DIGESTS).values(row))
        digests.append(_digest_of_row(row))


class _DueDay(NamedTuple):
    """A day without a digest, and the `seq` of its first and last decision."""

    day: int
    first: int
    last: int


def _next_due(connection: Connection, now: datetime) -> _DueDay | None:
    """The next day that needs a digest.

    No single decision determines that day, because a clock may have been ahead. We take the day of the earliest decision
    without a digest, but a later day than the last digest's, and at most the last day that is over. A decision with a time
    far after `now` belongs to the day of the decision before it.
    """
    last_day_over = clock.day(now - DAY_CLOSE_DELAY) - 1
    is_past = select(func.max(DAY_DIGESTS.c.day)).where(DAY_DIGESTS.c.day <= last_day_over)
    last_day, last_seq = connection.execute(select(is_past.scalar_subquery(), func.max(DAY_DIGESTS.c.last))).one()
    is_waiting = DECISIONS.c.seq > (-1 if last_seq is None else last_seq)
    query = select(func.min(DECISIONS.c.seq), func.min(DECISIONS.c.decided_at)).where(is_waiting)
    first, earliest = connection.execute(query).one()
    if first is None:
        return None
    day = min(clock.day(moment(earliest)), last_day_over)
    day = day if last_day is None else max(day, last_day + 1)
    if day > last_day_over:
        return None
    ends = micros(EPOCH + timedelta(days=day + 1))
    is_within = or_(DECISIONS.c.decided_at < ends, DECISIONS.c.decided_at > micros(now + clock.MAX_SERVER_SKEW))
    last = connection.execute(select(func.max(DECISIONS.c.seq)).where(is_waiting, is_within)).scalar()
    return None if last is None else _DueDay(day, first, last)


def _tree(database: Database, first: int, last: int) -> MerkleBuilder:
    tree = MerkleBuilder()
    while first <= last:
        with reading(database) as connection:
            rows = connection.execute(_hashes(first, last).limit(BATCH_ROWS)).all()
        for row in rows:
            tree.add(bytes.fromhex(row.hash))
        first = rows[-1].seq + 1
    return tree


def _hashes(first: int, last: int) -> Select[tuple[int, str]]:
    within = DECISIONS.c.seq.between(first, last)
    return select(DECISIONS.c.seq, DECISIONS.c.hash).where(within).order_by(DECISIONS.c.seq)


def make_proof(database: Database, name: str) -> dict[str, Any]:
    """Prove that a decision is in its day's digest: a JSON object that you can check without the database.

    Raises Rejected: `unknown_decision`, or `no_digest` while its day has no digest.
    """
    with reading(database) as connection:
        row = connection.execute(select(DECISIONS).where(DECISIONS.c.id == name)).mappings().first()
        if row is None:
            raise Rejected("unknown decision", where="decision_id", code="unknown_decision")
        covers_row = DAY_DIGESTS.c.first <= row["seq"], DAY_DIGESTS.c.last >= row["seq"]
        digest = connection.execute(select(DAY_DIGESTS).where(*covers_row)).mappings().first()
        if digest is None:
            hint = "a day's digest is made when the day is over: `iftah audit digest`"
            raise Rejected(
                "the day of this decision has no digest yet", where="decision_id", hint=hint, code="no_digest"
            )
        hashes = connection.execute(_hashes(digest["first"], digest["last"])).all()
    index = next(i for i, leaf_row in enumerate(hashes) if leaf_row.seq == row["seq"])
    sibling_hashes = inclusion_path(index, (bytes.fromhex(leaf_row.hash) for leaf_row in hashes))
    return {
        "format": FORMATS[digest["format"]],
        "entry": {c: row[c] for c in ENTRY_COLUMNS},
        "previous_hash": row["previous_hash"],
        "day": day_name(digest["day"]),
        "index": index,
        "size": len(hashes),
        "path": [h.hex() for h in sibling_hashes],
        "root": digest["root"],
    }


def check_proof(proof: Mapping[str, Any]) -> ProofCheck:
    """Check a proof without the database. Returns the root that it leads to: compare this root with the published one.

    Raises Rejected `bad_proof` if the object is no proof, has other keys, or does not lead to the root that it names.
    """
    if proof.get("format") not in FORMATS.values():
        raise _bad_proof(f"not a proof of the format {FORMATS[NEWEST_FORMAT]}")
    problem = _key_problem("proof", proof, PROOF_KEYS) or _key_problem(
        "entry", proof["entry"], frozenset(ENTRY_COLUMNS)
    )
    if problem:
        raise _bad_proof(problem)
    dates = proof["format"] == FORMATS[2]
    try:
        reached_root = _reached_root(proof, dates)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _bad_proof("not a proof: unreadable value") from None
    if reached_root is None or reached_root.hex() != proof["root"]:
        message = "the proof does not lead to the root that it names"
        raise Rejected(message, where="proof", hint="the decision or the proof was altered", code="bad_proof")
    return ProofCheck(str(proof["root"]), dates)


def _reached_root(proof: Mapping[str, Any], dates: bool) -> bytes | None:
    leaf = bytes.fromhex(chain_hash(str(proof["previous_hash"]), entry(proof["entry"])))
    sibling_hashes = [bytes.fromhex(step) for step in proof["path"]]
    index, size, day = proof["index"], proof["size"], proof["day"]
    if type(index) is not int or type(size) is not int or date.fromisoformat(day).isoformat() != day:
        return None
    tree = root_of_path(leaf, index, size, sibling_hashes)
    return dated_root(day, size, tree) if dates and tree is not None else tree


def _key_problem(name: str, value: object, keys: frozenset[str]) -> str | None:
    """The problem with the keys of one part of a proof, or None."""
    if not isinstance(value, Mapping):
        return f"`{name}` of the proof is no object"
    if missing := sorted(keys - value.keys()):
        return f"`{name}` lacks {', '.join(missing)}"
    # A reader would take an added key as proved.
    unknown_keys = sorted(str(key)[:40] for key in value.keys() - keys)
    return f"`{name}` has unknown keys: {', '.join(unknown_keys[:5])}" if unknown_keys else None


def _bad_proof(message: str) -> Rejected:
    return Rejected(message, where="proof", hint="use the output of `iftah audit proof`", code="bad_proof")


def _digest_of_row(row: Mapping[str, Any]) -> Digest:
    made_at = moment(row["made_at"])
    return Digest(row["day"], row["first"], row["last"], row["root"], made_at, row["format"])
