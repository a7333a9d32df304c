"""Permissions: what people consent to now, of many people at once.

Two gates. A grant that names no service says that evidence of its classes may be used to score the person; one that names a
service says that it may ask about them. A service's question is answered from the classes that pass both.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from api.clock import micros
from api.database import Query
from api.tables import REFERRING, STANDING
from graph.events import CLASSES

Pair = tuple[str, str | None]  # a person, and the service that asks; None: the house itself

_SAID = f"""
SELECT subject, service, kind, classes, until FROM events AS e
WHERE subject IN {{subjects}} AND {STANDING} AND kind <> 'person.enrolled' AND purpose = (SELECT purpose FROM builds WHERE id = (SELECT max(id) FROM builds)) AND happened_at <= :now
AND NOT EXISTS (
    SELECT 1 FROM events AS r WHERE r.ref_event = e.event_id AND r.{REFERRING} AND r.contributor = e.contributor
    AND r.kind = 'event.retracted' AND r.happened_at <= :now
)
ORDER BY happened_at, recorded_at, seq
"""


def said(people: Collection[str], now: datetime) -> Query:
    """What these people have said of consent for the purpose of the build in force. Cost: by index, their own few events."""
    return Query(_SAID, {"subjects": sorted(people), "now": micros(now)})


def in_force(rows: Iterable[tuple[Any, ...]], pairs: Collection[Pair], now: datetime) -> dict[Pair, frozenset[str]]:
    """From the rows of `said`, the data classes from which each service's question about each person may be answered; empty: it
    may not ask.

    The latest of granted and withdrawn counts, by class and service; a withdrawal that names no service is of all; a grant ends
    at its `until`.
    """
    moment, asked = micros(now), defaultdict[str, set[str | None]](set)
    for subject, service in pairs:
        asked[subject].add(service)
    held = defaultdict[Pair, dict[str, int | None]](dict)  # class -> until when
    for subject, service, kind, classes, until in rows:
        named = classes.split(",") if classes else CLASSES
        ends = kind == "consent.withdrawn"
        for of in {None, *asked[subject]} if ends and service is None else {service}:
            for name in named:
                if ends:
                    held[subject, of].pop(name, None)
                else:
                    held[subject, of][name] = until

    def open_(subject: str, service: str | None) -> frozenset[str]:
        classes = held[subject, service].items()
        return frozenset(name for name, until in classes if until is None or until > moment)

    general = {subject: open_(subject, None) for subject in asked}
    return {(s, of): general[s] & open_(s, of) if of else general[s] for s, of in pairs}
