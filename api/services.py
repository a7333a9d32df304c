"""Services: what merchants signed up for. A change is a further version; what stands is never edited.

A service is one merchant's own: its name in consents is `merchant/id`.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, insert, select

from api.clock import micros, moment
from api.database import Query, reading, writing
from api.evidence import departed
from api.tables import SERVICES
from engine.errors import Refused

MODES: Final = ("waive_first", "enjoy_first")
SIGN_UP: Final = "sign up for it: PUT /v1/services/{id}"

_COLUMNS: Final = ("merchant", "id", "version", "perk", "mode", "ceiling", "allowed", "callback", "created_at")
_NEWEST: Final = f"""
SELECT {", ".join(_COLUMNS)} FROM services AS s WHERE merchant IN {{merchants}} AND id IN {{ids}}
AND version = (SELECT max(version) FROM services AS o WHERE o.merchant = s.merchant AND o.id = s.id)
"""


@dataclass(frozen=True)
class Terms:
    """What a merchant signs up for. `allowed`: the only people it may ask about, before launch; None: anyone. Of a service
    that is kept these are pseudonyms (`departed.pseudonym`), so that nothing changes when one of them leaves.
    """

    perk: str
    mode: str = "waive_first"
    ceiling: int | None = None  # minor units
    allowed: tuple[str, ...] | None = None
    callback: str | None = None


@dataclass(frozen=True)
class Service:
    """One version of a service."""

    merchant: str
    id: str
    version: int
    terms: Terms
    created_at: datetime

    @property
    def name(self) -> str:
        """As consents name it."""
        return named(self.merchant, self.id)


def named(merchant: str, service: str) -> str:
    """The name of a merchant's service in consents."""
    return f"{merchant}/{service}"


def sign_up(engine: Engine, merchant: str, name: str, terms: Terms, now: datetime) -> Service:
    """The service with these terms: a new version of it, or the newest one if that says the same."""
    with writing(engine) as connection:
        if terms.allowed is not None:
            terms = replace(terms, allowed=tuple(sorted(set(departed.pseudonyms(connection, terms.allowed)))))
        before = _newest(connection, merchant, name)
        if before is not None and before.terms == terms:
            return before
        made = Service(merchant, name, before.version + 1 if before else 1, terms, now)
        connection.execute(insert(SERVICES).values(_row(made)))
    return made


def newest(connection: Connection, merchant: str, name: str, hint: str = SIGN_UP) -> Service:
    """The version in force. Raises Refused when the merchant has no such service: whether another has is not told."""
    found = _newest(connection, merchant, name)
    if found is None:
        raise unknown(hint)
    return found


def in_force(names: Collection[tuple[str, str]]) -> Query:
    """The versions in force of at least these (merchant, service), as far as there are any."""
    merchants, ids = (sorted({name[n] for name in names}) for n in (0, 1))
    return Query(_NEWEST, {"merchants": merchants, "ids": ids})


def by_name(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], Service]:
    """The rows of `in_force`, by merchant and service."""
    made = (_made(dict(zip(_COLUMNS, row, strict=True))) for row in rows)
    return {(service.merchant, service.id): service for service in made}


def unknown(hint: str = SIGN_UP) -> Refused:
    """What is said of a service that the merchant has not."""
    return Refused("unknown service", where="service", hint=hint, code="unknown_service")


def versions(engine: Engine, merchant: str, name: str, most: int, before: int | None = None) -> list[Service]:
    """At most so many versions, newest first; those older than `before`. Raises Refused when there is no such service."""
    query = select(SERVICES).where(SERVICES.c.merchant == merchant, SERVICES.c.id == name)
    if before is not None:
        query = query.where(SERVICES.c.version < before)
    with reading(engine) as connection:
        newest(connection, merchant, name)
        rows = connection.execute(query.order_by(SERVICES.c.version.desc()).limit(most)).mappings()
        return [_made(dict(row)) for row in rows]


def of_merchant(engine: Engine, merchant: str, most: int, after: str | None = None) -> list[Service]:
    """The version in force of at most so many of the merchant's services, by name; of those that come after one."""
    other = SERVICES.alias()
    last = select(func.max(other.c.version)).where(other.c.merchant == SERVICES.c.merchant, other.c.id == SERVICES.c.id)
    query = select(SERVICES).where(SERVICES.c.merchant == merchant, SERVICES.c.version == last.scalar_subquery())
    if after is not None:
        query = query.where(SERVICES.c.id > after)
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(SERVICES.c.id).limit(most)).mappings()
        return [_made(dict(row)) for row in rows]


def version(connection: Connection, merchant: str, name: str, number: int) -> Service:
    """That version, which an order or a decision was made under."""
    query = select(SERVICES).where(SERVICES.c.merchant == merchant, SERVICES.c.id == name, SERVICES.c.version == number)
    return _made(dict(connection.execute(query).mappings().one()))


def _newest(connection: Connection, merchant: str, name: str) -> Service | None:
    query = select(SERVICES).where(SERVICES.c.merchant == merchant, SERVICES.c.id == name)
    row = connection.execute(query.order_by(SERVICES.c.version.desc()).limit(1)).mappings().first()
    return None if row is None else _made(dict(row))


def _row(made: Service) -> dict[str, Any]:
    terms = asdict(made.terms)
    allowed = None if made.terms.allowed is None else json.dumps(made.terms.allowed)
    identity = {
        "merchant": made.merchant,
        "id": made.id,
        "version": made.version,
        "created_at": micros(made.created_at),
    }
    return {**terms, **identity, "allowed": allowed}


def _made(row: dict[str, Any]) -> Service:
    allowed = None if row["allowed"] is None else tuple(json.loads(row["allowed"]))
    terms = Terms(row["perk"], row["mode"], row["ceiling"], allowed, row["callback"])
    return Service(row["merchant"], row["id"], row["version"], terms, moment(row["created_at"]))
