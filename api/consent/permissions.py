"""Permissions: the consents in force, read for many people at once.

There are two gates. A grant that names no service lets us use evidence of its classes to score the person; one that names a
service lets that service ask about them. We answer a service's question from the classes that pass both.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Select, bindparam, exists, func, select

from api.store.clock import micros
from api.store.statements import Query, is_any_of, texts
from api.store.tables import BUILDS, EVENTS, has_reference, is_enrolment_or_consent
from graph.evidence.vocabulary import CLASSES

Pair = tuple[str, str | None]  # a person, and the service that asks; None: the system itself


class ConsentRow(NamedTuple):
    """An event of consent, as the two queries of this module select it. Times in microseconds since 1970."""

    subject: str
    purpose: str
    service: str | None
    kind: str
    classes: str | None  # comma-separated; None: all
    until: int | None
    happened_at: int


def _select_consents() -> Select[Any]:
    """The consents of the people `subjects` up to `now`, but for those that were retracted since."""
    event, retraction, now = EVENTS.alias("e"), EVENTS.alias("r"), bindparam("now", type_=BigInteger)
    retracted = exists().where(
        retraction.c.ref_event == event.c.event_id,
        has_reference(retraction),
        retraction.c.contributor == event.c.contributor,
        retraction.c.kind == "event.retracted",
        retraction.c.happened_at <= now,
    )
    query = select(*(event.c[c] for c in ConsentRow._fields)).where(
        is_any_of(event.c.subject, texts("subjects")),
        is_enrolment_or_consent(event),
        event.c.kind != "person.enrolled",
        event.c.happened_at <= now,
        ~retracted,
    )
    return query.order_by(event.c.happened_at, event.c.recorded_at, event.c.seq)


_NEWEST_BUILD: Final = select(func.max(BUILDS.alias("n").c.id)).scalar_subquery()
_CURRENT_PURPOSE: Final = select(BUILDS.c.purpose).where(BUILDS.c.id == _NEWEST_BUILD).scalar_subquery()
_CONSENTS: Final = _select_consents()
_CONSENTS_FOR_PURPOSE: Final = _CONSENTS.where(_CONSENTS.selected_columns.purpose == _CURRENT_PURPOSE)


@dataclass(frozen=True, slots=True)
class Grant:
    """A consent in force: when it was given and when it ends (None: not by itself), microseconds."""

    at: int
    until: int | None


Grants = dict[str | None, dict[str, Grant]]  # by service (None: evidence may be used), by data class
_NO_GRANTS: Final[Grants] = {}


def consent_query(people: Collection[str], now: datetime) -> Query:
    """The consent events of these people for the purpose of the build in force. Cost: by index, their own few events."""
    return Query(_CONSENTS_FOR_PURPOSE, {"subjects": sorted(people), "now": micros(now)})


def consent_query_all_purposes(people: Collection[str], now: datetime) -> Query:
    """The same for every purpose."""
    return Query(_CONSENTS, {"subjects": sorted(people), "now": micros(now)})


def collect_grants(rows: Iterable[Sequence[Any]], now: datetime) -> dict[tuple[str, str], Grants]:
    """The grants of each person, by person and purpose, from the rows of one of the two queries above.

    The latest of granted and withdrawn counts, by class and service; a withdrawal that names no service is of all; a grant ends
    at its `until`.
    """
    result = defaultdict[tuple[str, str], Grants](lambda: defaultdict(dict))  # nothing is allowed until it is said
    for row in map(ConsentRow._make, rows):
        by_service = result[row.subject, row.purpose]
        class_names = row.classes.split(",") if row.classes else CLASSES
        if row.kind == "consent.granted":
            by_service[row.service].update(dict.fromkeys(class_names, Grant(row.happened_at, row.until)))
        else:
            for grants in list(by_service.values()) if row.service is None else [by_service[row.service]]:
                for name in class_names:
                    grants.pop(name, None)
    moment = micros(now)
    return {key: _open_at(by_service, moment) for key, by_service in result.items()}


def grants_by_person(rows: Iterable[Sequence[Any]], now: datetime) -> dict[str, Grants]:
    """The grants of each person for the purpose of the build, from the rows of `consent_query`."""
    return {subject: grants for (subject, _), grants in collect_grants(rows, now).items()}


def allowed_classes(
    rows: Iterable[Sequence[Any]], pairs: Collection[Pair], now: datetime
) -> dict[Pair, frozenset[str]]:
    """The data classes from which we may answer each service's question about each person, from the rows of `consent_query`;
    empty: it may not ask.
    """
    grants = grants_by_person(rows, now)
    return {pair: classes_for(grants, pair) for pair in pairs}


def classes_for(grants: Mapping[str, Grants], pair: Pair) -> frozenset[str]:
    """The same of one pair, from the result of `grants_by_person`."""
    subject, service = pair
    by_service = grants.get(subject, _NO_GRANTS)
    return frozenset(by_service.get(None, ())).intersection(by_service.get(service, ()))


def classes_of_linked(
    grants: Mapping[str, Grants], linked: Mapping[str, frozenset[str]], service: str | None
) -> frozenset[str]:
    """The same for a person of several ids, each with the classes of its evidence that the person's values contain: those classes
    that each id with evidence among the values allows.
    """
    allowed = {one: classes_for(grants, (one, service)) for one in linked}
    return frozenset(
        c
        for c in frozenset[str]().union(*linked.values())
        if all(c in allowed[one] for one, classes in linked.items() if c in classes)
    )


def _open_at(grants: Grants, moment: int) -> Grants:
    open_grants = {
        service: {name: g for name, g in by_class.items() if g.until is None or g.until > moment}
        for service, by_class in grants.items()
    }
    return {service: by_class for service, by_class in open_grants.items() if by_class}
