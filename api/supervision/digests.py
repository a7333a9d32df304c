"""Digests: for each day a Merkle root over the hashes of its decisions, to be published; and proofs that one is in it.

A leaf is a decision's hash in the chain, which covers every decision before it: a published root therefore fixes all that
came before, and roots need no chain of their own. A day's digest takes what was appended since the digest before it, up to
the last decision of that day, so that each decision is in exactly one, also when a clock was late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, insert, select

from api import clock
from api.clock import EPOCH, micros, moment
from api.database import reading, writing
from api.decisions.decisions import ENTRY, chained, entry
from api.supervision.audit import BATCH, day_name
from api.supervision.merkle import Growing, leads, path
from api.tables import DAY_DIGESTS, DECISIONS
from engine.errors import Refused

FORMAT: Final = "iftah.proof.1"
SETTLED: Final = timedelta(minutes=10)  # after midnight: what was asked before it is answered


@dataclass(frozen=True)
class Digest:
    """The root over the decisions `first` to `last`, by `seq`; `day` counted from 1970-01-01."""

    day: int
    first: int
    last: int
    root: str
    made_at: datetime


def listed(engine: Engine) -> list[Digest]:
    """Every digest, oldest first."""
    with reading(engine) as connection:
        return [
            _made(dict(row)) for row in connection.execute(select(DAY_DIGESTS).order_by(DAY_DIGESTS.c.day)).mappings()
        ]


def make(engine: Engine, now: datetime) -> list[Digest]:
    """The digests of every day that is over and has none. Late, again, or by several at once does no harm."""
    made: list[Digest] = []
    while True:
        with reading(engine) as connection:
            due = _due(connection, now)
        if due is None:
            return made
        root = _root(engine, due[1], due[2])  # outside of the write: a day may be long
        with writing(engine) as connection:
            if _due(connection, now) != due:
                continue  # another was faster
            row = {"day": due[0], "first": due[1], "last": due[2], "root": root.hex(), "made_at": micros(now)}
            connection.execute(insert(DAY_DIGESTS).values(row))
        made.append(_made(row))


def _due(connection: Connection, now: datetime) -> tuple[int, int, int] | None:
    """The next day to be digested, and its first and last decision."""
    before = connection.execute(select(DAY_DIGESTS).order_by(DAY_DIGESTS.c.day.desc()).limit(1)).mappings().first()
    after = DECISIONS.c.seq > (before["last"] if before else -1)
    first = connection.execute(
        select(DECISIONS.c.seq, DECISIONS.c.decided_at).where(after).order_by(DECISIONS.c.seq).limit(1)
    ).first()
    if first is None:
        return None
    day = max(clock.day(moment(first.decided_at)), before["day"] + 1 if before else 0)
    if day >= clock.day(now - SETTLED):
        return None
    begins, ends = (micros(EPOCH + timedelta(days=d)) for d in (day, day + 1))
    within = (DECISIONS.c.decided_at >= begins, DECISIONS.c.decided_at < ends)
    last = connection.execute(select(func.max(DECISIONS.c.seq)).where(after, *within)).scalar()
    return day, first.seq, first.seq if last is None else last


def _root(engine: Engine, first: int, last: int) -> bytes:
    tree = Growing()
    while first <= last:
        with reading(engine) as connection:
            rows = connection.execute(_hashes(first, last).limit(BATCH)).all()
        for row in rows:
            tree.add(bytes.fromhex(row.hash))
        first = rows[-1].seq + 1
    return tree.root()


def _hashes(first: int, last: int) -> Any:
    within = DECISIONS.c.seq.between(first, last)
    return select(DECISIONS.c.seq, DECISIONS.c.hash).where(within).order_by(DECISIONS.c.seq)


def proof(engine: Engine, name: str) -> dict[str, Any]:
    """That a decision is in its day's digest, as JSON that can be checked without the database.

    Raises Refused: `unknown_decision`, or `no_digest` while its day has none.
    """
    with reading(engine) as connection:
        row = connection.execute(select(DECISIONS).where(DECISIONS.c.id == name)).mappings().first()
        if row is None:
            raise Refused("unknown decision", where="decision_id", code="unknown_decision")
        known = DAY_DIGESTS.c.first <= row["seq"], DAY_DIGESTS.c.last >= row["seq"]
        digest = connection.execute(select(DAY_DIGESTS).where(*known)).mappings().first()
        if digest is None:
            hint = "a day's digest is made when the day is over: `iftah audit digest`"
            raise Refused(
                "the day of this decision has no digest yet", where="decision_id", hint=hint, code="no_digest"
            )
        hashes = connection.execute(_hashes(digest["first"], digest["last"])).all()
    index = next(i for i, found in enumerate(hashes) if found.seq == row["seq"])
    way = path(index, (bytes.fromhex(found.hash) for found in hashes))
    return {
        **{"format": FORMAT, "entry": {c: row[c] for c in ENTRY}, "previous_hash": row["previous_hash"]},
        **{"day": day_name(digest["day"]), "index": index, "size": len(hashes), "path": [h.hex() for h in way]},
        "root": digest["root"],
    }


def check(proof: Mapping[str, Any]) -> str:
    """The root that a proof leads to, which is to be compared with the one that was published. Needs no database.

    Raises Refused when it is no proof, or does not lead to the root that it names.
    """
    try:
        leaf = bytes.fromhex(chained(str(proof["previous_hash"]), entry(proof["entry"])))
        way = [bytes.fromhex(step) for step in proof["path"]]
        named, known = str(proof["root"]), proof["format"] == FORMAT
        reached = leads(leaf, int(proof["index"]), int(proof["size"]), way)
        date.fromisoformat(proof["day"])
    except (KeyError, TypeError, ValueError, OverflowError):
        known = False
    if not known:
        hint = "give what `iftah audit proof` wrote"
        raise Refused(f"this is no proof of the format {FORMAT}", where="proof", hint=hint, code="bad_proof")
    if reached is None or reached.hex() != named:
        message = "the proof does not lead to the root that it names"
        raise Refused(message, where="proof", hint="the decision or the proof was altered", code="bad_proof")
    return named


def _made(row: Mapping[str, Any]) -> Digest:
    return Digest(row["day"], row["first"], row["last"], row["root"], moment(row["made_at"]))
