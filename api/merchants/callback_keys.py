"""Callback keys: the secrets by which a merchant knows that a callback is from here. After a rotation both sign for a while."""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, insert, or_, select, update

from api.store.clock import micros
from api.store.database import Database, reading, writing
from api.store.tables import CALLBACK_KEYS

ROTATION_GRACE: Final = timedelta(hours=24)  # that a secret which was rotated still signs
WEBHOOK_PREFIX: Final = "whsec_"  # as Standard Webhooks has it


def current_secrets(connection: Connection, merchant: str, now: datetime) -> list[str]:
    """The merchant's secrets by which callbacks are signed now, newest first.

    The first is made when it is needed, so `connection` is that of a write transaction, unless there is one already.
    """
    query = select(CALLBACK_KEYS.c.secret).where(
        CALLBACK_KEYS.c.merchant == merchant,
        or_(CALLBACK_KEYS.c.ends_at.is_(None), CALLBACK_KEYS.c.ends_at > micros(now)),
    )
    values = list(connection.execute(query.order_by(CALLBACK_KEYS.c.number.desc())).scalars())
    return values or [_create(connection, merchant, 1, now)]


def ensure_secrets(database: Database, merchant: str, now: datetime) -> list[str]:
    """The same, in a transaction of its own."""
    with reading(database) as connection:
        existing = connection.execute(
            select(CALLBACK_KEYS.c.number).where(CALLBACK_KEYS.c.merchant == merchant)
        ).first()
        if existing is not None:
            return current_secrets(connection, merchant, now)
    with writing(database) as connection:
        return current_secrets(connection, merchant, now)


def rotate(database: Database, merchant: str, now: datetime) -> list[str]:
    """The merchant's secrets after a new one was made: that one, and those before, each until a day
    after it was rotated."""
    of_merchant = CALLBACK_KEYS.c.merchant == merchant
    with writing(database) as connection:
        current_secrets(connection, merchant, now)
        newest = connection.execute(
            select(CALLBACK_KEYS.c.number).where(of_merchant).order_by(CALLBACK_KEYS.c.number.desc())
        )
        number = newest.scalars().first() or 0
        last = update(CALLBACK_KEYS).where(of_merchant, CALLBACK_KEYS.c.number == number)
        connection.execute(last.values(ends_at=micros(now + ROTATION_GRACE)))
        _create(connection, merchant, number + 1, now)
        return current_secrets(connection, merchant, now)


def _create(connection: Connection, merchant: str, number: int, now: datetime) -> str:
    secret = WEBHOOK_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    row = {"merchant": merchant, "number": number, "secret": secret, "created_at": micros(now)}
    connection.execute(insert(CALLBACK_KEYS).values(row))
    return secret
