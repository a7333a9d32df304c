"""Orders: made of a decision and moved by `rules/orders.yaml`, each move in one transaction with what follows from it.

What follows is the entry of what happened, the outcome as an event of the ledger, and the message to the merchant. Asking for the
same again changes nothing and succeeds: what was asked is known by its digest.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from api.clock import iso, micros
from api.database import writing
from api.orders import messages, order_book, outcomes
from api.orders.order_book import Order
from api.orders.promises import promise
from api.world import World
from engine.errors import EngineError, Refused, Unmoved
from engine.lang.program import NONE, Orders
from engine.lang.types import Value
from engine.orders import WRONG_STATE, asked_of, move

PAY_WITHIN: Final = timedelta(days=7)  # from completion until it is overdue
MOST: Final = 10**12  # minor units
# What is told of a refusal of the rules, by its code: the message, where, and a hint; of a code of the operators' own the code itself.
REFUSALS: Final = {
    # These are told to the person alone: the orders may be another merchant's.
    "overdue_outstanding": ("an order of yours is overdue", "order", "see GET /v1/me/orders; pay it first"),
    "due_outstanding": ("an order of yours is to be paid", "order", "see GET /v1/me/orders; pay it first"),
    "too_many_open": ("as many orders of yours are in service as there may be", "order", "see GET /v1/me/orders"),
    "over_ceiling": (
        *("the amount is more than was waived or agreed on", "post_payments"),
        "see `waived_amount` of the order",
    ),
    "bad_time_range": ("the times are not in order, or lie in the future", "time_range", "start <= end <= now"),
    "only_downwards": ("a total can only be lowered", "post_payments", "send a total below the one before"),
}


@dataclass(frozen=True)
class NewOrder:
    """An order to be made: `content` is all that the merchant said, by which it is the same again."""

    out_order_no: str
    service: str
    decision: str
    risk_amount: int
    starts_at: datetime | None
    ends_at: datetime | None
    needs_confirming: bool
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """What is asked of an order: `said` is what the asker said, by which it is the same again, and becomes part of the order's
    content; `values` are of `event.*`; `changes` are to the order's other columns.
    """

    action: str
    said: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Value | None] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    repeats: bool = False  # whether it may be asked again with other parameters

    @property
    def digest(self) -> str:
        """By which it is known again. SHA-256, hex."""
        return digest(self.action, self.said)


Find = Callable[[Connection], Order]


def create(world: World, merchant: str, new: NewOrder, now: datetime) -> Order:
    """The order made of a decision, or the one that was made of the same before.

    Raises Refused: `order_mismatch` when the number was used for another, what `promise` says, `decision_lapsed` when the
    person's other orders let none begin any more, or what else the rules refuse.
    """
    asked = digest("create", new.content)
    with writing(world.database) as connection:
        before = order_book.numbered(connection, merchant, new.out_order_no)
        if before is not None:
            if before.digest != asked:
                raise _mismatch("out_order_no", f"the number `{new.out_order_no}` is another order's")
            return before
        order = _drafted(connection, merchant, new, asked, now)
        try:
            order = _moved(world, connection, order, Request("create", new.content), now)
            return order if new.needs_confirming else _moved(world, connection, order, Request("confirm"), now)
        except Unmoved as refused:
            if refused.code not in {limit.code for limit in _life(world, now).limits}:
                raise
            raise _lapsed() from None


def ask(world: World, find: Find, request: Request, now: datetime) -> Order:
    """The order after what is asked of it; as it is, when that was done before.

    Raises Refused: `unknown_order`, `order_mismatch` when it was done with other parameters, or what the rules refuse.
    """
    with writing(world.database) as connection:
        order = find(connection)
        if _done(connection, order, request):
            return order
        after = _moved(world, connection, order, request, now)
        # Nothing to pay is paid.
        return _moved(world, connection, after, Request("pay"), now) if _is_free(request, after) else after


def completion(said: Mapping[str, Any], damage: int, starts_at: datetime, ends_at: datetime, now: datetime) -> Request:
    """That the service has ended. Raises Refused `bad_amount` for a total out of range, or damage beyond the payments."""
    total = total_of(said)
    if damage > sum(one["amount"] for one in said["post_payments"]):
        hint = "count it among the payments"
        raise Refused("the damage is more than the payments", where="damage_amount", hint=hint, code="bad_amount")
    of_event = {"total": total, "damage": damage, "starts": micros(starts_at), "ends": micros(ends_at)}
    due = {"total": total, "starts_at": starts_at, "ends_at": ends_at, "due_at": now + PAY_WITHIN}
    return Request("complete", said, {f"event.{name}": value for name, value in of_event.items()}, due)


def modification(said: Mapping[str, Any]) -> Request:
    """That less is to be paid. Raises Refused `bad_amount` for a total out of range."""
    total = total_of(said)
    return Request("modify", said, {"event.total": total}, {"total": total}, repeats=True)


def dispute(world: World, find: Find, by: str, statement: str | None, now: datetime) -> Order:
    """The order with a dispute of it opened, or ended when there is no statement, by the `merchant` or the `person`.

    While one is open the order does not become overdue. Whoever opened it may end it; to pay ends it too.
    Raises Refused: `unknown_order`, `wrong_state`, `order_mismatch` when the other one opened it.
    """
    with writing(world.database) as connection:
        order = find(connection)
        opened = statement is not None
        if opened == order.disputed and (not opened or order.content["dispute"] == _said(by, statement)):
            return order
        if order.closed_at is not None or order.state == "created":
            raise _wrong_state(order, "dispute")
        if order.disputed and order.content["dispute"]["by"] != by:
            raise _mismatch("order", "the dispute is the other party's")
        content = {**order.content, "dispute": _said(by, statement) if opened else None}
        asked = Request("dispute", {"by": by, "statement": statement})
        what: dict[str, Any] = {"disputed": opened, "content": content}
        after = order_book.change(connection, order, asked.action, asked.digest, now, **what)
        messages.put(connection, after, "disputed" if opened else "agreed", now)
        return after


def tick(world: World, name: str, now: datetime) -> bool:
    """Whether time moved the order: expired or overdue. Late or twice is the same as once."""
    with writing(world.database) as connection:
        order = order_book.by_id(connection, name)
        if order.disputed or not ripe(world, order, now):
            return False
        _moved(world, connection, order, Request("clock"), now)
        return True


def ripe(world: World, order: Order, now: datetime) -> bool:
    """Whether time would move the order now."""
    asked = {**_values(order), **asked_of(order.state, "clock"), "event.at": micros(now)}
    return bool(move(world.engines.at(world.day(now)), asked, world.day(now)).to)


def states(world: World, now: datetime) -> tuple[str, ...]:
    """The states that an order can be in under the rules in force."""
    return _life(world, now).states


def total_of(content: Mapping[str, Any]) -> int:
    """What is charged: the payments less the discounts, in minor units. Raises Refused `bad_amount` below nothing or too much."""
    parts = [sum(int(one["amount"]) for one in content.get(name) or ()) for name in ("post_payments", "post_discounts")]
    total = parts[0] - parts[1]
    if not 0 <= total <= MOST:
        hint = f"payments less discounts, from 0 to {MOST}"
        raise Refused("the total is out of range", where="post_payments", hint=hint, code="bad_amount")
    return total


def digest(action: str, said: Mapping[str, Any]) -> str:
    """By which the same request is known again. SHA-256, hex."""
    return hashlib.sha256(json.dumps([action, said], sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _drafted(connection: Connection, merchant: str, new: NewOrder, asked: str, now: datetime) -> Order:
    """The order before it is one: in the state `none`."""
    of = promise(connection, merchant, new.service, new.decision, now)
    if new.risk_amount > of.waived:
        message, hint = "the amount is more than the decision waives", f"up to {of.waived}"
        raise Unmoved(message, where="risk_fund.amount", hint=hint, code="over_ceiling")
    if new.starts_at and new.ends_at and new.starts_at > new.ends_at:
        message, hint = "the service ends before it begins", "start_time <= end_time"
        raise Unmoved(message, where="time_range", hint=hint, code="bad_time_range")
    terms = of.service.terms
    return Order(
        id=uuid.uuid4().hex,
        merchant=merchant,
        out_order_no=new.out_order_no,
        service=new.service,
        service_version=of.service.version,
        decision=of.decision,
        subject=of.subject,
        perk=of.perk,
        currency=of.currency,
        mode=terms.mode,
        waived=new.risk_amount,
        ceiling=new.risk_amount if terms.ceiling is None else terms.ceiling,
        state=NONE,
        created_at=now,
        changed_at=now,
        digest=asked,
        content=new.content,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
    )


def _done(connection: Connection, order: Order, request: Request) -> bool:
    """Whether this was done to the order before. Raises Refused when it was done with other parameters."""
    before = [step.digest for step in order_book.steps(connection, order) if step.action == request.action]
    if before and request.digest not in before and not request.repeats:
        raise _mismatch("order", f"the order had its `{request.action}` before, with other parameters")
    return request.digest in before


def _moved(world: World, connection: Connection, order: Order, request: Request, now: datetime) -> Order:
    """The order after the move that the rules make of the request, with all that follows from it."""
    kind = "pay" if request.action == "sync" else request.action
    counts = order_book.counts(connection, order.subject) if order.subject else None
    _paid_after_completion(order, request, now)
    of_person = {f"person.{name}": count for name, count in vars(counts).items()} if counts else {}
    asked = {**_values(order), **of_person, **request.values, **asked_of(order.state, kind), "event.at": micros(now)}
    told = move(world.engines.at(world.day(now)), asked, world.day(now))
    if not told.to:
        raise _wrong_state(order, request.action) if told.code == WRONG_STATE else _unmoved(told.code)
    what = {"state": told.to, "content": {**order.content, **request.said}, **request.changes}
    if told.to in _life(world, now).final:
        what |= {"closed_at": now, "disputed": False}
    if order.state == NONE:
        after = order_book.add(connection, order, request.digest, now, **what)
    else:
        after = order_book.change(connection, order, request.action, request.digest, now, **what)
    outcomes.tell(connection, order, after, request.said.get("paid_at"), now)
    messages.put(connection, after, messages.EVENT.get(request.action, told.to), now)
    return after


def _paid_after_completion(order: Order, request: Request, now: datetime) -> None:
    paid_at = request.said.get("paid_at")
    if paid_at and order.ends_at and not order.ends_at <= datetime.fromisoformat(paid_at) <= now:
        hint = f"from {iso(order.ends_at)}, when the service ended, until now"
        raise Unmoved("nobody paid for it then", where="paid_at", hint=hint, code="bad_time_range")


def _life(world: World, now: datetime) -> Orders:
    orders = world.release.at(world.day(now)).orders
    if orders is None:
        raise EngineError("the rules say nothing of orders", hint="add orders.yaml")
    return orders


def _is_free(request: Request, order: Order) -> bool:
    return request.action in ("complete", "modify") and order.total == 0


def _values(order: Order) -> dict[str, Value | None]:
    times = {"created": order.created_at, "starts": order.starts_at, "ends": order.ends_at, "due": order.due_at}
    return {
        **{"order.mode": order.mode, "order.waived": order.waived, "order.ceiling": order.ceiling},
        **{"order.total": order.total},
        **{f"order.{name}": None if at is None else micros(at) for name, at in times.items()},
    }


def _said(by: str, statement: str | None) -> dict[str, str | None]:
    return {"by": by, "statement": statement}


def _mismatch(where: str, message: str) -> Refused:
    return Refused(message, where=where, hint="see the order: GET /v1/orders/{out_order_no}", code="order_mismatch")


def _lapsed() -> Unmoved:
    """The words are the same whatever the person's other orders are, and whoever's: a merchant learns nothing of them."""
    message, hint = "the decision does not stand any more", "ask again: POST /v1/eligibility"
    return Unmoved(message, where="decision_id", hint=hint, code="decision_lapsed")


def _unmoved(code: str) -> Refused:
    message, where, hint = REFUSALS.get(code, (f"the rules refuse it: {code}", "order", "see rules/orders.yaml"))
    return Unmoved(message, where=where, hint=hint, code=code)


def _wrong_state(order: Order, action: str) -> Refused:
    message, hint = (
        f"`{action}` is not for an order that is `{order.state}`",
        "created, confirmed, completed, then paid",
    )
    return Unmoved(message, where="order", hint=hint, code=WRONG_STATE)
