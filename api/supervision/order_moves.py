"""Order moves: whether the chain of moves holds, and whether each order is as its last move left it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, Select, func, select

from api.database import reading
from api.decisions.decisions import FIRST
from api.orders import move_chain
from api.tables import CHAIN_HEAD, DECISION_SUBJECTS, DECISIONS, ORDER_MOVES, ORDERS

BATCH: Final = 5_000  # rows read at once
_HEAD: Final = select(CHAIN_HEAD.c.length, CHAIN_HEAD.c.hash).where(CHAIN_HEAD.c.id == move_chain.HEAD)


def first_break(engine: Engine) -> str | None:
    """The first thing that is wrong, with the order's id in it. Rows are read in batches, each of one moment."""
    return _chain(engine) or _orders(engine)


def _chain(engine: Engine) -> str | None:
    with reading(engine) as connection:
        kept = connection.execute(_HEAD).first()
    previous, length = FIRST, 0
    for move in _rows(engine, select(ORDER_MOVES), ORDER_MOVES.c.seq):
        if move["previous_hash"] != previous:
            return f"order {move['order']}: its move {move['seq']} does not follow the one before: one was dropped or put in"
        if move_chain.link(previous, move) != move["hash"]:
            return f"order {move['order']}: its move {move['seq']} was altered"
        previous, length = move["hash"], length + 1
        if kept is not None and length == kept.length and previous != kept.hash:
            return f"order {move['order']}: the chain of moves has another head: moves were replaced"
    with reading(engine) as connection:
        return _cut(kept, connection.execute(_HEAD).first(), length)


def _cut(kept: Row[int, str] | None, now: Row[int, str] | None, length: int) -> str | None:
    if kept is None or now is None:
        return "the head of the chain of orders' moves is not kept any more"
    if not kept.length <= length <= now.length:
        return f"orders were moved {kept.length:,} times, and {length:,} moves are there"
    return None


def _orders(engine: Engine) -> str | None:
    for order in _rows(engine, _beside_last_move(), ORDERS.c.id):
        differing = _differing(order)
        if differing:
            return f"order {order['id']}: it is not as its last move left it: {', '.join(differing)}"
    with reading(engine) as connection:
        return _moves_alone(connection)


def _beside_last_move() -> Select[Any]:
    """Each order with what its last move binds, and whom its decision is about: null where the person has left."""
    own = ORDER_MOVES.alias("own")
    last = select(func.max(own.c.seq)).where(own.c.order == ORDERS.c.id).scalar_subquery()
    beside = (
        ORDERS.outerjoin(ORDER_MOVES, ORDER_MOVES.c.seq == last)
        .outerjoin(DECISIONS, DECISIONS.c.id == ORDERS.c.decision)
        .outerjoin(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == DECISIONS.c.seq)
    )
    others = (ORDER_MOVES.c.terms, DECISIONS.c.seq, DECISION_SUBJECTS.c.subject.label("about"))
    return select(ORDERS, *others).select_from(beside)


def _differing(order: Mapping[str, Any]) -> Sequence[str]:
    if order["terms"] is None:
        return ["it has no move"]
    bound, own = move_chain.columns(order["terms"]), move_chain.columns(move_chain.terms(order))
    differing = sorted(column for column in move_chain.TERMS if bound.get(column) != own[column])
    # An order of no decision is told of elsewhere.
    return [*differing, "subject"] if order["seq"] is not None and order["subject"] != order["about"] else differing


def _moves_alone(connection: Connection) -> str | None:
    there = ORDER_MOVES.outerjoin(ORDERS, ORDERS.c.id == ORDER_MOVES.c.order)
    query = select(ORDER_MOVES.c.order).select_from(there).where(ORDERS.c.id.is_(None)).limit(1)
    name = connection.execute(query).scalar()
    return None if name is None else f"order {name}: it has moves, and is not there"


def _rows(engine: Engine, query: Select[Any], key: Any) -> Iterator[dict[str, Any]]:
    """The rows of a query by a key, a batch at a time."""
    seen = None
    while True:
        further = query if seen is None else query.where(key > seen)
        with reading(engine) as connection:
            rows = [dict(row) for row in connection.execute(further.order_by(key).limit(BATCH)).mappings()]
        if not rows:
            return
        yield from rows
        seen = rows[-1][key.name]
