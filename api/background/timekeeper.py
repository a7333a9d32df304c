"""Timekeeper: orders that nobody confirms expire, and what is not paid in time is overdue, by the clock.

Every server does it, and `iftah clock` once. Each order is looked at again and moved in a transaction of its own: late, twice or by
two servers at once is the same as once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from fastapi import FastAPI
from sqlalchemy import ColumnElement, or_, select

from api import clock
from api.background.rounds import in_rounds
from api.clock import micros
from api.database import reading
from api.orders import orders
from api.orders.order_book import Order, of_rows
from api.tables import ORDERS
from api.world import World

EVERY: Final = 1.0  # seconds between looks
MOST: Final = 50  # orders looked at together


@contextmanager
def keeping_time(app: FastAPI) -> Iterator[None]:
    """Move what time moves, until the end."""
    with in_rounds("orders by the clock", EVERY, lambda: keep_time(app.state.world, clock.now())):
        yield


def keep_time(world: World, now: datetime) -> int:
    """Move every order that time moves at `now`; how many that were.

    The oldest are looked at first. When none of them is ripe the younger are not either.
    """
    due = ORDERS.c.due_at
    waiting = ORDERS.c.state == "created"
    unpaid = (ORDERS.c.state == "due") & or_(due.is_(None), due <= micros(now)) & ORDERS.c.disputed.is_(False)
    return _all_of(world, waiting, ORDERS.c.created_at, now) + _all_of(world, unpaid, due, now)


def _all_of(world: World, which: ColumnElement[bool], age: ColumnElement[int], now: datetime) -> int:
    moved = 0
    while True:
        ripe = [order for order in _oldest(world, which, age) if orders.ripe(world, order, now)]
        done = sum(orders.tick(world, order.id, now) for order in ripe)
        moved += done
        if not done:
            return moved


def _oldest(world: World, which: ColumnElement[bool], age: ColumnElement[int]) -> list[Order]:
    query = select(ORDERS).where(which).order_by(age, ORDERS.c.id).limit(MOST)
    with reading(world.database) as connection:
        return of_rows(connection.execute(query))
