"""Exposure: whether each decision counted what the moves of orders say that there was to count.

A decision's record says what it counted and which move was the newest. A move says which decision was the newest. So the
state of each order at each decision is known without any clock.
"""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, func, select

from api.clock import moment
from api.database import Query, fetched
from api.decisions import account
from api.decisions.decisions import FIRST
from api.orders import move_chain
from api.tables import ORDER_MOVES
from engine.decide import as_json

MISCOUNTED: Final = "what it counted of the person's orders and answers is not what their moves say"
OTHER_MOVES: Final = "the moves of orders before it are not those that it was made after"
_MOVES: Final = Query("""
SELECT d.seq, m.decisions, m.after, m.terms
FROM decision_subjects AS s JOIN decisions AS d ON d.seq = s.seq JOIN orders AS o ON o.decision = d.id
JOIN order_moves AS m ON m."order" = o.id WHERE s.subject IN {subjects} ORDER BY m.seq
""")
Walked = Mapping[str, Any]  # as in `api.supervision.records`


def miscounted(connection: Connection, rows: Sequence[Walked]) -> Mapping[int, str]:
    """What is wrong with what these decisions, in order, counted of earlier ones, by `seq`.

    Records of before moves were bound do not say after which move they were made, and are not looked at.
    """
    recorded = {row["seq"]: record for row in rows if (record := _record(row)) is not None}
    if not recorded:
        return {}
    moves = _newest_moves(connection, min(recorded), max(recorded))
    of_person = _persons(connection, {row["about_subject"] for row in rows if row["seq"] in recorded})
    problems = {}
    for row in rows:
        record = recorded.get(row["seq"])
        if record is None:
            continue
        if moves.before(row["seq"]) != record["order_moves"]:
            problems[row["seq"]] = OTHER_MOVES
        elif (question := (record.get("decision") or {}).get("question")) is not None:
            counted = of_person[row["about_subject"]].counted(row)
            if any(as_json({"": question.get(name)}) != as_json({"": value}) for name, value in counted.items()):
                problems[row["seq"]] = MISCOUNTED
    return problems


def _record(row: Walked) -> dict[str, Any] | None:
    if '"order_moves":"' not in (row["about_record"] or ""):
        return None
    try:
        record: dict[str, Any] = json.loads(row["about_record"])
    except ValueError:  # told of by `records.altered`
        return None
    return record if "order_moves" in record else None


@dataclass
class _Person:
    """One person's decisions, oldest first, and what became of each by when; asked about in the order of decisions."""

    decisions: Sequence[account.Given]
    moves: Mapping[
        int, list[tuple[int, str, int | None]]
    ]  # of the order of a decision: decisions before, state, closed_at
    _read: int = 0
    _newest: dict[tuple[str, str], account.Given] = field(default_factory=dict)
    _ordered: list[account.Given] = field(default_factory=list)

    def counted(self, row: Walked) -> dict[str, Any]:
        """What the decision had to count. Only newest answers and orders can count: all else is let go."""
        while self._read < len(self.decisions) and self.decisions[self._read]["seq"] < row["seq"]:
            one = self.decisions[self._read]
            self._newest[one["merchant"], one["perk"]] = one
            self._ordered += [one] if one["seq"] in self.moves else []
            self._read += 1
        alive = {one["seq"]: one for one in (*self._newest.values(), *self._ordered)}
        then = [self._as_of(one, row["seq"]) for _, one in sorted(alive.items())]
        before = account.before(then, row["merchant"], row["perk"], moment(row["decided_at"]))
        counts = {name: getattr(before, name) for name in ("in_service", "unpaid", "overdue")}
        return {"used": list(before.used), **counts}

    def _as_of(self, one: account.Given, seq: int) -> account.Given:
        moves = [move for move in self.moves.get(one["seq"], ()) if move[0] < seq]
        _, state, closed_at = moves[-1] if moves else (0, None, None)
        return {**one, "state": state, "closed_at": closed_at}


def _persons(connection: Connection, subjects: set[str]) -> Mapping[str, _Person]:
    query = Query(_MOVES.sql, {"subjects": sorted(subjects)})
    rows, moved = fetched(connection, account.told(subjects), query)
    moves = defaultdict[int, list[tuple[int, str, int | None]]](list)
    for seq, decisions, after, terms in moved:
        closed_at = None if terms is None else move_chain.columns(terms)["closed_at"]
        moves[seq].append((decisions, after, closed_at))
    return {who: _Person(known, moves) for who, known in account.given(rows, subjects).items()}


@dataclass(frozen=True)
class _NewestMoves:
    """Hashes of moves, and after which decision each was the newest."""

    decisions: Sequence[int]
    hashes: Sequence[str]

    def before(self, seq: int) -> str:
        """The hash of the newest move when the decision was made."""
        place = bisect_left(self.decisions, seq)
        return self.hashes[place - 1] if place else FIRST


def _newest_moves(connection: Connection, first: int, last: int) -> _NewestMoves:
    at, columns = ORDER_MOVES.c.decisions, (ORDER_MOVES.c.decisions, ORDER_MOVES.c.hash)
    earlier = select(*columns).where(at < first).order_by(at.desc(), ORDER_MOVES.c.seq.desc()).limit(1)
    newest = select(func.max(ORDER_MOVES.c.seq)).where(at >= first, at < last).group_by(at)
    later = select(*columns).where(ORDER_MOVES.c.seq.in_(newest)).order_by(ORDER_MOVES.c.seq)
    rows = [*connection.execute(earlier), *connection.execute(later)]
    return _NewestMoves([row[0] for row in rows], [row[1] for row in rows])
