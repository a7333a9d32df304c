"""Tokens: who calls, in which role, for which party. Only a hash of each is kept, so that no copy of the database is a key."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, insert, select, update

from api.clock import micros, moment
from api.database import reading, writing
from api.tables import TOKENS
from engine.errors import Refused

ROLES: Final = ("merchant", "contributor", "subject", "operator", "approver", "supervisor", "admin")
RESERVED: Final = ("operator", "iftah")  # who asks by the command line, and the house itself
PREFIX: Final = "iftah_"  # so that scanners for leaked keys know one


@dataclass(frozen=True)
class Caller:
    """Whom a token speaks for."""

    token: str  # its id, not the secret
    role: str
    party: str


def issue(engine: Engine, role: str, party: str, name: str, now: datetime, expires: datetime | None = None) -> str:
    """A new token's secret: shown once, kept nowhere. Raises Refused for an unknown role or an empty party."""
    if role not in ROLES:
        raise Refused(f"unknown role `{role}`", where="role", hint=f"use one of {', '.join(ROLES)}", code="bad_role")
    if not party.strip():
        raise Refused("a token speaks for someone", where="party", hint="name the party", code="bad_party")
    if party in RESERVED:
        raise Refused(f"`{party}` is the house's own name", where="party", hint="choose another", code="bad_party")
    secret = PREFIX + secrets.token_urlsafe(32)
    row = {
        **{"id": secrets.token_hex(8), "name": name, "role": role, "party": party, "digest": _digest(secret)},
        **{"created_at": micros(now), "expires_at": micros(expires) if expires else None},
    }
    with writing(engine) as connection:
        connection.execute(insert(TOKENS).values(row))
    return secret


def caller(engine: Engine, secret: str, now: datetime) -> Caller:
    """Whom the secret speaks for. Raises Refused when it is unknown, expired or revoked: which is not told."""
    query = select(TOKENS).where(TOKENS.c.digest == _digest(secret))
    with reading(engine) as connection:
        row = connection.execute(query).mappings().first()
    if row is None or row["revoked_at"] is not None or (row["expires_at"] or micros(now) + 1) <= micros(now):
        raise Refused("the token is not valid", where="Authorization", hint="ask for a new one", code="bad_token")
    return Caller(row["id"], row["role"], row["party"])


def revoke(engine: Engine, name: str, now: datetime) -> int:
    """End every token of that id or name that is not ended yet; how many that were."""
    known = (TOKENS.c.id == name) | (TOKENS.c.name == name)
    change = update(TOKENS).where(known, TOKENS.c.revoked_at.is_(None))
    with writing(engine) as connection:
        return connection.execute(change.values(revoked_at=micros(now))).rowcount


@dataclass(frozen=True)
class Listed:
    """A token as it may be shown."""

    id: str
    name: str
    role: str
    party: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def listed(engine: Engine) -> list[Listed]:
    """Every token, oldest first; never a secret."""
    columns = ("id", "name", "role", "party", "created_at", "expires_at", "revoked_at")
    with reading(engine) as connection:
        rows = connection.execute(select(*(TOKENS.c[c] for c in columns)).order_by(TOKENS.c.created_at)).all()
    return [Listed(*r[:4], *(None if t is None else moment(t) for t in r[4:])) for r in rows]


def _digest(secret: str) -> str:
    # A random 256-bit secret needs no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()
