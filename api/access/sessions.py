"""Sessions: people who sign in with a browser. The cookie holds a secret; we keep its SHA-256 and what it stands for.

A session of one of our tokens ends with the token. Each sign-in makes a new secret, so a secret that somebody planted in a
browser stands for nobody. A form that writes sends the session's `csrf` back.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, delete, insert, select, update

from api.access.auth import OIDC_ID_PREFIX, Caller, digest
from api.store.clock import micros, moment
from api.store.database import Database, reading, writing
from api.store.tables import SESSIONS, SIGN_INS, TOKENS

LIFETIME: Final = timedelta(hours=12)
ISSUED_LIFETIME: Final = timedelta(hours=1)  # of another issuer's person, whose dismissal we do not learn of
IDLE: Final = timedelta(hours=2)  # without a request a session ends
SEEN_STEP: Final = timedelta(minutes=5)  # how exactly we keep the time of the last request
CONFIRMATION: Final = timedelta(minutes=5)  # for which a proof of who you are lets you release rules
TICKET_LIFETIME: Final = timedelta(minutes=30)


@dataclass(frozen=True)
class Session:
    """A session in force. `csrf` goes into the forms of its pages."""

    digest: str
    caller: Caller
    csrf: str
    confirmed_at: datetime
    ends_at: datetime

    def is_confirmed(self, now: datetime) -> bool:
        """Whether the person proved lately to be the holder."""
        return now - self.confirmed_at <= CONFIRMATION


def open_session(database: Database, caller: Caller, now: datetime) -> str:
    """Open a session for a caller, and return the secret for its cookie. Sessions that are over are deleted."""
    is_issued = caller.token.startswith(OIDC_ID_PREFIX)
    secret = secrets.token_urlsafe(32)
    row = {
        "digest": digest(secret),
        "token": None if is_issued else caller.token,
        "role": caller.role,
        "party": caller.party,
        "csrf": secrets.token_urlsafe(24),
        "created_at": micros(now),
        "seen_at": micros(now),
        "confirmed_at": micros(now),
        "ends_at": micros(now + (ISSUED_LIFETIME if is_issued else LIFETIME)),
    }
    with writing(database) as connection:
        connection.execute(delete(SESSIONS).where(SESSIONS.c.ends_at <= micros(now)))
        connection.execute(insert(SESSIONS).values(row))
    return secret


def find_session(database: Database, secret: str, now: datetime) -> Session | None:
    """The session of a cookie; None when it is unknown or over, or its token is."""
    query = (
        select(SESSIONS, TOKENS.c.scopes, TOKENS.c.revoked_at, TOKENS.c.expires_at)
        .select_from(SESSIONS.outerjoin(TOKENS, SESSIONS.c.token == TOKENS.c.id))
        .where(SESSIONS.c.digest == digest(secret))
    )
    with reading(database) as connection:
        row = connection.execute(query).mappings().first()
    if row is None or not _is_in_force(row, now):
        return None
    if now - moment(row["seen_at"]) > SEEN_STEP:
        with writing(database) as connection:
            change = update(SESSIONS).where(SESSIONS.c.digest == row["digest"]).values(seen_at=micros(now))
            connection.execute(change)
    scopes = None if row["scopes"] is None else frozenset(row["scopes"].split(","))
    token = row["token"] or f"{OIDC_ID_PREFIX}-{row['digest'][:16]}"
    caller = Caller(token, row["role"], row["party"], scopes)
    return Session(row["digest"], caller, row["csrf"], moment(row["confirmed_at"]), moment(row["ends_at"]))


def _is_in_force(row: RowMapping, now: datetime) -> bool:
    at = micros(now)
    is_token_over = row["token"] is not None and (
        row["revoked_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= at)
    )
    return not is_token_over and row["ends_at"] > at and now - moment(row["seen_at"]) <= IDLE


def confirm(database: Database, session: Session, now: datetime) -> None:
    """Record that the person proved again to be the holder."""
    with writing(database) as connection:
        change = update(SESSIONS).where(SESSIONS.c.digest == session.digest).values(confirmed_at=micros(now))
        connection.execute(change)


def close_session(database: Database, secret: str) -> None:
    """End a session. Nothing happens when there is none."""
    with writing(database) as connection:
        connection.execute(delete(SESSIONS).where(SESSIONS.c.digest == digest(secret)))


def begin_sign_in(
    database: Database, kind: str, content: Mapping[str, Any], now: datetime, lifetime: timedelta = TICKET_LIFETIME
) -> str:
    """Store what a sign-in needs for its completion, and return the secret by which it is completed, once."""
    secret = secrets.token_urlsafe(32)
    row = {"digest": digest(secret), "kind": kind, "content": json.dumps(content), "ends_at": micros(now + lifetime)}
    with writing(database) as connection:
        connection.execute(delete(SIGN_INS).where(SIGN_INS.c.ends_at <= micros(now)))
        connection.execute(insert(SIGN_INS).values(row))
    return secret


def complete_sign_in(database: Database, kind: str, secret: str, now: datetime) -> dict[str, Any] | None:
    """What `begin_sign_in` stored under this secret, the first time somebody asks; None when it is used up or over."""
    of_secret = (SIGN_INS.c.digest == digest(secret)) & (SIGN_INS.c.kind == kind)
    with writing(database) as connection:
        row = connection.execute(select(SIGN_INS.c.content, SIGN_INS.c.ends_at).where(of_secret)).one_or_none()
        if row is None or not connection.execute(delete(SIGN_INS).where(of_secret)).rowcount:
            return None
    content: dict[str, Any] = json.loads(row.content)
    return content if row.ends_at > micros(now) else None
