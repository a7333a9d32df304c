"""The outbox of messages to merchants about their orders.

We write a message in the same transaction as the change of the order. So no message is lost, and no message reports a change
that was rolled back. `api.jobs.sender` sends the messages.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, case, func, insert, or_, select, update

from api.merchants import services
from api.orders import order_store
from api.orders.order_store import Order
from api.store.clock import iso, micros, moment
from api.store.database import Database, reading, writing
from api.store.tables import MESSAGES
from engine.errors import Rejected

# Seconds from each failed attempt to the next one, as in existing deposit-free services; after the last we give up.
RETRY_DELAYS: Final = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
LEASE: Final = timedelta(seconds=60)  # a leased message belongs to one process for this long
MAX_PER_MERCHANT: Final = 4  # concurrent messages to one merchant, so a slow merchant does not delay the others
# The event name by action; for other actions, the new state is the event name.
EVENT_NAMES: Final = {
    "create": "created",
    "confirm": "confirmed",
    "modify": "modified",
    "pay": "paid",
    "sync": "paid",
    "complete": "completed",
    "cancel": "cancelled",
}


@dataclass(frozen=True)
class Message:
    """A message and the state of its delivery."""

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
    status: int | None  # HTTP status of the last answer; None: no answer
    sent_at: datetime | None


@dataclass(frozen=True)
class OutboxCounts:
    """The callbacks that wait, the seconds since the oldest of them was written, and those that were given up."""

    waiting: int
    oldest_seconds: float
    failed: int


def count_outbox(connection: Connection, now: datetime) -> OutboxCounts:
    """Count the messages of all merchants that were not received."""
    count = func.count(), func.min(MESSAGES.c.created_at)
    waiting, oldest = connection.execute(select(*count).where(MESSAGES.c.state == "waiting")).one()
    failed = connection.execute(select(func.count()).where(MESSAGES.c.state == "failed")).scalar_one()
    return OutboxCounts(waiting, 0.0 if oldest is None else (micros(now) - oldest) / 1e6, failed)


def enqueue_message(connection: Connection, order: Order, event_name: str, now: datetime) -> None:
    """Write a message about an order, if its service has a callback URL now."""
    url = services.newest(connection, order.merchant, order.service).terms.callback
    if url is None:
        return
    event, body = message_about(order, event_name, now)
    row = {
        "id": f"msg_{uuid.uuid4().hex}",
        "merchant": order.merchant,
        "order": order.id,
        "event": event,
        "url": url,
        "body": json.dumps(body, ensure_ascii=False),
        "created_at": micros(now),
        "next_at": micros(now),
        "attempts": 0,
        "state": "waiting",
    }
    connection.execute(insert(MESSAGES).values(row))


def message_about(order: Order, event_name: str, now: datetime) -> tuple[str, dict[str, Any]]:
    """The event and the body of a message about an order."""
    event = f"order.{event_name}"
    return event, {"type": event, "timestamp": iso(now), "data": order_store.merchant_view(order)}


def lease_messages(database: Database, now: datetime, limit: int) -> list[Message]:
    """Lease at most `limit` due messages to the caller, who must send them. We give them to no other process within `LEASE`."""
    is_due = (MESSAGES.c.state == "waiting") & (MESSAGES.c.next_at <= micros(now))
    is_free = or_(MESSAGES.c.leased_until.is_(None), MESSAGES.c.leased_until <= micros(now))
    with reading(database) as connection:  # mostly no message is due; then we need no write lock
        if connection.execute(select(MESSAGES.c.id).where(is_due, is_free).limit(1)).first() is None:
            return []
    under_way_first = (case((is_free, 1), else_=0), MESSAGES.c.next_at)
    turn = func.row_number().over(partition_by=MESSAGES.c.merchant, order_by=under_way_first).label("turn")
    waiting = select(MESSAGES.c.id, MESSAGES.c.next_at, turn, is_free.label("free")).where(is_due).subquery()
    is_in_turn = waiting.c.free & (waiting.c.turn <= MAX_PER_MERCHANT)
    with writing(database) as connection:
        next_ids = select(waiting.c.id).where(is_in_turn).order_by(waiting.c.next_at).limit(limit)
        is_leased = MESSAGES.c.id.in_(list(connection.execute(next_ids).scalars()))
        connection.execute(update(MESSAGES).where(is_leased).values(leased_until=micros(now + LEASE)))
        rows = connection.execute(select(MESSAGES).where(is_leased).order_by(MESSAGES.c.next_at)).mappings()
        return [_message(row) for row in rows]


def record_attempt(connection: Connection, message: Message, status: int | None, now: datetime) -> None:
    """Record an attempt to send. `status`: HTTP status of the answer; None without an answer."""
    attempts, succeeded = message.attempts + 1, status is not None and 200 <= status < 300
    changes: dict[str, object] = {"attempts": attempts, "status": status, "leased_until": None}
    if succeeded:
        changes |= {"state": "sent", "sent_at": micros(now)}
    elif attempts > len(RETRY_DELAYS):
        changes |= {"state": "failed"}
    else:
        changes |= {"next_at": micros(now + timedelta(seconds=RETRY_DELAYS[attempts - 1]))}
    # Another process may have sent the message after our lease ended; then we count its attempt.
    is_unchanged = (MESSAGES.c.id == message.id) & (MESSAGES.c.attempts == message.attempts)
    connection.execute(update(MESSAGES).where(is_unchanged, MESSAGES.c.state == "waiting").values(changes))


def list_messages(
    database: Database, merchant: str, state: str | None, limit: int, after: str | None = None
) -> list[Message]:
    """List the merchant's newest messages, or those that follow the message `after`. Raises Rejected `unknown_callback`."""
    is_own, at = MESSAGES.c.merchant == merchant, MESSAGES.c.created_at
    query = select(MESSAGES).where(is_own).order_by(at.desc(), MESSAGES.c.id).limit(limit)
    if state is not None:
        query = query.where(MESSAGES.c.state == state)
    with reading(database) as connection:
        if after is not None:
            last = connection.execute(select(at, MESSAGES.c.id).where(is_own, MESSAGES.c.id == after)).first()
            if last is None:
                raise _unknown_callback()
            query = query.where(or_(at < last[0], and_(at == last[0], MESSAGES.c.id > last[1])))
        return [_message(row) for row in connection.execute(query).mappings()]


def list_undelivered(
    database: Database, state: str, limit: int, after: str | None = None, merchant: str | None = None
) -> list[Message]:
    """List the messages of all merchants, or of one, in a state: those first whose next or last attempt is the latest.

    `after`: the message that they follow. Raises Rejected `unknown_callback`.
    """
    condition, order = MESSAGES.c.state == state, (MESSAGES.c.next_at, MESSAGES.c.id)
    if merchant is not None:
        condition = condition & (MESSAGES.c.merchant == merchant)
    query = select(MESSAGES).where(condition).order_by(*(c.desc() for c in order)).limit(limit)
    with reading(database) as connection:
        if after is not None:
            last = connection.execute(select(*order).where(condition, MESSAGES.c.id == after)).first()
            if last is None:
                raise _unknown_callback()
            query = query.where(or_(order[0] < last[0], and_(order[0] == last[0], order[1] < last[1])))
        return [_message(row) for row in connection.execute(query).mappings()]


def resend_any(database: Database, name: str, now: datetime) -> Message:
    """Send a message of any merchant again at once, as `resend` does. Raises Rejected `unknown_callback`."""
    with reading(database) as connection:
        merchant = connection.execute(select(MESSAGES.c.merchant).where(MESSAGES.c.id == name)).scalar()
    if merchant is None:
        raise _unknown_callback()
    return resend(database, merchant, name, now)


def _unknown_callback() -> Rejected:
    return Rejected("unknown callback", where="id", hint="see GET /v1/callbacks", code="unknown_callback")


def resend(database: Database, merchant: str, name: str, now: datetime) -> Message:
    """Send a message again at once, with the full schedule of retries, to the service's present callback URL.

    Raises Rejected `unknown_callback`, also for another merchant's message.
    """
    is_own = (MESSAGES.c.id == name) & (MESSAGES.c.merchant == merchant)
    changes: dict[str, object] = {"state": "waiting", "attempts": 0, "next_at": micros(now), "leased_until": None}
    with writing(database) as connection:
        row = connection.execute(select(MESSAGES).where(is_own)).mappings().first()
        if row is None:
            raise _unknown_callback()
        order = order_store.by_id(connection, row["order"])
        url = services.newest(connection, merchant, order.service).terms.callback
        if url is not None:
            changes["url"] = url
        connection.execute(update(MESSAGES).where(is_own).values(changes))
    return _message({**row, **changes})


def _message(row: Mapping[Any, Any]) -> Message:
    return Message(
        id=row["id"],
        merchant=row["merchant"],
        order=row["order"],
        event=row["event"],
        url=row["url"],
        body=row["body"],
        created_at=moment(row["created_at"]),
        next_at=moment(row["next_at"]),
        attempts=row["attempts"],
        state=row["state"],
        status=row["status"],
        sent_at=None if row["sent_at"] is None else moment(row["sent_at"]),
    )
