"""Outcomes: append the result of an order to the ledger, so that we count it in the score.

We append the event in the transaction of the move. `order.overdue` counts against the person. We warn the person before:
from its completion on, we list the order under /v1/me/orders with its due date, which is `PAY_WITHIN` ahead.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, exists

from api.evidence import ledger
from api.merchants.services import service_name
from api.orders.order_store import Order
from api.store.tables import EVENTS, ORDERS

_IN_TIME: Final = "in-time"  # the event by which we take an `overdue` back


def record_outcome(connection: Connection, before: Order, after: Order, paid_at: str | None, now: datetime) -> None:
    """Append the events of the move from `before` to `after`, if the move has an outcome."""
    if after.subject is None or before.state == after.state:
        return
    event_fields: dict[str, object] = {
        "subject": after.subject,
        "order": after.id,
        "service": service_name(after.merchant, after.service),
    }
    if after.total is not None:
        event_fields |= {"amount": after.total, "currency": after.currency}
    if after.state == "cancelled":
        _append_event(connection, after, now, "cancelled", event_fields)
    if after.state == "overdue":
        assert after.due_at is not None  # noqa: S101 - an order without due date never becomes overdue
        _append_event(connection, after, now, "overdue", event_fields | {"happened_at": after.due_at, "days_late": 0})
    if after.state == "settled":
        settled_at = datetime.fromisoformat(paid_at) if paid_at else now
        late_days = days_late(after, settled_at)
        _append_event(
            connection, after, now, "settled", event_fields | {"happened_at": settled_at, "days_late": late_days}
        )
        if before.state == "overdue" and not late_days:  # the payment was in time, and we heard of it too late
            _retract_overdue(connection, after, now)


def days_late(order: Order, paid_at: datetime) -> int:
    """The number of days, begun days included, from the due date to the payment; 0 in time."""
    delay = paid_at - (order.due_at or paid_at)
    return max(0, -(-delay // timedelta(days=1)))


def _append_event(
    connection: Connection, order: Order, now: datetime, outcome: str, event_fields: Mapping[str, object]
) -> None:
    ledger.append_system_event(
        connection, now, kind=f"order.{outcome}", event_id=_event_id(order, outcome), **event_fields
    )


def _retract_overdue(connection: Connection, order: Order, now: datetime) -> None:
    event_fields = {"subject": order.subject, "ref_event": _event_id(order, "overdue")}
    ledger.append_system_event(
        connection, now, kind="event.retracted", event_id=_event_id(order, _IN_TIME), **event_fields
    )


def was_paid_in_time() -> ColumnElement[bool]:
    """The condition on a row of `orders` that it became overdue by mistake: we heard too late of a payment in time."""
    event_id = "order-" + ORDERS.c.id + "-" + _IN_TIME
    return exists().where(EVENTS.c.contributor == ledger.SYSTEM_CONTRIBUTOR, EVENTS.c.event_id == event_id)


def _event_id(order: Order, outcome: str) -> str:
    return f"order-{order.id}-{outcome}"
