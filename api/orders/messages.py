"""Messages to merchants about their orders: an outbox. A message is written in the transaction of the change that it tells of,
so that none is lost and none tells of what did not happen; sending is `api.background.sender`'s.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, and_, case, func, insert, or_, select, update

from api import services
from api.clock import iso, micros, moment
from api.database import reading, writing
from api.orders import order_book
from api.orders.order_book import Order
from api.tables import MESSAGES
from engine.errors import Refused

# Seconds from each failure to the next attempt, as merchants know them from today's services; then it is given up.
SCHEDULE: Final = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
LEASE: Final = timedelta(seconds=60)  # for which messages are one process's to send
MOST_OF_ONE: Final = 4  # messages under way to one merchant: one that hangs keeps nobody waiting
# What an action is told as; where it is not here, by the state that it led to.
EVENT: Final = {"create": "created", "confirm": "confirmed", "modify": "modified", "pay": "paid", "sync": "paid"} | {
    "complete": "completed",
    "cancel": "cancelled",
}


@dataclass(frozen=True)
class Message:
    """A message and how far it has come."""

    id: str
    merchant: str
    order: str
    event: str
    url: str
    body: str
    created_at: datetime
    next_at: datetime
    attempts: int
    state: str  # waiting, sent, failed
    status: int | None  # of the last answer
    sent_at: datetime | None


def put(connection: Connection, order: Order, what: str, now: datetime) -> None:
    """Write a message about an order, if its service has an address for them now."""
    url = services.newest(connection, order.merchant, order.service).terms.callback
    if url is None:
        return
    event = f"order.{what}"
    body = {"type": event, "timestamp": iso(now), "data": order_book.told(order)}
    row = {
        **{"id": f"msg_{uuid.uuid4().hex}", "merchant": order.merchant, "order": order.id, "event": event, "url": url},
        **{"body": json.dumps(body, ensure_ascii=False), "created_at": micros(now), "next_at": micros(now)},
        **{"attempts": 0, "state": "waiting"},
    }
    connection.execute(insert(MESSAGES).values(row))


def take(engine: Engine, now: datetime, most: int) -> list[Message]:
    """So many messages whose time has come, to be sent by whoever takes them: nobody else does within `LEASE`."""
    due = (MESSAGES.c.state == "waiting") & (MESSAGES.c.next_at <= micros(now))
    free = or_(MESSAGES.c.leased_until.is_(None), MESSAGES.c.leased_until <= micros(now))
    with reading(engine) as connection:  # mostly there is nothing, and writers need not wait for that
        if connection.execute(select(MESSAGES.c.id).where(due, free).limit(1)).first() is None:
            return []
    under_way_first = (case((free, 1), else_=0), MESSAGES.c.next_at)
    turn = func.row_number().over(partition_by=MESSAGES.c.merchant, order_by=under_way_first).label("turn")
    waiting = select(MESSAGES.c.id, MESSAGES.c.next_at, turn, free.label("free")).where(due).subquery()
    turns = waiting.c.free & (waiting.c.turn <= MOST_OF_ONE)
    with writing(engine) as connection:
        first = select(waiting.c.id).where(turns).order_by(waiting.c.next_at).limit(most)
        taken = MESSAGES.c.id.in_(list(connection.execute(first).scalars()))
        connection.execute(update(MESSAGES).where(taken).values(leased_until=micros(now + LEASE)))
        rows = connection.execute(select(MESSAGES).where(taken).order_by(MESSAGES.c.next_at)).mappings()
        return [_message(row) for row in rows]


def done(connection: Connection, message: Message, status: int | None, now: datetime) -> None:
    """Write down what came of sending it: `status` of the answer, None when there was none."""
    attempts, ok = message.attempts + 1, status is not None and 200 <= status < 300
    what: dict[str, Any] = {"attempts": attempts, "status": status, "leased_until": None}
    if ok:
        what |= {"state": "sent", "sent_at": micros(now)}
    elif attempts > len(SCHEDULE):
        what |= {"state": "failed"}
    else:
        what |= {"next_at": micros(now + timedelta(seconds=SCHEDULE[attempts - 1]))}
    mine = (MESSAGES.c.id == message.id) & (
        MESSAGES.c.attempts == message.attempts
    )  # unless another's lease came between
    connection.execute(update(MESSAGES).where(mine, MESSAGES.c.state == "waiting").values(what))


def listed(engine: Engine, merchant: str, state: str | None, limit: int, after: str | None = None) -> list[Message]:
    """The merchant's newest messages, or those next after one of them. Raises Refused for an `after` that is not one."""
    own, at = MESSAGES.c.merchant == merchant, MESSAGES.c.created_at
    query = select(MESSAGES).where(own).order_by(at.desc(), MESSAGES.c.id).limit(limit)
    if state is not None:
        query = query.where(MESSAGES.c.state == state)
    with reading(engine) as connection:
        if after is not None:
            last = connection.execute(select(at, MESSAGES.c.id).where(own, MESSAGES.c.id == after)).first()
            if last is None:
                raise _unknown()
            query = query.where(or_(at < last[0], and_(at == last[0], MESSAGES.c.id > last[1])))
        return [_message(row) for row in connection.execute(query).mappings()]


def _unknown() -> Refused:
    return Refused("unknown callback", where="id", hint="see GET /v1/callbacks", code="unknown_callback")


def resend(engine: Engine, merchant: str, name: str, now: datetime) -> Message:
    """The message, to be sent at once and by the whole schedule anew, to where the service's messages go by now.

    Raises Refused for none, or another merchant's.
    """
    mine = (MESSAGES.c.id == name) & (MESSAGES.c.merchant == merchant)
    anew: dict[str, Any] = {"state": "waiting", "attempts": 0, "next_at": micros(now), "leased_until": None}
    with writing(engine) as connection:
        row = connection.execute(select(MESSAGES).where(mine)).mappings().first()
        if row is None:
            raise _unknown()
        order = order_book.by_id(connection, row["order"])
        url = services.newest(connection, merchant, order.service).terms.callback
        if url is not None:
            anew["url"] = url
        connection.execute(update(MESSAGES).where(mine).values(anew))
    return _message({**row, **anew})


def _message(row: Mapping[Any, Any]) -> Message:
    values = {f.name: row[f.name] for f in fields(Message)}
    times = {c: None if row[c] is None else moment(row[c]) for c in ("created_at", "next_at", "sent_at")}
    return Message(**values | times)
