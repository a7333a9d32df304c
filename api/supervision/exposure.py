"""Verify the exposure of each decision: recompute it from the moves of orders, and compare it with the record.

A decision's record holds the exposure that it counted and the hash of the newest move. A move holds the number of the newest
decision. So we know the state of each order at each decision without a clock.
"""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, func, select

from api.decisions import exposure
from api.decisions.decisions import GENESIS_HASH
from api.decisions.exposure import PriorDecision
from api.orders import move_chain
from api.store.clock import moment
from api.store.database import fetch_rows
from api.store.statements import Query, is_any_of, texts
from api.store.tables import DECISION_SUBJECTS, DECISIONS, ORDER_MOVES, ORDERS
from api.supervision.linked_subjects import linked_subjects, subjects_of
from api.supervision.records import EntryRow
from engine.decide.decide import as_json

MISCOUNTED: Final = "the orders and answers that it counted do not match the moves of orders"
OTHER_MOVES: Final = "the moves of orders before it are not those that its record names"
_MOVES: Final = (
    select(DECISIONS.c.seq, ORDER_MOVES.c.decisions, ORDER_MOVES.c.after, ORDER_MOVES.c.terms)
    .select_from(DECISION_SUBJECTS)
    .join(DECISIONS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    .join(ORDERS, ORDERS.c.decision == DECISIONS.c.id)
    .join(ORDER_MOVES, ORDER_MOVES.c.order == ORDERS.c.id)
    .where(is_any_of(DECISION_SUBJECTS.c.subject, texts("subjects")))
    .order_by(ORDER_MOVES.c.seq)
)


def count_problems(connection: Connection, rows: Sequence[EntryRow]) -> Mapping[int, str]:
    """The problems with the exposure of these decisions, by `seq`. `rows` must be in the order of the chain.

    Old records, from before the chain of moves, do not name a move; we skip them.
    """
    recorded = {row["seq"]: record for row in rows if (record := _record_of(row)) is not None}
    if not recorded:
        return {}
    moves = _newest_moves(connection, min(recorded), max(recorded))
    of_person = _person_histories(connection, {_subject(row) for row in rows if row["seq"] in recorded})
    of_linked = linked_subjects(connection, _linked_names(recorded.values()))
    problems = {}
    for row in rows:
        record = recorded.get(row["seq"])
        if record is None:
            continue
        if moves.before(row["seq"]) != record["order_moves"]:
            problems[row["seq"]] = OTHER_MOVES
        elif (question := (record.get("decision") or {}).get("question")) is not None:
            shared = frozenset(record.get("shared") or ())
            expected = _expected_counts(connection, of_person, row, question.get("linked") or (), shared, of_linked)
            if expected is not None and any(
                as_json({"": question.get(name)}) != as_json({"": value}) for name, value in expected.items()
            ):
                problems[row["seq"]] = MISCOUNTED
    return problems


def _linked_names(records: Iterable[Mapping[str, Any]]) -> set[str]:
    questions = ((record.get("decision") or {}).get("question") or {} for record in records)
    return {name for question in questions for name in question.get("linked") or ()}


def _expected_counts(
    connection: Connection,
    of_person: "Mapping[str, _PersonHistory]",
    row: EntryRow,
    linked: Collection[str],
    shared: Collection[int],
    subjects: Mapping[str, str | None],
) -> Mapping[str, object] | None:
    """The exposure that the decision had to count. None: one of the ids was erased since, with its decisions.

    `linked`: pseudonyms of the person's ids; `shared`: the `seq` of other ids' decisions that count.
    """
    if not linked and not shared:
        return of_person[_subject(row)].expected_counts(row)
    of_shared = subjects_of(connection, shared)
    own = {subjects[name] for name in linked} or {_subject(row)}
    if None in own or len(of_shared) < len(shared):
        return None
    histories = _person_histories(connection, {one or "" for one in own} | set(of_shared.values()))
    moves = next(iter(histories.values())).moves
    decisions = (d for one, history in histories.items() for d in history.decisions if one in own or d.seq in shared)
    return _PersonHistory(sorted(decisions, key=lambda d: d.seq), moves).expected_counts(row)


def _subject(row: EntryRow) -> str:
    return row["about_subject"] or ""


def _record_of(row: EntryRow) -> dict[str, Any] | None:
    text = row["about_record"] or ""
    if '"order_moves":"' not in text:
        return None
    try:
        record: dict[str, Any] = json.loads(text)
    except ValueError:  # `records.record_problem` reports it
        return None
    return record if "order_moves" in record else None


@dataclass
class _PersonHistory:
    """One person's decisions, oldest first, and the moves of their orders. Ask in the order of decisions."""

    decisions: Sequence[PriorDecision]
    moves: Mapping[
        int, list[tuple[int, str, int | None]]
    ]  # of the order of a decision: decisions before, state, closed_at
    _position: int = 0
    _newest_decisions: dict[tuple[str, str], PriorDecision] = field(default_factory=dict)
    _order_decisions: list[PriorDecision] = field(default_factory=list)

    def expected_counts(self, row: EntryRow) -> dict[str, object]:
        """The exposure that the decision had to count. Only the newest answers and orders can count, so we keep only those."""
        while self._position < len(self.decisions) and self.decisions[self._position].seq < row["seq"]:
            decision = self.decisions[self._position]
            self._newest_decisions[decision.merchant, decision.perk] = decision
            self._order_decisions += [decision] if decision.seq in self.moves else []
            self._position += 1
        current = {decision.seq: decision for decision in (*self._newest_decisions.values(), *self._order_decisions)}
        decisions_then = [self._as_of(decision, row["seq"]) for _, decision in sorted(current.items())]
        prior = exposure.exposure_of(decisions_then, row["merchant"], row["perk"], moment(row["decided_at"]))
        return {
            "used": list(prior.used),
            "in_service": prior.in_service,
            "unpaid": prior.unpaid,
            "overdue": prior.overdue,
        }

    def _as_of(self, decision: PriorDecision, seq: int) -> PriorDecision:
        moves = [move for move in self.moves.get(decision.seq, ()) if move[0] < seq]
        _, state, closed_at = moves[-1] if moves else (0, None, None)
        return replace(decision, state=state, closed_at=closed_at)


def _person_histories(connection: Connection, subjects: set[str]) -> Mapping[str, _PersonHistory]:
    query = Query(_MOVES, {"subjects": sorted(subjects)})
    rows, move_rows = fetch_rows(connection, exposure.prior_decisions_query(subjects), query)
    moves = defaultdict[int, list[tuple[int, str, int | None]]](list)
    for seq, decisions, after, terms in move_rows:
        closed_at = None if terms is None else move_chain.columns(terms)["closed_at"]
        moves[seq].append((decisions, after, closed_at))
    return {
        subject: _PersonHistory(decisions_of_subject, moves)
        for subject, decisions_of_subject in exposure.prior_decisions(rows, subjects).items()
    }


@dataclass(frozen=True)
class _NewestMoves:
    """Hashes of moves, and the number of the decision after which each was the newest."""

    decisions: Sequence[int]
    hashes: Sequence[str]

    def before(self, seq: int) -> str:
        """The hash of the newest move at the time of the decision."""
        place = bisect_left(self.decisions, seq)
        return self.hashes[place - 1] if place else GENESIS_HASH


def _newest_moves(connection: Connection, first: int, last: int) -> _NewestMoves:
    at, columns = ORDER_MOVES.c.decisions, (ORDER_MOVES.c.decisions, ORDER_MOVES.c.hash)
    earlier = select(*columns).where(at < first).order_by(at.desc(), ORDER_MOVES.c.seq.desc()).limit(1)
    newest = select(func.max(ORDER_MOVES.c.seq)).where(at >= first, at < last).group_by(at)
    later = select(*columns).where(ORDER_MOVES.c.seq.in_(newest)).order_by(ORDER_MOVES.c.seq)
    rows = [*connection.execute(earlier), *connection.execute(later)]
    return _NewestMoves([row[0] for row in rows], [row[1] for row in rows])
