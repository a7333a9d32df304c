"""Permissions: what people consent to now, of many people at once.

Two gates. A grant that names no service says that evidence of its classes may be used to score the person; one that names a
service says that it may ask about them. A service's question is answered from the classes that pass both.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from api.clock import micros
from api.database import fetched
from api.tables import REFERRING, STANDING
from graph.events import CLASSES

Pair = tuple[str, str | None]  # a person, and the service that asks; None: the house itself

_SAID = f"""
SELECT subject, service, kind, classes, until FROM events AS e
WHERE subject IN {{subjects}} AND {STANDING} AND kind <> 'person.enrolled' AND purpose = :purpose AND happened_at <= :now
AND NOT EXISTS (
    SELECT 1 FROM events AS r WHERE r.ref_event = e.event_id AND r.{REFERRING} AND r.contributor = e.contributor
    AND r.kind = 'event.retracted' AND r.happened_at <= :now
)
ORDER BY happened_at, recorded_at, seq
"""


def in_force(
    connection: Connection, pairs: Collection[Pair], purpose: str, now: datetime
) -> dict[Pair, frozenset[str]]:
    """The data classes from which each service's question about each person may be answered; empty: it may not ask.

    The latest of granted and withdrawn counts, by class and service; a withdrawal that names no service is of all; a grant ends
    at its `until`. Cost: one query, by index.
    """
    moment, asked = micros(now), defaultdict[str, set[str | None]](set)
    for subject, service in pairs:
        asked[subject].add(service)
    held = defaultdict[Pair, dict[str, int | None]](dict)  # class -> until when
    for subject, service, kind, classes, until in fetched(
        connection, _SAID, subjects=sorted(asked), purpose=purpose, now=moment
    ):
        named = classes.split(",") if classes else CLASSES
        ends = kind == "consent.withdrawn"
        for of in {None, *asked[subject]} if ends and service is None else {service}:
            for name in named:
                if ends:
                    held[subject, of].pop(name, None)
                else:
                    held[subject, of][name] = until
    open_ = {
        pair: frozenset(name for name, until in classes.items() if until is None or until > moment)
        for pair, classes in held.items()
    }
    nothing: frozenset[str] = frozenset()
    return {
        (s, of): open_.get((s, None), nothing) & (open_.get((s, of), nothing) if of else open_.get((s, None), nothing))
        for s, of in pairs
    }
