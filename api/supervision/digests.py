"""Digests: for each day a root over the hashes of its decisions, to be published; and proofs that one is in it.

A leaf is a decision's hash in the chain, which covers every decision before it: a published root therefore fixes all that
came before, and roots need no chain of their own. The root covers the day and the Merkle root over the leaves (format 2; of
format 1, the Merkle root alone). A day's digest takes what was appended since the digest before it, up to the last decision
of that day, so that each decision is in exactly one, also when a clock was late or ahead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, insert, or_, select

from api import clock
from api.clock import EPOCH, micros, moment
from api.database import reading, writing
from api.decisions.decisions import ENTRY, chained, entry
from api.supervision.audit import BATCH, day_name
from api.supervision.merkle import Growing, dated, leads, path
from api.tables import DAY_DIGESTS, DECISIONS
from engine.errors import Refused

FORMATS: Final = {1: "iftah.proof.1", 2: "iftah.proof.2"}
NEWEST: Final = 2
KEYS: Final = frozenset(("format", "entry", "previous_hash", "day", "index", "size", "path", "root"))
SETTLED: Final = timedelta(minutes=10)  # after midnight: what was asked before it is answered


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
class Checked:
    """What a proof leads to. `dates`: whether the root covers the day, which those of format 1 do not."""

    root: str
    dates: bool


def listed(engine: Engine) -> list[Digest]:
    """Every digest, oldest first."""
    with reading(engine) as connection:
        return [
            _made(dict(row)) for row in connection.execute(select(DAY_DIGESTS).order_by(DAY_DIGESTS.c.first)).mappings()
        ]


def make(engine: Engine, now: datetime) -> list[Digest]:
    """The digests of every day that is over and has none. Late, again, or by several at once does no harm."""
    made: list[Digest] = []
    while True:
        with reading(engine) as connection:
            due = _due(connection, now)
        if due is None:
            return made
        tree = _tree(engine, due[1], due[2])  # outside of the write: a day may be long
        root = dated(day_name(due[0]), tree.size, tree.root())
        with writing(engine) as connection:
            if _due(connection, now) != due:
                continue  # another was faster
            row = {"day": due[0], "first": due[1], "last": due[2], "root": root.hex(), "made_at": micros(now)}
            row |= {"format": NEWEST}
            connection.execute(insert(DAY_DIGESTS).values(row))
        made.append(_made(row))


def _due(connection: Connection, now: datetime) -> tuple[int, int, int] | None:
    """The next day to be digested, and its first and last decision.

    No decision alone says which day that is: a clock may have been ahead. The day is that of the earliest decision which
    waits, after the last day that has a digest, and at most the last day that is over. What is stamped far later than
    `now` goes with the decision before it.
    """
    over = clock.day(now - SETTLED) - 1
    past = select(func.max(DAY_DIGESTS.c.day)).where(DAY_DIGESTS.c.day <= over)
    last_day, last_seq = connection.execute(select(past.scalar_subquery(), func.max(DAY_DIGESTS.c.last))).one()
    waiting = DECISIONS.c.seq > (-1 if last_seq is None else last_seq)
    query = select(func.min(DECISIONS.c.seq), func.min(DECISIONS.c.decided_at)).where(waiting)
    first, earliest = connection.execute(query).one()
    if first is None:
        return None
    day = min(clock.day(moment(earliest)), over)
    day = day if last_day is None else max(day, last_day + 1)
    if day > over:
        return None
    ends = micros(EPOCH + timedelta(days=day + 1))
    within = or_(DECISIONS.c.decided_at < ends, DECISIONS.c.decided_at > micros(now + clock.AHEAD))
    last = connection.execute(select(func.max(DECISIONS.c.seq)).where(waiting, within)).scalar()
    return None if last is None else (day, first, last)


def _tree(engine: Engine, first: int, last: int) -> Growing:
    tree = Growing()
    while first <= last:
        with reading(engine) as connection:
            rows = connection.execute(_hashes(first, last).limit(BATCH)).all()
        for row in rows:
            tree.add(bytes.fromhex(row.hash))
        first = rows[-1].seq + 1
    return tree


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
        **{
            "format": FORMATS[digest["format"]],
            "entry": {c: row[c] for c in ENTRY},
            "previous_hash": row["previous_hash"],
        },
        **{"day": day_name(digest["day"]), "index": index, "size": len(hashes), "path": [h.hex() for h in way]},
        "root": digest["root"],
    }


def check(proof: Mapping[str, Any]) -> Checked:
    """The root that a proof leads to, which is to be compared with the one that was published. Needs no database.

    Raises Refused when it is no proof, holds anything beside one, or does not lead to the root that it names.
    """
    if proof.get("format") not in FORMATS.values():
        raise _no_proof(f"this is no proof of the format {FORMATS[NEWEST]}")
    said = _unknown("proof", proof, KEYS) or _unknown("entry", proof["entry"], frozenset(ENTRY))
    if said:
        raise _no_proof(said)
    dates = proof["format"] == FORMATS[2]
    try:
        reached = _reached(proof, dates)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _no_proof("this is no proof: a value in it cannot be read") from None
    if reached is None or reached.hex() != proof["root"]:
        message = "the proof does not lead to the root that it names"
        raise Refused(message, where="proof", hint="the decision or the proof was altered", code="bad_proof")
    return Checked(str(proof["root"]), dates)


def _reached(proof: Mapping[str, Any], dates: bool) -> bytes | None:
    leaf = bytes.fromhex(chained(str(proof["previous_hash"]), entry(proof["entry"])))
    way = [bytes.fromhex(step) for step in proof["path"]]
    index, size, day = proof["index"], proof["size"], proof["day"]
    if type(index) is not int or type(size) is not int or date.fromisoformat(day).isoformat() != day:
        return None
    tree = leads(leaf, index, size, way)
    return dated(day, size, tree) if dates and tree is not None else tree


def _unknown(name: str, given: object, keys: frozenset[str]) -> str | None:
    """What is wrong with the keys of a part of a proof."""
    if not isinstance(given, Mapping):
        return f"`{name}` of the proof is no object"
    if missing := sorted(keys - given.keys()):
        return f"`{name}` lacks {', '.join(missing)}"
    # What somebody put beside what is proved would be read as if it were proved.
    unknown = sorted(str(key)[:40] for key in given.keys() - keys)
    return f"`{name}` has what does not belong there: {', '.join(unknown[:5])}" if unknown else None


def _no_proof(message: str) -> Refused:
    return Refused(message, where="proof", hint="give what `iftah audit proof` wrote", code="bad_proof")


def _made(row: Mapping[str, Any]) -> Digest:
    made_at = moment(row["made_at"])
    return Digest(row["day"], row["first"], row["last"], row["root"], made_at, row["format"])
