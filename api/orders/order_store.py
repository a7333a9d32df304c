"""The order store: read and write orders, and the steps of each order."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, insert, or_, select, union, update

from api.decisions import shared_decisions
from api.evidence import erasure_tombstones
from api.features import linked_ids
from api.orders import move_chain
from api.store.clock import iso, micros, moment
from api.store.tables import DECISIONS, ORDER_MOVES, ORDERS
from engine.errors import Rejected

OVERDUE: Final = "overdue"
UNPAID: Final = ("due", OVERDUE)
OPEN_STATES: Final = ("in_service", *UNPAID)  # the states of the orders that the rules count
MERCHANT_FIELDS: Final = (  # the fields of `content` that the merchant gets back
    "service_introduction",
    "risk_fund",
    "time_range",
    "location",
    "post_payments",
    "post_discounts",
    "damage_amount",
    "need_user_confirm",
    "attach",
    "cancel_reason",
    "dispute",
)
_PARTS: Final = {  # the parts of structured fields; null if the merchant did not give a part
    "risk_fund": ("name", "amount", "description"),
    "time_range": ("start_time", "end_time"),
    "location": ("start", "end"),
    "post_payments": ("name", "amount", "description", "count"),
    "post_discounts": ("name", "amount", "description"),
    "dispute": ("by", "statement"),
}
_TIMES: Final = ("starts_at", "ends_at", "due_at", "created_at", "changed_at", "closed_at")


@dataclass(frozen=True)
class Order:
    """A deposit-free order. Amounts are in minor units; `content` holds the merchant's own fields, unchanged."""

    id: str
    merchant: str
    out_order_no: str  # the merchant's own number
    service: str
    service_version: int
    decision: str
    subject: str | None  # None after the person's erasure
    perk: str
    currency: str
    mode: str
    waived: int
    ceiling: int | None
    state: str
    created_at: datetime
    changed_at: datetime
    digest: str  # of the parameters of creation
    content: Mapping[str, Any] = field(default_factory=dict)
    total: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    due_at: datetime | None = None
    closed_at: datetime | None = None
    disputed: bool = False


@dataclass(frozen=True)
class Counts:
    """The number of a person's orders in service, unpaid and, of the unpaid ones, overdue."""

    in_service: int
    unpaid: int
    overdue: int
    linked: tuple[str, ...] = ()  # pseudonyms of all ids of a person that has several
    shared: tuple[str, ...] = ()  # the orders of other ids that count, since a link once joined them

    @property
    def by_name(self) -> dict[str, int]:
        """The numbers, as the rules name them."""
        return {"in_service": self.in_service, "unpaid": self.unpaid, "overdue": self.overdue}


@dataclass(frozen=True)
class OrderStep:
    """One step in the life of an order."""

    action: str
    digest: str  # of the request
    before: str
    after: str
    total: int | None
    at: datetime


def by_number(connection: Connection, merchant: str, number: str) -> Order | None:
    """The merchant's order with that number, or None."""
    return _find_order(connection, (ORDERS.c.merchant == merchant) & (ORDERS.c.out_order_no == number))


def of_merchant(connection: Connection, merchant: str, number: str) -> Order:
    """The merchant's order with that number. Raises Rejected `unknown_order`, also for another merchant's order."""
    return _require_order(by_number(connection, merchant, number))


def of_person(connection: Connection, subject: str, name: str) -> Order:
    """A person's order by its id. Raises Rejected `unknown_order`, also for another person's order."""
    return _require_order(_find_order(connection, (ORDERS.c.subject == subject) & (ORDERS.c.id == name)))


def by_id(connection: Connection, name: str) -> Order:
    """An order by its id. Raises Rejected `unknown_order`."""
    return _require_order(_find_order(connection, ORDERS.c.id == name))


def list_orders(
    connection: Connection, condition: ColumnElement[bool], limit: int, after: Order | None = None
) -> list[Order]:
    """List the newest orders that meet `condition`, or those that follow the order `after`."""
    query = select(ORDERS).where(condition).order_by(ORDERS.c.created_at.desc(), ORDERS.c.id.desc()).limit(limit)
    if after is not None:
        at = micros(after.created_at)
        query = query.where(
            or_(ORDERS.c.created_at < at, (ORDERS.c.created_at == at) & (ORDERS.c.id < after.id)),
        )
    return of_rows(connection.execute(query))


def counts(connection: Connection, subject: str | None) -> Counts:
    """Count the person's orders, under all ids, and those of the decisions that were shared with these ids.

    The counts of an erased person (None) are 0: we begin no new order for them.
    """
    ids = () if subject is None else linked_ids.ids_of(connection, subject)
    is_shared = DECISIONS.c.seq.in_(shared_decisions.shared_with(connection, ids))
    counting = select(ORDERS.c.id, ORDERS.c.state, ORDERS.c.subject).where(ORDERS.c.state.in_(OPEN_STATES))
    joined = ORDERS.join(DECISIONS, DECISIONS.c.id == ORDERS.c.decision)
    query = union(counting.where(ORDERS.c.subject.in_(ids)), counting.select_from(joined).where(is_shared))
    rows = connection.execute(query).all()
    linked = erasure_tombstones.pseudonyms(connection, ids) if len(ids) > 1 else ()
    shared = sorted(row.id for row in rows if row.subject not in ids)
    counts = counts_of(Counter(row.state for row in rows))
    return replace(counts, linked=tuple(sorted(linked)), shared=tuple(shared))


def counts_of(by_state: Mapping[str, int]) -> Counts:
    """The counts from the number of orders in each state."""
    unpaid = sum(by_state.get(state, 0) for state in UNPAID)
    return Counts(by_state.get("in_service", 0), unpaid, by_state.get(OVERDUE, 0))


def steps(connection: Connection, order: Order) -> list[OrderStep]:
    """The steps of an order so far, oldest first."""
    query = select(ORDER_MOVES).where(ORDER_MOVES.c.order == order.id).order_by(ORDER_MOVES.c.seq)
    rows = connection.execute(query).mappings()
    return [OrderStep(r["action"], r["digest"], r["before"], r["after"], r["total"], moment(r["at"])) for r in rows]


def add(
    connection: Connection, draft: Order, digest: str, at: datetime, counts: Counts | None = None, **changes: Any
) -> Order:
    """Store a new order and its first step. `counts`: those that the rules read."""
    order = replace(draft, **changes)
    connection.execute(insert(ORDERS).values(_row(order)))
    _append_move(connection, order, OrderStep("create", digest, draft.state, order.state, order.total, at), counts)
    return order


def change(
    connection: Connection,
    before: Order,
    action: str,
    digest: str,
    at: datetime,
    counts: Counts | None = None,
    **changes: Any,
) -> Order:
    """Change an order, and record the step. `counts`: those that the rules read."""
    after = replace(before, changed_at=at, **changes)
    connection.execute(update(ORDERS).where(ORDERS.c.id == before.id).values(_row(after)))
    _append_move(connection, after, OrderStep(action, digest, before.state, after.state, after.total, at), counts)
    return after


def _append_move(connection: Connection, order: Order, step: OrderStep, counts: Counts | None) -> None:
    row = {**vars(step), "order": order.id, "at": micros(step.at), "counts": move_chain.counts_text(counts)}
    connection.execute(insert(ORDER_MOVES).values(move_chain.chain_move(connection, _row(order), row)))


def of_rows(rows: Iterable[Row[Any]]) -> list[Order]:
    """Orders from rows of the table."""
    return [_order(row) for row in rows]


def _find_order(connection: Connection, condition: ColumnElement[bool]) -> Order | None:
    row = connection.execute(select(ORDERS).where(condition)).first()
    return None if row is None else _order(row)


def _require_order(order: Order | None) -> Order:
    if order is None:
        hint = "check the number, and whose token it is"
        raise Rejected("unknown order", where="order", hint=hint, code="unknown_order")
    return order


def _order(row: Row[Any]) -> Order:
    values = dict(row._mapping)
    times = {c: None if values[c] is None else moment(values[c]) for c in _TIMES}
    return Order(**values | times | {"content": json.loads(values["content"])})


def _row(order: Order) -> dict[str, Any]:
    values = {f.name: getattr(order, f.name) for f in fields(order)}
    times = {c: None if values[c] is None else micros(values[c]) for c in _TIMES}
    return values | times | {"content": json.dumps(order.content, sort_keys=True, ensure_ascii=False)}


def _with_all_parts(name: str, value: Any) -> Any:
    """A structured field with all of its parts."""
    if isinstance(value, list):
        return [_with_all_parts(name, one) for one in value]
    return {part: value.get(part) for part in _PARTS[name]} if isinstance(value, dict) else value


def merchant_view(order: Order) -> dict[str, Any]:
    """An order for its merchant, as a JSON object. About the person it holds only the merchant's own fields."""
    times = {c: None if (at := getattr(order, c)) is None else iso(at) for c in _TIMES}
    content = {name: _with_all_parts(name, order.content.get(name)) for name in MERCHANT_FIELDS}
    return {
        "order_id": order.id,
        "out_order_no": order.out_order_no,
        "service": order.service,
        "decision_id": order.decision,
        "state": order.state,
        "perk": order.perk,
        "currency": order.currency,
        "mode": order.mode,
        "waived_amount": order.waived,
        "total_amount": order.total,
        "disputed": order.disputed,
        **times,
        **content,
    }
