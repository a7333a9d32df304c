"""Tokens: issued, listed, rotated, revoked. A secret is shown once and kept nowhere."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, and_, insert, or_, select, update

from api.access.auth import PREFIX, RESERVED, ROLES, SCOPES, digest, forget
from api.clock import micros, moment
from api.database import reading, writing
from api.evidence import departed
from api.identifiers import unambiguous
from api.tables import TOKENS
from engine.errors import Refused

LONGEST_PARTY: Final = 128
GRACE: Final = timedelta(hours=24)  # that a token which was rotated stays valid, if nothing else is said
_SHOWN: Final = tuple(TOKENS.c[c] for c in ("id", "name", "role", "party", "scopes", "replaces"))
_TIMES: Final = tuple(TOKENS.c[c] for c in ("created_at", "expires_at", "revoked_at", "last_used_at"))


@dataclass(frozen=True)
class Listed:
    """A token as it may be shown. `scopes` None: all that the role may do."""

    id: str
    name: str
    role: str
    party: str | None  # none: the person has left
    scopes: tuple[str, ...] | None
    replaces: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class Issued:
    """A new token, with its secret."""

    secret: str
    token: Listed


def issue(
    engine: Engine,
    role: str,
    party: str,
    name: str,
    now: datetime,
    expires: datetime | None = None,
    scopes: Collection[str] | None = None,
) -> Issued:
    """A new token. Raises Refused for an unknown role or scope, and for a party that is empty or the house's own."""
    check(role, party, scopes)
    if name:
        unambiguous(name, "name", "bad_party")
    kept = None if scopes is None else tuple(sorted(set(scopes)))
    with writing(engine) as connection:
        if role == "subject":
            departed.come_back(connection, party)
        return _made(connection, Listed(secrets.token_hex(8), name, role, party, kept, None, now, expires))


def check(role: str, party: str, scopes: Collection[str] | None = None) -> None:
    """Raises Refused when nobody could be a caller like that."""
    if role not in ROLES:
        hint = f"use one of {', '.join(ROLES)}"
        raise Refused(f"unknown role `{role[:40]}`", where="role", hint=hint, code="bad_role")
    if not party.strip() or len(party) > LONGEST_PARTY:
        hint = f"name the party, in at most {LONGEST_PARTY} characters"
        raise Refused("a token speaks for someone", where="party", hint=hint, code="bad_party")
    unambiguous(party, "party", "bad_party")
    if party in RESERVED:
        raise Refused(f"`{party}` is the house's own name", where="party", hint="choose another", code="bad_party")
    if scopes is not None and (not scopes or not set(scopes) <= set(SCOPES)):
        hint = f"use some of {', '.join(SCOPES)}, or leave them out"
        raise Refused("a scope is a group of routes", where="scopes", hint=hint, code="bad_scope")


def rotated(
    engine: Engine,
    name: str,
    now: datetime,
    lasts: timedelta | None = None,
    grace: timedelta = GRACE,
    longest: timedelta | None = None,
) -> Issued:
    """A new token in the place of that of the id `name`, which stays valid for `grace`, never for longer than it was to.
    Unless it is said how long the new one `lasts`, it does as long as the old one was to; never longer than `longest`.

    Raises Refused when no such token is in force.
    """
    with writing(engine) as connection:
        row = connection.execute(select(*_SHOWN, *_TIMES).where(TOKENS.c.id == name)).one_or_none()
        before = None if row is None else _listed(row)
        if before is None or before.revoked_at or (before.expires_at and before.expires_at <= now):
            raise no_such_token(name)
        ends = now + grace if before.expires_at is None else min(before.expires_at, now + grace)
        connection.execute(update(TOKENS).where(TOKENS.c.id == name).values(expires_at=micros(ends)))
        if lasts is None and before.expires_at is not None:
            lasts = before.expires_at - before.created_at
        lasts = min((given for given in (lasts, longest) if given is not None), default=None)
        expires = None if lasts is None else now + lasts
        issued = _made(
            connection,
            replace(
                before, id=secrets.token_hex(8), replaces=name, created_at=now, expires_at=expires, last_used_at=None
            ),
        )
    forget(engine)
    return issued


def revoke(engine: Engine, name: str, now: datetime) -> int:
    """End every token of that id or name that is not ended yet; how many that were."""
    return _end(engine, or_(TOKENS.c.id == name, TOKENS.c.name == name), now)


def revoke_one(engine: Engine, name: str, now: datetime) -> None:
    """End the token of that id, if it is not ended yet. Raises Refused when there is none."""
    if not _end(engine, TOKENS.c.id == name, now):
        with reading(engine) as connection:
            if connection.execute(select(TOKENS.c.id).where(TOKENS.c.id == name)).first() is None:
                raise no_such_token(name)


def no_such_token(name: str) -> Refused:
    """The same for one that never was and one that ended."""
    hint = "see `iftah token list`, or GET /v1/tokens"
    return Refused(f"no token `{name[:60]}` is in force", where="token", hint=hint, code="no_such_token")


def listed(
    engine: Engine,
    *,
    role: str | None = None,
    party: str | None = None,
    after: str | None = None,
    most: int | None = None,
) -> list[Listed]:
    """Tokens, oldest first, never a secret: of the role, of the party, after the one of the id `after`; at most `most`."""
    order = (TOKENS.c.created_at, TOKENS.c.id)
    query = select(*_SHOWN, *_TIMES).order_by(*order).limit(most)
    if role is not None:
        query = query.where(TOKENS.c.role == role)
    if party is not None:
        query = query.where(TOKENS.c.party == party)
    with reading(engine) as connection:
        if after is not None:
            last = connection.execute(select(*order).where(TOKENS.c.id == after)).one_or_none()
            if last is None:
                raise no_such_token(after)
            later = and_(TOKENS.c.created_at == last.created_at, TOKENS.c.id > last.id)
            query = query.where(or_(TOKENS.c.created_at > last.created_at, later))
        return [_listed(row) for row in connection.execute(query)]


def _end(engine: Engine, which: Any, now: datetime) -> int:
    change = update(TOKENS).where(which, TOKENS.c.revoked_at.is_(None)).values(revoked_at=micros(now))
    with writing(engine) as connection:
        ended = connection.execute(change).rowcount
    forget(engine)
    return ended


def _made(connection: Connection, token: Listed) -> Issued:
    secret = PREFIX + secrets.token_urlsafe(32)
    row = {
        **{"id": token.id, "name": token.name, "role": token.role, "party": token.party, "digest": digest(secret)},
        **{"scopes": None if token.scopes is None else ",".join(token.scopes), "replaces": token.replaces},
        **{"created_at": micros(token.created_at)},
        **{"expires_at": None if token.expires_at is None else micros(token.expires_at)},
    }
    connection.execute(insert(TOKENS).values(row))
    return Issued(secret, token)


def _listed(row: Any) -> Listed:
    kept = dict(row._mapping)
    kept |= {time.name: None if kept[time.name] is None else moment(kept[time.name]) for time in _TIMES}
    return Listed(**kept | {"scopes": None if row.scopes is None else tuple(row.scopes.split(","))})
