"""Callers: whom a token speaks for, in which role, for which party, within which scopes.

Only the SHA-256 of a token is kept, so that no copy of the database is a key. What the database says of one is remembered
for a second in each process, for it is asked with every request: a revocation holds at once in the process that made it, and
within that second in every other. Tokens that speak for nobody are not remembered.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select

from api.clock import micros
from api.database import reading
from api.tables import TOKENS
from engine.errors import Refused

ROLES: Final = ("merchant", "contributor", "subject", "operator", "approver", "supervisor", "admin")
# `approver` is for a second pair of eyes on releases; no route asks for it yet.
# A scope is a group of routes: what comes after /v1 in their addresses.
SCOPES: Final = (
    *("eligibility", "decisions", "services", "consents", "callbacks", "orders", "reconciliation", "events"),
    *("me", "disputes", "reviews", "audit", "tokens"),
)
RESERVED: Final = ("operator", "iftah")  # who asks by the command line, and the house itself
PREFIX: Final = "iftah_"  # so that scanners for leaked keys know one
FRESH: Final = 1.0  # seconds that a token is remembered
MOST: Final = 10_000  # tokens remembered
ISSUED: Final = "issued"  # what the ids of tokens of another issuer begin with


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token speaks for. `scopes` None: all that the role may do."""

    token: str  # its id, not the secret
    role: str
    party: str
    scopes: frozenset[str] | None = None

    @property
    def counted(self) -> str:
        """By what its requests are counted: the token, or who it is where another issuer makes tokens as it likes."""
        return f"{self.role} {self.party}" if self.token.startswith(ISSUED) else self.token


@dataclass(slots=True)
class _Held:
    caller: Caller
    ends: int | None  # microseconds
    read_at: float  # of the process's own clock


@dataclass
class _Memory:
    held: dict[str, _Held] = field(default_factory=dict)  # by digest
    used: dict[str, int] = field(default_factory=dict)  # by id: the latest use that is not written down
    turn: int = 0  # how often all was forgotten


_MEMORIES: Final = WeakKeyDictionary[Engine, _Memory]()


def caller(engine: Engine, secret: str, now: datetime) -> Caller:
    """Whom the secret speaks for. Raises Refused when it is unknown, expired or revoked: which is not told."""
    return remembered(engine, digest(secret), now) or looked_up(engine, digest(secret), now)


def remembered(engine: Engine, name: str, now: datetime) -> Caller | None:
    """Whom the token of that digest speaks for, if it was looked up within the last second. Asks nobody."""
    memory = _memory(engine)
    held = memory.held.get(name)
    if held is None or monotonic() - held.read_at > FRESH or _ended(held.ends, now):
        return None
    if not held.caller.token.startswith(ISSUED):
        memory.used[held.caller.token] = micros(now)
    return held.caller


def known_before(engine: Engine, name: str) -> bool:
    """Whether the token of that digest was valid here not long ago."""
    return name in _memory(engine).held


def looked_up(engine: Engine, name: str, now: datetime) -> Caller:
    """Whom the token of that digest speaks for, from the database. Raises Refused as `caller`."""
    query = select(TOKENS).where(TOKENS.c.digest == name)
    memory, began = _memory(engine), monotonic()
    turn = memory.turn
    with reading(engine) as connection:
        row = connection.execute(query).mappings().first()
    if row is None or row["revoked_at"] is not None or _ended(row["expires_at"], now):
        memory.held.pop(name, None)
        raise bad_token()
    scopes = None if row["scopes"] is None else frozenset(row["scopes"].split(","))
    found = Caller(row["id"], row["role"], row["party"], scopes)
    if turn == memory.turn:  # otherwise a token was revoked while this was read
        remember(engine, name, found, row["expires_at"], began)
    memory.used[found.token] = micros(now)
    return found


def remember(engine: Engine, name: str, found: Caller, ends: int | None, read_at: float) -> None:
    """Keep in mind for a second from `read_at` whom the token of that digest speaks for."""
    held = _memory(engine).held
    if len(held) >= MOST:
        held.clear()
    held[name] = _Held(found, ends, read_at)


def forget(engine: Engine) -> None:
    """Ask the database about every token anew."""
    memory = _memory(engine)
    memory.turn += 1
    for held in list(memory.held.values()):
        held.read_at = float("-inf")


def used(engine: Engine) -> dict[str, int]:
    """When each token was last used in this process, by id; what is taken from here is to be written down."""
    return _memory(engine).used


def bad_token() -> Refused:
    """The same whatever is wrong with it."""
    return Refused("the token is not valid", where="Authorization", hint="ask for a new one", code="bad_token")


def digest(secret: str) -> str:
    """What is kept of a token. A random 256-bit secret needs no slow hash: there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _ended(ends: int | None, now: datetime) -> bool:
    return ends is not None and ends <= micros(now)


def _memory(engine: Engine) -> _Memory:
    memory = _MEMORIES.get(engine)
    return memory if memory is not None else _MEMORIES.setdefault(engine, _Memory())
