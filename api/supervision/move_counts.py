"""Verify the counts of each move of an order: count the person's orders again, from the moves before it.

The rules allow or reject `create` and `confirm` by the numbers of the person's other orders. A move binds the numbers that the
rules read. So we notice an order that someone forged for that moment and restored after it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection, select

from api.orders import move_chain
from api.orders.order_store import counts_of
from api.store.database import Database, fetch_rows, reading
from api.store.statements import Query, is_any_of, texts
from api.store.tables import ORDER_MOVES, ORDERS
from api.supervision.linked_subjects import linked_subjects

BATCH_ROWS: Final = 5_000  # moves that we read at once
_COUNTED_MOVES: Final = (
    select(ORDER_MOVES.c.seq, ORDER_MOVES.c.order, ORDER_MOVES.c.counts, ORDERS.c.subject)
    .select_from(ORDER_MOVES.join(ORDERS, ORDERS.c.id == ORDER_MOVES.c.order))
    .where(ORDER_MOVES.c.counts.is_not(None), ORDERS.c.subject.is_not(None))
    .order_by(ORDER_MOVES.c.seq)
    .limit(BATCH_ROWS)
)
_MOVES_OF_ORDERS: Final = (
    select(ORDER_MOVES.c.seq, ORDER_MOVES.c.order, ORDER_MOVES.c.after)
    .where(is_any_of(ORDER_MOVES.c.order, texts("orders")))
    .order_by(ORDER_MOVES.c.seq)
)
_MOVES_OF_PEOPLE: Final = (
    select(ORDERS.c.subject, ORDER_MOVES.c.seq, ORDER_MOVES.c.order, ORDER_MOVES.c.after)
    .select_from(ORDERS.join(ORDER_MOVES, ORDER_MOVES.c.order == ORDERS.c.id))
    .where(is_any_of(ORDERS.c.subject, texts("subjects")))
    .order_by(ORDER_MOVES.c.seq)
)


def first_problem(database: Database) -> str | None:
    """The first move with other counts than the moves before it give, or None.

    We cannot count the orders of an erased person again. We read moves in batches, one transaction per batch.
    """
    last_seq = -1
    while True:
        with reading(database) as connection:
            rows = connection.execute(_COUNTED_MOVES.where(ORDER_MOVES.c.seq > last_seq)).all()
            expected = _expected_counts(connection, rows) if rows else {}
        if not rows:
            return None
        for row in rows:
            if row.seq in expected and row.counts != expected[row.seq]:
                return f"order {row.order}: its move {row.seq} counted other orders than the moves before it show"
        last_seq = rows[-1].seq


def _expected_counts(connection: Connection, rows: Sequence[Any]) -> dict[int, str | None]:
    """The counts of each of these moves, by `seq`. Left out: those that counted the orders of an id that was erased since."""
    orders_of_move = {row.seq: _CountedOrders.of_row(row) for row in rows}
    subjects = linked_subjects(connection, {name for orders in orders_of_move.values() for name in orders.linked})
    people = {row.subject for row in rows} | {one for one in subjects.values() if one}
    shared = {name for orders in orders_of_move.values() for name in orders.shared}
    moves, moves_of_shared = fetch_rows(
        connection,
        Query(_MOVES_OF_PEOPLE, {"subjects": sorted(people)}),
        Query(_MOVES_OF_ORDERS, {"orders": sorted(shared)}),
    )
    by_person: defaultdict[str | None, list[_Move]] = defaultdict(list)
    for subject, *move in moves:
        by_person[subject].append(_Move(*move))

    def recount(orders: _CountedOrders) -> dict[int, str | None]:
        ids = {subjects[name] for name in orders.linked} or {orders.subject}
        moves_of_others = (_Move(*move) for move in moves_of_shared if move[1] in orders.shared)
        return dict(_recount(sorted({*(move for one in ids for move in by_person[one]), *moves_of_others}), orders))

    recountable = {
        orders for orders in orders_of_move.values() if all(subjects[name] is not None for name in orders.linked)
    }
    expected = {orders: recount(orders) for orders in recountable}
    return {seq: expected[orders][seq] for seq, orders in orders_of_move.items() if seq in expected.get(orders, ())}


class _Move(NamedTuple):
    seq: int
    order: str
    after: str


class _CountedOrders(NamedTuple):
    """The orders that a move counted: those of the person, under all linked ids, and those of shared decisions."""

    subject: str
    linked: tuple[str, ...]
    shared: tuple[str, ...]

    @classmethod
    def of_row(cls, row: Any) -> Self:
        counts = json.loads(row.counts)
        return cls(row.subject, tuple(counts.get("linked", ())), tuple(counts.get("shared", ())))


def _recount(moves: Iterable[_Move], orders: _CountedOrders) -> Iterator[tuple[int, str | None]]:
    """The counts before each of these moves, which are in the order of the chain."""
    states: dict[str, str] = {}  # of each order
    by_state: Counter[str] = Counter()
    for seq, order, after in moves:
        counts = replace(counts_of(by_state), linked=orders.linked, shared=orders.shared)
        yield seq, move_chain.counts_text(counts)
        if order in states:
            by_state[states[order]] -= 1
        states[order] = after
        by_state[after] += 1
