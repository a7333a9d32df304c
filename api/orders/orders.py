"""Orders: create an order from a decision and move it through the life cycle of `rules/orders.yaml`.

One transaction writes a move with all its effects: the step of the order, the outcome as an event of the ledger, and the
message to the merchant. Requests are idempotent: we recognise your repeated request by its digest, change nothing and succeed.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from api.orders import messages, order_store, outcomes
from api.orders.offers import find_offer
from api.orders.order_store import Counts, Order
from api.runtime.context import AppContext
from api.store.clock import iso, micros
from api.store.database import writing
from engine.decide.orders import WRONG_STATE, move, state_and_event
from engine.errors import EngineError, Rejected, TransitionRejected
from engine.lang.model.program import NO_ORDER, OrderLifecycle
from engine.lang.model.types import Value

PAY_WITHIN: Final = timedelta(days=7)  # from completion until the order is overdue
MAX_TOTAL: Final = 10**12  # minor units
# Rejections by the rules, by code: message, place and hint. For a code of the operators' own, the message names the code.
REFUSALS: Final = {
    # Only the person gets these three: the orders may be another merchant's.
    "overdue_outstanding": ("you have an overdue order", "order", "see GET /v1/me/orders, and pay it first"),
    "due_outstanding": ("you have an unpaid order", "order", "see GET /v1/me/orders, and pay it first"),
    "too_many_open": ("you have the maximum number of orders in service", "order", "see GET /v1/me/orders"),
    "over_ceiling": (
        "the amount is more than was waived or agreed on",
        "post_payments",
        "see `waived_amount` of the order",
    ),
    "bad_time_range": ("the times are not in order, or lie in the future", "time_range", "start <= end <= now"),
    "total_may_only_decrease": ("a total can only be lowered", "post_payments", "send a total below the one before"),
}


@dataclass(frozen=True)
class NewOrder:
    """The request for a new order. `content` holds all fields of the merchant's request; its digest identifies a repetition."""

    out_order_no: str
    service: str
    decision: str
    risk_amount: int
    starts_at: datetime | None
    ends_at: datetime | None
    needs_confirming: bool
    content: Mapping[str, Any]


@dataclass(frozen=True)
class OrderRequest:
    """A request to move an order. `content` holds the caller's fields: its digest identifies a repetition, and it becomes part
    of the order's content. `values` are those of `event.*` in the rules; `changes` go to the order's other columns.
    """

    action: str
    content: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Value | None] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    repeats: bool = False  # whether the caller may repeat the action with other parameters

    @property
    def digest(self) -> str:
        """Identifies a repetition of the request. SHA-256, hex."""
        return digest(self.action, self.content)


Find = Callable[[Connection], Order]


def create(context: AppContext, merchant: str, new: NewOrder, now: datetime) -> Order:
    """Create an order from a decision. For a repeated request, return the existing order.

    Raises Rejected: `order_mismatch` if the number belongs to another order; as `find_offer`; `decision_lapsed` if the
    person's other orders no longer allow a new one; or any other code of the rules.
    """
    request_digest = digest("create", new.content)
    with writing(context.database) as connection:
        existing = order_store.by_number(connection, merchant, new.out_order_no)
        if existing is not None:
            if existing.digest != request_digest:
                raise _order_mismatch("out_order_no", f"the number `{new.out_order_no}` belongs to another order")
            return existing
        order = _draft_order(connection, merchant, new, request_digest, now)
        try:
            order = _apply_transition(context, connection, order, OrderRequest("create", new.content), now)
            if new.needs_confirming:
                return order
            return _apply_transition(context, connection, order, OrderRequest("confirm"), now)
        except TransitionRejected as error:
            if error.code not in {limit.code for limit in _lifecycle(context, now).limits}:
                raise
            raise _decision_lapsed() from None


def apply_request(context: AppContext, find: Find, request: OrderRequest, now: datetime) -> Order:
    """Apply a request to an order. For a repeated request, return the order as it is.

    Raises Rejected: `unknown_order`; `order_mismatch` if the same action was done with other parameters; or a code of the
    rules.
    """
    with writing(context.database) as connection:
        order = find(connection)
        if _is_repeat(connection, order, request):
            return order
        after = _apply_transition(context, connection, order, request, now)
        if _is_free(request, after):  # a total of 0 is paid at once
            return _apply_transition(context, connection, after, OrderRequest("pay"), now)
        return after


def completion(
    content: Mapping[str, Any], damage: int, starts_at: datetime, ends_at: datetime, now: datetime
) -> OrderRequest:
    """The request that ends the service. Raises Rejected `bad_amount` for a total out of range, or damage above the payments."""
    total = total_of(content)
    if damage > sum(one["amount"] for one in content["post_payments"]):
        hint = "count it among the payments"
        raise Rejected("the damage is more than the payments", where="damage_amount", hint=hint, code="bad_amount")
    event_fields = {"total": total, "damage": damage, "starts": micros(starts_at), "ends": micros(ends_at)}
    changes = {"total": total, "starts_at": starts_at, "ends_at": ends_at, "due_at": now + PAY_WITHIN}
    return OrderRequest("complete", content, {f"event.{name}": value for name, value in event_fields.items()}, changes)


def modification(content: Mapping[str, Any]) -> OrderRequest:
    """The request to lower the total. Raises Rejected `bad_amount` for a total out of range."""
    total = total_of(content)
    return OrderRequest("modify", content, {"event.total": total}, {"total": total}, repeats=True)


def dispute(context: AppContext, find: Find, by: str, statement: str | None, now: datetime) -> Order:
    """Open a dispute of an order, or end it if `statement` is None. `by` is `merchant` or `person`.

    While a dispute is open the order does not become overdue. The party that opened a dispute may end it; payment ends it
    too. Raises Rejected: `unknown_order`, `wrong_state`, `order_mismatch` if the other party opened the dispute.
    """
    with writing(context.database) as connection:
        order = find(connection)
        opened = statement is not None
        if opened == order.disputed and (not opened or order.content["dispute"] == _dispute_content(by, statement)):
            return order
        if order.closed_at is not None or order.state == "created":
            raise _wrong_state(order, "dispute")
        if order.disputed and order.content["dispute"]["by"] != by:
            raise _order_mismatch("order", "the dispute is the other party's")
        content = {**order.content, "dispute": _dispute_content(by, statement) if opened else None}
        request = OrderRequest("dispute", {"by": by, "statement": statement})
        changes: dict[str, Any] = {"disputed": opened, "content": content}
        after = order_store.change(connection, order, request.action, request.digest, now, **changes)
        messages.enqueue_message(connection, after, "disputed" if opened else "agreed", now)
        return after


def tick(context: AppContext, name: str, now: datetime) -> bool:
    """Move an order that is due to `expired` or `overdue`. Returns whether it moved. Idempotent; a late call does no harm."""
    with writing(context.database) as connection:
        order = order_store.by_id(connection, name)
        if order.disputed or not is_due(context, order, now):
            return False
        _apply_transition(context, connection, order, OrderRequest("clock"), now)
        return True


def is_due(context: AppContext, order: Order, now: datetime) -> bool:
    """Whether time would move the order now."""
    rule_values = {**order_values(order), **state_and_event(order.state, "clock"), "event.at": micros(now)}
    return bool(move(context.evaluators.at(context.day(now)), rule_values, context.day(now)).to)


def states(context: AppContext, now: datetime) -> tuple[str, ...]:
    """The states that an order can be in under the rules in force."""
    return _lifecycle(context, now).states


def total_of(content: Mapping[str, Any]) -> int:
    """The total to pay: payments less discounts, in minor units. Raises Rejected `bad_amount` below 0 or above `MAX_TOTAL`."""
    parts = [sum(int(one["amount"]) for one in content.get(name) or ()) for name in ("post_payments", "post_discounts")]
    total = parts[0] - parts[1]
    if not 0 <= total <= MAX_TOTAL:
        hint = f"payments less discounts, from 0 to {MAX_TOTAL}"
        raise Rejected("the total is out of range", where="post_payments", hint=hint, code="bad_amount")
    return total


def digest(action: str, content: Mapping[str, Any]) -> str:
    """A digest that identifies a repeated request. SHA-256, hex."""
    return hashlib.sha256(json.dumps([action, content], sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _draft_order(connection: Connection, merchant: str, new: NewOrder, request_digest: str, now: datetime) -> Order:
    """The order before its creation, in the state `none`. Raises Rejected as `find_offer`, `over_ceiling`, `bad_time_range`."""
    offer = find_offer(connection, merchant, new.service, new.decision, now)
    if new.risk_amount > offer.waived:
        message, hint = "the amount is more than the decision waives", f"up to {offer.waived}"
        raise TransitionRejected(message, where="risk_fund.amount", hint=hint, code="over_ceiling")
    if new.starts_at and new.ends_at and new.starts_at > new.ends_at:
        message, hint = "the service ends before it begins", "start_time <= end_time"
        raise TransitionRejected(message, where="time_range", hint=hint, code="bad_time_range")
    terms = offer.service.terms
    return Order(
        id=uuid.uuid4().hex,
        merchant=merchant,
        out_order_no=new.out_order_no,
        service=new.service,
        service_version=offer.service.version,
        decision=offer.decision,
        subject=offer.subject,
        perk=offer.perk,
        currency=offer.currency,
        mode=terms.mode,
        waived=new.risk_amount,
        ceiling=new.risk_amount if terms.ceiling is None else terms.ceiling,
        state=NO_ORDER,
        created_at=now,
        changed_at=now,
        digest=request_digest,
        content=new.content,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
    )


def _is_repeat(connection: Connection, order: Order, request: OrderRequest) -> bool:
    """Whether the order had this request before. Raises Rejected `order_mismatch` if it had the action with other parameters."""
    previous = [step.digest for step in order_store.steps(connection, order) if step.action == request.action]
    if previous and request.digest not in previous and not request.repeats:
        raise _order_mismatch("order", f"the order had its `{request.action}` before, with other parameters")
    return request.digest in previous


def _apply_transition(
    context: AppContext, connection: Connection, order: Order, request: OrderRequest, now: datetime
) -> Order:
    """Move the order as the rules say, with all effects of the move. Raises TransitionRejected if the rules reject the move."""
    counts = order_store.counts(connection, order.subject)
    changes = changes_of_move(context, order, counts, request, now)
    if order.state == NO_ORDER:
        after = order_store.add(connection, order, request.digest, now, counts, **changes)
    else:
        after = order_store.change(connection, order, request.action, request.digest, now, counts, **changes)
    outcomes.record_outcome(connection, order, after, request.content.get("paid_at"), now)
    messages.enqueue_message(connection, after, messages.EVENT_NAMES.get(request.action, after.state), now)
    return after


def changes_of_move(
    context: AppContext, order: Order, counts: Counts, request: OrderRequest, now: datetime
) -> dict[str, Any]:
    """The changes of the order's columns by a request. Pure. Raises TransitionRejected if the rules reject the move."""
    _require_paid_after_completion(order, request, now)
    rule_values = _rule_values(order, counts, request, now)
    transition = move(context.evaluators.at(context.day(now)), rule_values, context.day(now))
    if not transition.to and transition.code == WRONG_STATE:
        raise _wrong_state(order, request.action)
    if not transition.to:
        raise _transition_rejected(transition.code)
    changes = {"state": transition.to, "content": {**order.content, **request.content}, **request.changes}
    if transition.to in _lifecycle(context, now).final:
        changes |= {"closed_at": now, "disputed": False}
    return changes


def _rule_values(order: Order, counts: Counts, request: OrderRequest, now: datetime) -> dict[str, Value | None]:
    """The values that the rules read: of the order, of the person's other orders, and of the request."""
    kind = "pay" if request.action == "sync" else request.action
    return {
        **order_values(order),
        **{f"person.{name}": count for name, count in counts.by_name.items()},
        **request.values,
        **state_and_event(order.state, kind),
        "event.at": micros(now),
    }


def _require_paid_after_completion(order: Order, request: OrderRequest, now: datetime) -> None:
    paid_at = request.content.get("paid_at")
    if paid_at and order.ends_at and not order.ends_at <= datetime.fromisoformat(paid_at) <= now:
        hint = f"from {iso(order.ends_at)}, when the service ended, until now"
        raise TransitionRejected(
            "the payment cannot be before the end of the service, or in the future",
            where="paid_at",
            hint=hint,
            code="bad_time_range",
        )


def _lifecycle(context: AppContext, now: datetime) -> OrderLifecycle:
    orders = context.release.at(context.day(now)).orders
    if orders is None:
        raise EngineError("the rules say nothing of orders", hint="add orders.yaml")
    return orders


def _is_free(request: OrderRequest, order: Order) -> bool:
    return request.action in ("complete", "modify") and order.total == 0


def order_values(order: Order) -> dict[str, Value | None]:
    """The values of the order that the rules read."""
    return {
        "order.mode": order.mode,
        "order.currency": order.currency,
        "order.waived": order.waived,
        "order.ceiling": order.ceiling,
        "order.total": order.total,
        "order.created": micros(order.created_at),
        "order.starts": _micros(order.starts_at),
        "order.ends": _micros(order.ends_at),
        "order.due": _micros(order.due_at),
    }


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _dispute_content(by: str, statement: str | None) -> dict[str, str | None]:
    return {"by": by, "statement": statement}


def _order_mismatch(where: str, message: str) -> Rejected:
    return Rejected(message, where=where, hint="see the order: GET /v1/orders/{out_order_no}", code="order_mismatch")


def _decision_lapsed() -> TransitionRejected:
    """The same rejection for all reasons in the person's other orders, so the merchant learns nothing about them."""
    message, hint = "the decision is no longer valid", "ask again: POST /v1/eligibility"
    return TransitionRejected(message, where="decision_id", hint=hint, code="decision_lapsed")


def _transition_rejected(code: str) -> Rejected:
    message, where, hint = REFUSALS.get(
        code, (f"the rules reject the request: `{code}`", "order", "see rules/orders.yaml")
    )
    return TransitionRejected(message, where=where, hint=hint, code=code)


def _wrong_state(order: Order, action: str) -> Rejected:
    message, hint = (
        f"`{action}` is not for an order that is `{order.state}`",
        "created, confirmed, completed, then paid",
    )
    return TransitionRejected(message, where="order", hint=hint, code=WRONG_STATE)
