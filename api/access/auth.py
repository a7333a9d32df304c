"""Callers: the role, party and scopes of a token.

We keep only the SHA-256 of a token, so that no copy of the database is a key. Each process caches the token's row
for a second, since every request needs it: a revocation holds at once in the process that made it, and
within that second in every other. We do not cache unknown tokens.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy import select

from api.store.clock import micros
from api.store.database import Database, reading
from api.store.tables import TOKENS
from engine.errors import Rejected

ROLES: Final = ("merchant", "contributor", "subject", "operator", "approver", "supervisor", "admin")
# `approver` is a second pair of eyes on releases: it approves, rejects, rolls back and stops, and proposes nothing.
# A scope is a group of routes: the part after /v1 of their paths.
SCOPES: Final = (
    *("eligibility", "decisions", "perks", "services", "consents", "callbacks", "orders", "reconciliation", "events"),
    *("me", "disputes", "reviews", "people", "features", "proposals", "releases", "rules", "keys", "today", "monitor"),
    *("evidence", "callers", "audit", "tokens"),
)
RESERVED_PARTIES: Final = ("operator", "iftah")  # the command line, and the system itself
OWN_PREFIX: Final = "iftah_"  # so that scanners recognise a leaked token
CACHE_SECONDS: Final = 1.0  # seconds for which we cache a token
MAX_CACHED_TOKENS: Final = 10_000  # cached tokens
MAX_SECRET_CHARS: Final = 8_192  # characters of a token, ours or another issuer's
OIDC_ID_PREFIX: Final = "issued"  # prefix of the ids of another issuer's tokens


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a token. `scopes` None: everything that the role may do."""

    token: str  # its id, not the secret
    role: str
    party: str
    scopes: frozenset[str] | None = None

    @property
    def rate_key(self) -> str:
        """The key under which we count its requests: the token, or role and party where another issuer makes any number of tokens."""
        return f"{self.role} {self.party}" if self.token.startswith(OIDC_ID_PREFIX) else self.token


@dataclass(slots=True)
class _CachedCaller:
    caller: Caller
    ends: int | None  # microseconds
    read_at: float  # of the process's own clock


@dataclass
class _TokenCache:
    callers: dict[str, _CachedCaller] = field(default_factory=dict)  # by digest
    last_uses: dict[str, int] = field(default_factory=dict)  # by id: the latest use that we have not stored
    generation: int = 0  # how often we dropped the cache


_CACHES: Final = WeakKeyDictionary[Database, _TokenCache]()


def authenticate(database: Database, secret: str, now: datetime) -> Caller:
    """The caller of a secret. Raises Rejected when it is unknown, expired or revoked, without saying which."""
    return cached_caller(database, digest(secret), now) or look_up(database, digest(secret), now)


def cached_caller(database: Database, token_digest: str, now: datetime) -> Caller | None:
    """The caller of the token with this digest, if we looked it up within the last second. Sends no query."""
    cache = _cache_of(database)
    cached = cache.callers.get(token_digest)
    if cached is None or monotonic() - cached.read_at > CACHE_SECONDS or _ended(cached.ends, now):
        return None
    if not cached.caller.token.startswith(OIDC_ID_PREFIX):
        cache.last_uses[cached.caller.token] = micros(now)
    return cached.caller


def is_cached(database: Database, token_digest: str) -> bool:
    """Whether the token of that digest was valid here not long ago."""
    return token_digest in _cache_of(database).callers


def look_up(database: Database, token_digest: str, now: datetime) -> Caller:
    """The caller of the token with this digest, from the database. Raises Rejected as `authenticate`."""
    query = select(TOKENS).where(TOKENS.c.digest == token_digest)
    cache, started_at = _cache_of(database), monotonic()
    generation = cache.generation
    with reading(database) as connection:
        row = connection.execute(query).mappings().first()
    if row is None or row["revoked_at"] is not None or _ended(row["expires_at"], now):
        cache.callers.pop(token_digest, None)
        raise bad_token()
    scopes = None if row["scopes"] is None else frozenset(row["scopes"].split(","))
    caller = Caller(row["id"], row["role"], row["party"], scopes)
    if generation == cache.generation:  # otherwise a token was revoked while we read this
        remember(database, token_digest, caller, row["expires_at"], started_at)
    cache.last_uses[caller.token] = micros(now)
    return caller


def remember(database: Database, token_digest: str, caller: Caller, ends: int | None, read_at: float) -> None:
    """Cache the caller of the token with this digest, for a second from `read_at`."""
    callers = _cache_of(database).callers
    if len(callers) >= MAX_CACHED_TOKENS:
        callers.clear()
    callers[token_digest] = _CachedCaller(caller, ends, read_at)


def forget(database: Database) -> None:
    """Drop the cache: we look up every token anew."""
    cache = _cache_of(database)
    cache.generation += 1
    for cached in list(cache.callers.values()):
        cached.read_at = float("-inf")


def last_uses(database: Database) -> dict[str, int]:
    """When each token was last used in this process, by id. If you take an entry out, store it."""
    return _cache_of(database).last_uses


def bad_token() -> Rejected:
    """The same error for every problem of a token."""
    return Rejected("the token is not valid", where="Authorization", hint="ask for a new one", code="bad_token")


def digest(secret: str) -> str:
    """The part of a token that we store. A random 256-bit secret needs no slow hash: there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _ended(ends: int | None, now: datetime) -> bool:
    return ends is not None and ends <= micros(now)


def _cache_of(database: Database) -> _TokenCache:
    cache = _CACHES.get(database)
    return cache if cache is not None else _CACHES.setdefault(database, _TokenCache())
