"""Callback keys: the secrets by which a merchant knows that a callback is from here. After a rotation both sign for a while."""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, insert, or_, select, update

from api.clock import micros
from api.database import reading, writing
from api.tables import CALLBACK_KEYS

GRACE: Final = timedelta(hours=24)  # that a secret which was rotated still signs
PREFIX: Final = "whsec_"  # as Standard Webhooks has it


def current(connection: Connection, merchant: str, now: datetime) -> list[str]:
    """The merchant's secrets by which callbacks are signed now, newest first.

    The first is made when it is needed, so `connection` is that of a write transaction, unless there is one already.
    """
    query = select(CALLBACK_KEYS.c.secret).where(
        CALLBACK_KEYS.c.merchant == merchant,
        or_(CALLBACK_KEYS.c.ends_at.is_(None), CALLBACK_KEYS.c.ends_at > micros(now)),
    )
    found = list(connection.execute(query.order_by(CALLBACK_KEYS.c.number.desc())).scalars())
    return found or [_made(connection, merchant, 1, now)]


def kept(engine: Engine, merchant: str, now: datetime) -> list[str]:
    """The same, in a transaction of its own."""
    with reading(engine) as connection:
        any_ = connection.execute(select(CALLBACK_KEYS.c.number).where(CALLBACK_KEYS.c.merchant == merchant)).first()
        if any_ is not None:
            return current(connection, merchant, now)
    with writing(engine) as connection:
        return current(connection, merchant, now)


def rotated(engine: Engine, merchant: str, now: datetime) -> list[str]:
    """The merchant's secrets after a new one was made: that one, and those before, each until a day
    after it was rotated."""
    mine = CALLBACK_KEYS.c.merchant == merchant
    with writing(engine) as connection:
        current(connection, merchant, now)
        newest = connection.execute(select(CALLBACK_KEYS.c.number).where(mine).order_by(CALLBACK_KEYS.c.number.desc()))
        number = newest.scalars().first() or 0
        last = update(CALLBACK_KEYS).where(mine, CALLBACK_KEYS.c.number == number)
        connection.execute(last.values(ends_at=micros(now + GRACE)))
        _made(connection, merchant, number + 1, now)
        return current(connection, merchant, now)


def _made(connection: Connection, merchant: str, number: int, now: datetime) -> str:
    secret = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    row = {"merchant": merchant, "number": number, "secret": secret, "created_at": micros(now)}
    connection.execute(insert(CALLBACK_KEYS).values(row))
    return secret
