"""Permissions: what people consent to now, of many people at once.

Two gates. A grant that names no service says that evidence of its classes may be used to score the person; one that names a
service says that it may ask about them. A service's question is answered from the classes that pass both.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.clock import micros
from api.database import fetched
from api.tables import REFERRING, STANDING
from graph.events import CLASSES

Pair = tuple[str, str | None]  # a person, and the service that asks; None: the house itself

_SAID = f"""
SELECT subject, purpose, service, kind, classes, until, happened_at FROM events AS e
WHERE subject IN {{subjects}} AND {STANDING} AND kind <> 'person.enrolled' AND happened_at <= :now
AND (CAST(:purpose AS text) IS NULL OR purpose = :purpose)
AND NOT EXISTS (
    SELECT 1 FROM events AS r WHERE r.ref_event = e.event_id AND r.{REFERRING} AND r.contributor = e.contributor
    AND r.kind = 'event.retracted' AND r.happened_at <= :now
)
ORDER BY happened_at, recorded_at, seq
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """A consent in force: when it was given and when it ends (None: not by itself), microseconds."""

    at: int
    until: int | None


Grants = dict[str | None, dict[str, Grant]]  # by service (None: evidence may be used), by data class


def granted(
    connection: Connection, subjects: Collection[str], now: datetime, purpose: str | None = None
) -> dict[tuple[str, str], Grants]:
    """What each of these people consents to at `now`, by person and purpose (all of them unless one is named).

    The latest of granted and withdrawn counts, by class and service; a withdrawal that names no service is of all; a grant ends
    at its `until`. Cost: one query, by index.
    """
    moment = micros(now)
    held = defaultdict[tuple[str, str], Grants](lambda: defaultdict(dict))  # nothing is allowed until it is said
    for subject, about, service, kind, classes, until, at in fetched(
        connection, _SAID, subjects=sorted(subjects), purpose=purpose, now=moment
    ):
        of = held[subject, about]
        named = classes.split(",") if classes else CLASSES
        if kind == "consent.granted":
            of[service] |= dict.fromkeys(named, Grant(at, until))
        else:
            for grants in list(of.values()) if service is None else [of[service]]:
                for name in named:
                    grants.pop(name, None)
    return {who: _open(of, moment) for who, of in held.items()}


def in_force(
    connection: Connection, pairs: Collection[Pair], purpose: str, now: datetime
) -> dict[Pair, frozenset[str]]:
    """The data classes from which each service's question about each person may be answered; empty: it may not ask."""
    held = granted(connection, {subject for subject, _ in pairs}, now, purpose)
    nothing: Grants = {}
    found = {}
    for subject, service in pairs:
        of = held.get((subject, purpose), nothing)
        found[subject, service] = frozenset(of.get(None, {})) & frozenset(of.get(service, {}))
    return found


def _open(grants: Grants, moment: int) -> Grants:
    open_ = {
        service: {name: g for name, g in of.items() if g.until is None or g.until > moment}
        for service, of in grants.items()
    }
    return {service: of for service, of in open_.items() if of}
