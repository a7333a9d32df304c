"""Verify the chain of order moves, and that each order has the values that its last move binds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from api.decisions.decisions import GENESIS_HASH
from api.orders import move_chain
from api.store.database import Database, reading
from api.store.tables import CHAIN_HEAD, DECISION_SUBJECTS, DECISIONS, ORDER_MOVES, ORDERS
from api.supervision import move_counts

BATCH_ROWS: Final = 5_000  # rows read at once
_HEAD: Final = select(CHAIN_HEAD.c.length, CHAIN_HEAD.c.hash).where(CHAIN_HEAD.c.id == move_chain.HEAD_ID)


def first_problem(database: Database) -> str | None:
    """The first problem, with the order's id, or None. We read rows in batches, one transaction per batch."""
    return _chain_problem(database) or _order_problem(database) or move_counts.first_problem(database)


def _chain_problem(database: Database) -> str | None:
    with reading(database) as connection:
        stored_head = connection.execute(_HEAD).first()
    previous, length = GENESIS_HASH, 0
    for move in _read_rows(database, select(ORDER_MOVES), ORDER_MOVES.c.seq):
        if move["previous_hash"] != previous:
            return f"order {move['order']}: its move {move['seq']} does not follow the one before: one was dropped or put in"
        if move_chain.link_hash(previous, move) != move["hash"]:
            return f"order {move['order']}: its move {move['seq']} was altered"
        previous, length = move["hash"], length + 1
        if stored_head is not None and length == stored_head.length and previous != stored_head.hash:
            return f"order {move['order']}: the chain of moves has another head: moves were replaced"
    with reading(database) as connection:
        return _length_problem(stored_head, connection.execute(_HEAD).first(), length)


def _length_problem(stored_head: Row[int, str] | None, current_head: Row[int, str] | None, length: int) -> str | None:
    if stored_head is None or current_head is None:
        return "the head of the chain of orders' moves is missing"
    if not stored_head.length <= length <= current_head.length:
        return f"{stored_head.length:,} moves of orders were recorded, and {length:,} are there"
    return None


def _order_problem(database: Database) -> str | None:
    for order in _read_rows(database, _orders_with_last_move(), ORDERS.c.id):
        differing = _differing_columns(order)
        if differing:
            return f"order {order['id']}: its columns differ from its last move: {', '.join(differing)}"
    with reading(database) as connection:
        return _orphan_moves(connection)


def _orders_with_last_move() -> Select[Any]:
    """Each order with the terms that its last move binds, and the subject of its decision: null after the erasure."""
    order_move = ORDER_MOVES.alias("own")
    last = select(func.max(order_move.c.seq)).where(order_move.c.order == ORDERS.c.id).scalar_subquery()
    joined = (
        ORDERS.outerjoin(ORDER_MOVES, ORDER_MOVES.c.seq == last)
        .outerjoin(DECISIONS, DECISIONS.c.id == ORDERS.c.decision)
        .outerjoin(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == DECISIONS.c.seq)
    )
    columns = (ORDER_MOVES.c.terms, DECISIONS.c.seq, DECISION_SUBJECTS.c.subject.label("about"))
    return select(ORDERS, *columns).select_from(joined)


def _differing_columns(order: Mapping[str, Any]) -> Sequence[str]:
    if order["terms"] is None:
        return ["it has no move"]
    bound, own = move_chain.columns(order["terms"]), move_chain.columns(move_chain.terms(order))
    differing = sorted(column for column in move_chain.TERM_COLUMNS if bound.get(column) != own[column])
    # `audit` reports an order without decision.
    return [*differing, "subject"] if order["seq"] is not None and order["subject"] != order["about"] else differing


def _orphan_moves(connection: Connection) -> str | None:
    joined = ORDER_MOVES.outerjoin(ORDERS, ORDERS.c.id == ORDER_MOVES.c.order)
    query = select(ORDER_MOVES.c.order).select_from(joined).where(ORDERS.c.id.is_(None)).limit(1)
    name = connection.execute(query).scalar()
    return None if name is None else f"order {name}: it has moves, and the order is missing"


def _read_rows(database: Database, query: Select[Any], key: ColumnElement[Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a query in the order of `key`, reading one batch at a time."""
    last_key: object = None
    while True:
        batch_query = query if last_key is None else query.where(key > last_key)
        with reading(database) as connection:
            rows = [dict(row) for row in connection.execute(batch_query.order_by(key).limit(BATCH_ROWS)).mappings()]
        if not rows:
            return
        yield from rows
        last_key = rows[-1][key.name]
