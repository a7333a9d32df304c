"""Callback keys: the secrets with which we sign callbacks, so that a merchant knows our messages. For a while after a
rotation we sign with both.
"""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, insert, or_, select, update

from api.store.clock import micros
from api.store.database import Database, reading, writing
from api.store.tables import CALLBACK_KEYS

ROTATION_GRACE: Final = timedelta(hours=24)  # for which we still sign with a rotated secret
WEBHOOK_PREFIX: Final = "whsec_"  # as Standard Webhooks specifies


def current_secrets(connection: Connection, merchant: str, now: datetime) -> list[str]:
    """The merchant's secrets with which we sign callbacks now, newest first.

    We make the first one when you need it, so `connection` must be that of a write transaction, unless a secret exists.
    """
    query = select(CALLBACK_KEYS.c.secret).where(
        CALLBACK_KEYS.c.merchant == merchant,
        or_(CALLBACK_KEYS.c.ends_at.is_(None), CALLBACK_KEYS.c.ends_at > micros(now)),
    )
    values = list(connection.execute(query.order_by(CALLBACK_KEYS.c.number.desc())).scalars())
    return values or [_create(connection, merchant, 1, now)]


def ensure_secrets(database: Database, merchant: str, now: datetime) -> list[str]:
    """The same, in a separate transaction."""
    with reading(database) as connection:
        existing = connection.execute(
            select(CALLBACK_KEYS.c.number).where(CALLBACK_KEYS.c.merchant == merchant)
        ).first()
        if existing is not None:
            return current_secrets(connection, merchant, now)
    with writing(database) as connection:
        return current_secrets(connection, merchant, now)


def rotate(database: Database, merchant: str, now: datetime) -> list[str]:
    """Make a new secret. Returns it and the earlier ones that we still use: each until a day after its rotation."""
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
