"""Move orders by the clock: an unconfirmed order expires, an unpaid order becomes overdue.

Every server does this all the time; `iftah orders tick` does it once. We read each order again and move it in a transaction of its
own, so a late run, a second run or two servers at once lead to the same state.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, or_, select

from api.jobs.periodic import periodic_task
from api.jobs.watermarks import GetMarks, unknown
from api.orders import orders
from api.orders.order_store import Order, of_rows
from api.runtime.context import AppContext
from api.store import clock
from api.store.clock import micros
from api.store.database import reading
from api.store.tables import ORDERS

INTERVAL_SECONDS: Final = 1.0  # between looks
BATCH_SIZE: Final = 50  # orders looked at together


@contextmanager
def ticking_orders(
    context: Callable[[], AppContext], marks: GetMarks = unknown, interval: float | None = None
) -> Iterator[None]:
    """Move orders by the clock as long as the server runs. `interval`: seconds between looks."""

    def tick() -> None:
        newest = marks()
        if newest is None or newest.orders:
            tick_orders(context(), clock.now())

    with periodic_task("orders by the clock", INTERVAL_SECONDS if interval is None else interval, tick):
        yield


def tick_orders(context: AppContext, now: datetime) -> int:
    """Expire and mark overdue every order that is due at `now`. Returns the number of orders moved.

    We look at the oldest orders first: if none of them is due, no younger one is.
    """
    due = ORDERS.c.due_at
    unconfirmed = ORDERS.c.state == "created"
    unpaid = (ORDERS.c.state == "due") & or_(due.is_(None), due <= micros(now)) & ORDERS.c.disputed.is_(False)
    return _tick_all(context, unconfirmed, ORDERS.c.created_at, now) + _tick_all(context, unpaid, due, now)


def _tick_all(context: AppContext, condition: ColumnElement[bool], age: ColumnElement[int], now: datetime) -> int:
    total = 0
    while True:
        due = [order for order in _oldest_orders(context, condition, age) if orders.is_due(context, order, now)]
        count = sum(orders.tick(context, order.id, now) for order in due)
        total += count
        if not count:
            return total


def _oldest_orders(context: AppContext, condition: ColumnElement[bool], age: ColumnElement[int]) -> list[Order]:
    query = select(ORDERS).where(condition).order_by(age, ORDERS.c.id).limit(BATCH_SIZE)
    with reading(context.database) as connection:
        return of_rows(connection.execute(query))
