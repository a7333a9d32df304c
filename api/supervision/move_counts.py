"""Verify the counts of each move of an order: count the person's orders again, from the moves before it.

The rules allow or reject `create` and `confirm` by the numbers of the person's other orders. A move binds the numbers that the
rules read. So we notice an order that someone forged for that moment and restored after it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

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
    linked = {row.seq: tuple(json.loads(row.counts).get("linked", ())) for row in rows}
    subjects = linked_subjects(connection, {name for names in linked.values() for name in names})
    groups = {(row.subject,): () for row in rows} | {
        tuple(sorted(one for name in names if (one := subjects[name]))): names
        for names in linked.values()
        if names and all(subjects[name] is not None for name in names)
    }
    people = {one for ids in groups for one in ids}
    (moves,) = fetch_rows(connection, Query(_MOVES_OF_PEOPLE, {"subjects": sorted(people)}))
    expected = {
        names: dict(_recount([move for subject, *move in moves if subject in ids], names))
        for ids, names in groups.items()
        if names
    }
    by_person: defaultdict[str, list[list[Any]]] = defaultdict(list)
    for subject, *move in moves:
        by_person[subject].append(move)
    expected[()] = dict(count for moves_of_person in by_person.values() for count in _recount(moves_of_person))
    return {seq: expected[names][seq] for seq, names in linked.items() if names in expected and seq in expected[names]}


def _recount(moves: list[list[Any]], linked: tuple[str, ...] = ()) -> Iterator[tuple[int, str | None]]:
    """The counts before each move of one person's orders, perhaps under several ids."""
    states: dict[str, str] = {}  # of each order
    by_state: Counter[str] = Counter()
    for seq, order, after in moves:
        yield seq, move_chain.counts_text(replace(counts_of(by_state), linked=linked))
        if order in states:
            by_state[states[order]] -= 1
        states[order] = after
        by_state[after] += 1
