"""Services that merchants signed up for. A change makes a new version; we never edit a version.

A service belongs to one merchant: its name in consents is `merchant/id`.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, func, insert, select, tuple_

from api.evidence import erasure_tombstones
from api.store.clock import micros, moment
from api.store.database import Database, reading, writing
from api.store.statements import Query, is_any_of, texts
from api.store.tables import SERVICES
from engine.errors import Rejected

MODES: Final = ("waive_first", "enjoy_first")
SIGN_UP: Final = "sign up for it: PUT /v1/services/{id}"

_COLUMNS: Final = ("merchant", "id", "version", "perk", "mode", "ceiling", "allowed", "callback", "created_at")
_IN_ORDER: Final = tuple(SERVICES.c[c] for c in _COLUMNS)


def _select_newest() -> Select[Any]:
    """The newest versions of services, by the lists `merchants` and `ids`."""
    other = SERVICES.alias("o")
    same_service = (other.c.merchant == SERVICES.c.merchant) & (other.c.id == SERVICES.c.id)
    newest_version = select(func.max(other.c.version)).where(same_service).scalar_subquery()
    return select(*_IN_ORDER).where(
        is_any_of(SERVICES.c.merchant, texts("merchants")),
        is_any_of(SERVICES.c.id, texts("ids")),
        SERVICES.c.version == newest_version,
    )


_NEWEST: Final = _select_newest()


@dataclass(frozen=True)
class Terms:
    """The terms of a service. `allowed`: the only people it may ask about, before launch; None: anyone. In a stored
    service these are pseudonyms (`erasure_tombstones.pseudonym`), so that an erasure changes nothing.
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
        """The name in consents."""
        return service_name(self.merchant, self.id)


def service_name(merchant: str, service: str) -> str:
    """The name of a merchant's service in consents."""
    return f"{merchant}/{service}"


def sign_up(database: Database, merchant: str, name: str, terms: Terms, now: datetime) -> Service:
    """Sign up for the service with these terms. We make a new version unless the newest one has the same terms."""
    with writing(database) as connection:
        if terms.allowed is not None:
            terms = replace(terms, allowed=tuple(sorted(set(erasure_tombstones.pseudonyms(connection, terms.allowed)))))
        current = _newest(connection, merchant, name)
        if current is not None and current.terms == terms:
            return current
        service = Service(merchant, name, current.version + 1 if current else 1, terms, now)
        connection.execute(insert(SERVICES).values(_row(service)))
    return service


def newest(connection: Connection, merchant: str, name: str, hint: str = SIGN_UP) -> Service:
    """The version in force. Raises Rejected if the merchant has no such service, and does not reveal whether another
    has.
    """
    service = _newest(connection, merchant, name)
    if service is None:
        raise unknown_service(hint)
    return service


def newest_query(names: Collection[tuple[str, str]]) -> Query:
    """The versions in force of at least these (merchant, service), if they exist."""
    merchants, ids = (sorted({name[n] for name in names}) for n in (0, 1))
    return Query(_NEWEST, {"merchants": merchants, "ids": ids})


def by_name(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], Service]:
    """The rows of `in_force`, by merchant and service."""
    services = map(_service_of, rows)
    return {(service.merchant, service.id): service for service in services}


def unknown_service(hint: str = SIGN_UP) -> Rejected:
    """The error for an unknown service of the merchant."""
    return Rejected("unknown service", where="service", hint=hint, code="unknown_service")


def versions(database: Database, merchant: str, name: str, limit: int, before: int | None = None) -> list[Service]:
    """At most so many versions, newest first; those older than `before`. Raises Rejected if the service does not exist."""
    query = select(*_IN_ORDER).where(SERVICES.c.merchant == merchant, SERVICES.c.id == name)
    if before is not None:
        query = query.where(SERVICES.c.version < before)
    with reading(database) as connection:
        newest(connection, merchant, name)
        rows = connection.execute(query.order_by(SERVICES.c.version.desc()).limit(limit))
        return [_service_of(row) for row in rows]


def of_merchant(database: Database, merchant: str, limit: int, after: str | None = None) -> list[Service]:
    """The versions in force of the merchant's services, by name, after the given one; at most so many."""
    other = SERVICES.alias()
    last = select(func.max(other.c.version)).where(other.c.merchant == SERVICES.c.merchant, other.c.id == SERVICES.c.id)
    query = select(*_IN_ORDER).where(SERVICES.c.merchant == merchant, SERVICES.c.version == last.scalar_subquery())
    if after is not None:
        query = query.where(SERVICES.c.id > after)
    with reading(database) as connection:
        rows = connection.execute(query.order_by(SERVICES.c.id).limit(limit))
        return [_service_of(row) for row in rows]


def of_all_merchants(database: Database, limit: int, after: tuple[str, str] | None = None) -> list[Service]:
    """The versions in force of all services, by merchant and name, after the given one; at most so many."""
    other, key = SERVICES.alias(), tuple_(SERVICES.c.merchant, SERVICES.c.id)
    last = select(func.max(other.c.version)).where(other.c.merchant == SERVICES.c.merchant, other.c.id == SERVICES.c.id)
    query = select(*_IN_ORDER).where(SERVICES.c.version == last.scalar_subquery())
    if after is not None:
        query = query.where(key > tuple_(*after))
    with reading(database) as connection:
        rows = connection.execute(query.order_by(SERVICES.c.merchant, SERVICES.c.id).limit(limit))
        return [_service_of(row) for row in rows]


def version(connection: Connection, merchant: str, name: str, number: int) -> Service:
    """The version under which we made an order or a decision."""
    query = select(*_IN_ORDER).where(
        SERVICES.c.merchant == merchant, SERVICES.c.id == name, SERVICES.c.version == number
    )
    return _service_of(connection.execute(query).one())


def _newest(connection: Connection, merchant: str, name: str) -> Service | None:
    query = select(*_IN_ORDER).where(SERVICES.c.merchant == merchant, SERVICES.c.id == name)
    row = connection.execute(query.order_by(SERVICES.c.version.desc()).limit(1)).first()
    return None if row is None else _service_of(row)


def _row(service: Service) -> dict[str, str | int | None]:
    terms = service.terms
    return {
        "merchant": service.merchant,
        "id": service.id,
        "version": service.version,
        "perk": terms.perk,
        "mode": terms.mode,
        "ceiling": terms.ceiling,
        "allowed": None if terms.allowed is None else json.dumps(terms.allowed),
        "callback": terms.callback,
        "created_at": micros(service.created_at),
    }


def _service_of(row: Sequence[Any]) -> Service:
    """The service of a row with the columns `_COLUMNS`."""
    merchant, name, version, perk, mode, ceiling, allowed, callback, created_at = row
    people = None if allowed is None else tuple(json.loads(allowed))
    return Service(merchant, name, version, Terms(perk, mode, ceiling, people, callback), moment(created_at))
