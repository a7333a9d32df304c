"""Permissions: what people consent to now, of many people at once.

Two gates. A grant that names no service says that evidence of its classes may be used to score the person; one that names a
service says that it may ask about them. A service's question is answered from the classes that pass both.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.clock import micros
from api.database import Query
from api.tables import REFERRING, STANDING
from graph.vocabulary import CLASSES

Pair = tuple[str, str | None]  # a person, and the service that asks; None: the house itself
Row = tuple[Any, ...]

_SAID: Final = f"""
SELECT subject, purpose, service, kind, classes, until, happened_at FROM events AS e
WHERE subject IN {{subjects}} AND {STANDING} AND kind <> 'person.enrolled' AND happened_at <= :now
AND NOT EXISTS (
    SELECT 1 FROM events AS r WHERE r.ref_event = e.event_id AND r.{REFERRING} AND r.contributor = e.contributor
    AND r.kind = 'event.retracted' AND r.happened_at <= :now
)"""
_SERVED: Final = " AND purpose = (SELECT purpose FROM builds WHERE id = (SELECT max(id) FROM builds))"
_ORDER: Final = " ORDER BY happened_at, recorded_at, seq"


@dataclass(frozen=True, slots=True)
class Grant:
    """A consent in force: when it was given and when it ends (None: not by itself), microseconds."""

    at: int
    until: int | None


Grants = dict[str | None, dict[str, Grant]]  # by service (None: evidence may be used), by data class


def said(people: Collection[str], now: datetime) -> Query:
    """What these people have said of consent for the purpose of the build in force. Cost: by index, their own few events."""
    return Query(_SAID + _SERVED + _ORDER, {"subjects": sorted(people), "now": micros(now)})


def said_of_all(people: Collection[str], now: datetime) -> Query:
    """The same for every purpose."""
    return Query(_SAID + _ORDER, {"subjects": sorted(people), "now": micros(now)})


def granted(rows: Iterable[Row], now: datetime) -> dict[tuple[str, str], Grants]:
    """From the rows of `said` or `said_of_all`, what each person consents to, by person and purpose.

    The latest of granted and withdrawn counts, by class and service; a withdrawal that names no service is of all; a grant ends
    at its `until`.
    """
    held = defaultdict[tuple[str, str], Grants](lambda: defaultdict(dict))  # nothing is allowed until it is said
    for subject, purpose, service, kind, classes, until, at in rows:
        of = held[subject, purpose]
        named = classes.split(",") if classes else CLASSES
        if kind == "consent.granted":
            of[service].update(dict.fromkeys(named, Grant(at, until)))
        else:
            for grants in list(of.values()) if service is None else [of[service]]:
                for name in named:
                    grants.pop(name, None)
    moment = micros(now)
    return {who: _open(of, moment) for who, of in held.items()}


def in_force(rows: Iterable[Row], pairs: Collection[Pair], now: datetime) -> dict[Pair, frozenset[str]]:
    """From the rows of `said`, the data classes from which each service's question about each person may be answered; empty: it
    may not ask.
    """
    held = {subject: grants for (subject, _), grants in granted(rows, now).items()}
    nothing: Grants = {}
    found = {}
    for subject, service in pairs:
        of = held.get(subject, nothing)
        found[subject, service] = frozenset(of.get(None, ())).intersection(of.get(service, ()))
    return found


def _open(grants: Grants, moment: int) -> Grants:
    open_ = {
        service: {name: g for name, g in of.items() if g.until is None or g.until > moment}
        for service, of in grants.items()
    }
    return {service: of for service, of in open_.items() if of}
