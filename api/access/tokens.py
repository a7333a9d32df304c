"""Tokens: issued, listed, rotated, revoked. We show a secret once and store it nowhere."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, update

from api.access.auth import OWN_PREFIX, RESERVED_PARTIES, ROLES, SCOPES, digest, forget
from api.access.identifiers import require_unambiguous
from api.evidence import erasure_tombstones
from api.store.clock import micros, moment
from api.store.database import Database, reading, writing
from api.store.tables import TOKENS
from engine.errors import Rejected

MAX_PARTY_CHARS: Final = 128
ROTATION_GRACE: Final = timedelta(hours=24)  # for which a rotated token stays valid by default
_COLUMNS: Final = tuple(TOKENS.c[c] for c in ("id", "name", "role", "party", "scopes", "replaces"))
_TIME_COLUMNS: Final = tuple(TOKENS.c[c] for c in ("created_at", "expires_at", "revoked_at", "last_used_at"))


@dataclass(frozen=True)
class TokenInfo:
    """A token as we may show it. `scopes` None: everything that the role may do."""

    id: str
    name: str
    role: str
    party: str | None  # none: the person was erased
    scopes: tuple[str, ...] | None
    replaces: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class IssuedToken:
    """A new token, with its secret."""

    secret: str
    token: TokenInfo


def issue(
    database: Database,
    role: str,
    party: str,
    name: str,
    now: datetime,
    expires: datetime | None = None,
    scopes: Collection[str] | None = None,
) -> IssuedToken:
    """A new token. Raises Rejected for an unknown role or scope, and for a party that is empty or reserved for the
    system.
    """
    check(role, party, scopes)
    if name:
        require_unambiguous(name, "name", "bad_party")
    scope_names = None if scopes is None else tuple(sorted(set(scopes)))
    with writing(database) as connection:
        if role == "subject":
            erasure_tombstones.reinstate(connection, party)
        return _store(connection, TokenInfo(secrets.token_hex(8), name, role, party, scope_names, None, now, expires))


def check(role: str, party: str, scopes: Collection[str] | None = None) -> None:
    """Raises Rejected if no caller could have these values."""
    if role not in ROLES:
        hint = f"use one of {', '.join(ROLES)}"
        raise Rejected(f"unknown role `{role[:40]}`", where="role", hint=hint, code="bad_role")
    if not party.strip() or len(party) > MAX_PARTY_CHARS:
        hint = f"name the party, in at most {MAX_PARTY_CHARS} characters"
        raise Rejected("a token speaks for someone", where="party", hint=hint, code="bad_party")
    require_unambiguous(party, "party", "bad_party")
    if party in RESERVED_PARTIES:
        raise Rejected(f"`{party}` is the house's own name", where="party", hint="choose another", code="bad_party")
    if scopes is not None and (not scopes or not set(scopes) <= set(SCOPES)):
        hint = f"use some of {', '.join(SCOPES)}, or leave them out"
        raise Rejected("a scope is a group of routes", where="scopes", hint=hint, code="bad_scope")


def rotate(
    database: Database,
    name: str,
    now: datetime,
    lifetime: timedelta | None = None,
    grace: timedelta = ROTATION_GRACE,
    max_lifetime: timedelta | None = None,
) -> IssuedToken:
    """Replace the token with the id `name` by a new one. The old one stays valid for `grace`, but not past its expiry.
    The new one has the given `lifetime` or, by default, that of the old one; at most `max_lifetime`.

    Raises Rejected if no such token is in force.
    """
    with writing(database) as connection:
        row = connection.execute(select(*_COLUMNS, *_TIME_COLUMNS).where(TOKENS.c.id == name)).one_or_none()
        old = None if row is None else _token_of(row)
        if old is None or old.revoked_at or (old.expires_at and old.expires_at <= now):
            raise no_such_token(name)
        ends = now + grace if old.expires_at is None else min(old.expires_at, now + grace)
        connection.execute(update(TOKENS).where(TOKENS.c.id == name).values(expires_at=micros(ends)))
        if lifetime is None and old.expires_at is not None:
            lifetime = old.expires_at - old.created_at
        lifetime = min((duration for duration in (lifetime, max_lifetime) if duration is not None), default=None)
        expires = None if lifetime is None else now + lifetime
        new_token = _store(
            connection,
            replace(old, id=secrets.token_hex(8), replaces=name, created_at=now, expires_at=expires, last_used_at=None),
        )
    forget(database)
    return new_token


def revoke(database: Database, name: str, now: datetime) -> int:
    """Revoke every token of that id or name that is not revoked yet. Returns their number."""
    return _revoke(database, or_(TOKENS.c.id == name, TOKENS.c.name == name), now)


def revoke_one(database: Database, name: str, now: datetime) -> None:
    """Revoke the token of that id, unless it is revoked. Raises Rejected if it does not exist."""
    if not _revoke(database, TOKENS.c.id == name, now):
        with reading(database) as connection:
            if connection.execute(select(TOKENS.c.id).where(TOKENS.c.id == name)).first() is None:
                raise no_such_token(name)


def no_such_token(name: str) -> Rejected:
    """The same error for an unknown and for a revoked token."""
    hint = "see `iftah token list`, or GET /v1/tokens"
    return Rejected(f"no token `{name[:60]}` is in force", where="token", hint=hint, code="no_such_token")


def list_tokens(
    database: Database,
    *,
    role: str | None = None,
    party: str | None = None,
    after: str | None = None,
    limit: int | None = None,
    without_role: str | None = None,
) -> list[TokenInfo]:
    """List tokens of the role and party, oldest first, without secrets: those after the id `after`, at most `limit`.

    `without_role`: leave out the tokens of this role.
    """
    order = (TOKENS.c.created_at, TOKENS.c.id)
    query = select(*_COLUMNS, *_TIME_COLUMNS).order_by(*order).limit(limit)
    if role is not None:
        query = query.where(TOKENS.c.role == role)
    if party is not None:
        query = query.where(TOKENS.c.party == party)
    if without_role is not None:
        query = query.where(TOKENS.c.role != without_role)
    with reading(database) as connection:
        if after is not None:
            last = connection.execute(select(*order).where(TOKENS.c.id == after)).one_or_none()
            if last is None:
                raise no_such_token(after)
            later = and_(TOKENS.c.created_at == last.created_at, TOKENS.c.id > last.id)
            query = query.where(or_(TOKENS.c.created_at > last.created_at, later))
        return [_token_of(row) for row in connection.execute(query)]


def _revoke(database: Database, condition: ColumnElement[bool], now: datetime) -> int:
    change = update(TOKENS).where(condition, TOKENS.c.revoked_at.is_(None)).values(revoked_at=micros(now))
    with writing(database) as connection:
        count = connection.execute(change).rowcount
    forget(database)
    return count


def _store(connection: Connection, token: TokenInfo) -> IssuedToken:
    secret = OWN_PREFIX + secrets.token_urlsafe(32)
    row = insert(TOKENS).values(
        id=token.id,
        name=token.name,
        role=token.role,
        party=token.party,
        digest=digest(secret),
        scopes=None if token.scopes is None else ",".join(token.scopes),
        replaces=token.replaces,
        created_at=micros(token.created_at),
        expires_at=None if token.expires_at is None else micros(token.expires_at),
    )
    connection.execute(row)
    return IssuedToken(secret, token)


def _token_of(row: Row[Any]) -> TokenInfo:
    return TokenInfo(
        id=row.id,
        name=row.name,
        role=row.role,
        party=row.party,
        scopes=None if row.scopes is None else tuple(row.scopes.split(",")),
        replaces=row.replaces,
        created_at=moment(row.created_at),
        expires_at=_moment(row.expires_at),
        revoked_at=_moment(row.revoked_at),
        last_used_at=_moment(row.last_used_at),
    )


def _moment(time: int | None) -> datetime | None:
    return None if time is None else moment(time)
