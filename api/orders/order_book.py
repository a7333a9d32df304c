"""The order book: orders as they are kept, and what happened to each of them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select, update

from api.clock import iso, micros, moment
from api.orders import move_chain
from api.tables import ORDER_MOVES, ORDERS
from engine.errors import Refused

OVERDUE: Final = "overdue"
UNPAID: Final = ("due", OVERDUE)
SAID: Final = (  # what of `content` the merchant is shown again
    *(
        "service_introduction",
        "risk_fund",
        "time_range",
        "location",
        "post_payments",
        "post_discounts",
        "damage_amount",
    ),
    *("need_user_confirm", "attach", "cancel_reason", "dispute"),
)
_PARTS: Final = {  # what belongs to those of them that have parts: null where the merchant did not say it
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
    """A deposit-free order. Amounts are in minor units; `content` is what the merchant said of it, as it said it."""

    id: str
    merchant: str
    out_order_no: str  # the merchant's own number
    service: str
    service_version: int
    decision: str
    subject: str | None  # None when the person has left
    perk: str
    currency: str
    mode: str
    waived: int
    ceiling: int | None
    state: str
    created_at: datetime
    changed_at: datetime
    digest: str  # of the parameters of its creation
    content: Mapping[str, Any] = field(default_factory=dict)
    total: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    due_at: datetime | None = None
    closed_at: datetime | None = None
    disputed: bool = False


@dataclass(frozen=True)
class Counts:
    """How many orders of a person are in service, are to be paid, and of those are overdue."""

    in_service: int
    unpaid: int
    overdue: int


@dataclass(frozen=True)
class Step:
    """One thing that happened to an order."""

    action: str
    digest: str  # of what was asked
    before: str
    after: str
    total: int | None
    at: datetime


def numbered(connection: Connection, merchant: str, number: str) -> Order | None:
    """The merchant's order of that number."""
    return _one(connection, (ORDERS.c.merchant == merchant) & (ORDERS.c.out_order_no == number))


def of_merchant(connection: Connection, merchant: str, number: str) -> Order:
    """The same. Raises Refused when there is none: another merchant's is not told apart."""
    return _there(numbered(connection, merchant, number))


def of_person(connection: Connection, subject: str, name: str) -> Order:
    """A person's order by its id. Raises Refused when there is none: another person's is not told apart."""
    return _there(_one(connection, (ORDERS.c.subject == subject) & (ORDERS.c.id == name)))


def by_id(connection: Connection, name: str) -> Order:
    """An order by its id."""
    return _there(_one(connection, ORDERS.c.id == name))


def page(connection: Connection, mine: ColumnElement[bool], most: int, after: Order | None = None) -> list[Order]:
    """The newest of the orders that are `mine`, or those next after one of them."""
    query = select(ORDERS).where(mine).order_by(ORDERS.c.created_at.desc(), ORDERS.c.id.desc()).limit(most)
    if after is not None:
        at = micros(after.created_at)
        query = query.where(
            or_(ORDERS.c.created_at < at, (ORDERS.c.created_at == at) & (ORDERS.c.id < after.id)),
        )
    return of_rows(connection.execute(query))


def counts(connection: Connection, subject: str | None) -> Counts:
    """How many orders the person has. None of who has left: nothing more begins for them."""
    query = select(ORDERS.c.state, func.count()).where(ORDERS.c.subject == subject).group_by(ORDERS.c.state)
    by_state: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    unpaid = sum(by_state.get(state, 0) for state in UNPAID)
    return Counts(by_state.get("in_service", 0), unpaid, by_state.get(OVERDUE, 0))


def steps(connection: Connection, order: Order) -> list[Step]:
    """What happened to an order so far, oldest first."""
    query = select(ORDER_MOVES).where(ORDER_MOVES.c.order == order.id).order_by(ORDER_MOVES.c.seq)
    rows = connection.execute(query).mappings()
    return [Step(r["action"], r["digest"], r["before"], r["after"], r["total"], moment(r["at"])) for r in rows]


def add(connection: Connection, draft: Order, digest: str, at: datetime, **what: Any) -> Order:
    """Keep a new order, and write down that it was made."""
    made = replace(draft, **what)
    connection.execute(insert(ORDERS).values(_row(made)))
    _note(connection, made, Step("create", digest, draft.state, made.state, made.total, at))
    return made


def change(connection: Connection, before: Order, action: str, digest: str, at: datetime, **what: Any) -> Order:
    """Change an order, and write down that it was."""
    after = replace(before, changed_at=at, **what)
    connection.execute(update(ORDERS).where(ORDERS.c.id == before.id).values(_row(after)))
    _note(connection, after, Step(action, digest, before.state, after.state, after.total, at))
    return after


def _note(connection: Connection, order: Order, step: Step) -> None:
    row = {**vars(step), "order": order.id, "at": micros(step.at)}
    connection.execute(insert(ORDER_MOVES).values(move_chain.append(connection, _row(order), row)))


def of_rows(rows: Iterable[Row[Any]]) -> list[Order]:
    """Rows of the table as orders."""
    return [_order(row) for row in rows]


def _one(connection: Connection, which: ColumnElement[bool]) -> Order | None:
    row = connection.execute(select(ORDERS).where(which)).first()
    return None if row is None else _order(row)


def _there(found: Order | None) -> Order:
    if found is None:
        hint = "check the number, and whose token it is"
        raise Refused("unknown order", where="order", hint=hint, code="unknown_order")
    return found


def _order(row: Row[Any]) -> Order:
    values = dict(row._mapping)
    times = {c: None if values[c] is None else moment(values[c]) for c in _TIMES}
    return Order(**values | times | {"content": json.loads(values["content"])})


def _row(order: Order) -> dict[str, Any]:
    values = {f.name: getattr(order, f.name) for f in fields(order)}
    times = {c: None if values[c] is None else micros(values[c]) for c in _TIMES}
    return values | times | {"content": json.dumps(order.content, sort_keys=True, ensure_ascii=False)}


def _whole(name: str, value: Any) -> Any:
    """A part of the content with each of its own parts."""
    if isinstance(value, list):
        return [_whole(name, one) for one in value]
    return {part: value.get(part) for part in _PARTS[name]} if isinstance(value, dict) else value


def told(order: Order) -> dict[str, Any]:
    """An order as its merchant may see it, as JSON has it: nothing of the person but what the merchant itself said."""
    times = {c: None if (at := getattr(order, c)) is None else iso(at) for c in _TIMES}
    said = {name: _whole(name, order.content.get(name)) for name in SAID}
    return {
        **{"order_id": order.id, "out_order_no": order.out_order_no, "service": order.service},
        **{"decision_id": order.decision, "state": order.state, "perk": order.perk, "currency": order.currency},
        **{"mode": order.mode, "waived_amount": order.waived, "total_amount": order.total},
        **{"disputed": order.disputed, **times, **said},
    }
