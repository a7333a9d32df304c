"""Outcomes: what an order came to, as an event of the ledger, so that the score moves. In the transaction of the move itself.

`order.overdue` counts against the person. They were told before: the order is under /v1/me/orders with the day by which it must be
paid from its completion on, which is `PAY_WITHIN` before anything is reported.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from api.evidence import ledger
from api.orders.order_book import Order
from api.services import named


def tell(connection: Connection, before: Order, after: Order, paid_at: str | None, now: datetime) -> None:
    """Append the event that the move from one to the other is, if it is one."""
    if after.subject is None or before.state == after.state:
        return
    said: dict[str, Any] = {
        **{"subject": after.subject, "order": after.id, "service": named(after.merchant, after.service)},
        **({} if after.total is None else {"amount": after.total, "currency": after.currency}),
    }
    if after.state == "cancelled":
        _say(connection, after, now, "cancelled", said)
    if after.state == "overdue":
        assert after.due_at is not None  # noqa: S101 - what has no due date is never overdue
        _say(connection, after, now, "overdue", said | {"happened_at": after.due_at, "days_late": 0})
    if after.state == "settled":
        paid = datetime.fromisoformat(paid_at) if paid_at else now
        late = days_late(after, paid)
        _say(connection, after, now, "settled", said | {"happened_at": paid, "days_late": late})
        if before.state == "overdue" and not late:  # it was paid in time, which was told too late
            _take_back(connection, after, now)


def days_late(order: Order, paid: datetime) -> int:
    """How many days after its due date it was paid, one that has begun counted."""
    late = paid - (order.due_at or paid)
    return max(0, -(-late // timedelta(days=1)))


def _say(connection: Connection, order: Order, now: datetime, what: str, said: Mapping[str, Any]) -> None:
    ledger.say(connection, now, kind=f"order.{what}", event_id=_name(order, what), **said)


def _take_back(connection: Connection, order: Order, now: datetime) -> None:
    told = {"subject": order.subject, "ref_event": _name(order, "overdue")}
    ledger.say(connection, now, kind="event.retracted", event_id=_name(order, "in-time"), **told)


def _name(order: Order, what: str) -> str:
    return f"order-{order.id}-{what}"
