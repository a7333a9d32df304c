"""The yearly report: what came of the questions, by perk and month, and by group where people gave attributes for monitoring.

No group is shown of fewer people than `smallest`. What is hidden cannot be had by subtraction either: the hidden groups of
an attribute are always at least two, and together at least `smallest` people.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, Engine, and_, func, select

from api.clock import micros
from api.database import reading
from api.tables import DECISION_SUBJECTS, DECISIONS, MONITORED
from engine.lang.timezones import zone

DECIDED: Final = ("ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE")
NOT_GIVEN: Final = "(not given)"
FOUR_FIFTHS: Final = 0.8


@dataclass(frozen=True)
class Count:
    """So many answers of an outcome, about a perk, in a month (1 to 12)."""

    perk: str
    month: int
    outcome: str
    decisions: int


@dataclass(frozen=True)
class Group:
    """What came for the people of a group. Rates are of what the rules decided; `ratio`: to the highest rate of a shown group.

    All numbers are null where the group is hidden.
    """

    value: str
    hidden: bool
    people: int | None = None
    outcomes: Mapping[str, int] | None = None
    admit_rate: float | None = None
    ratio: float | None = None
    under_four_fifths: bool | None = None


@dataclass(frozen=True)
class Attribute:
    """The groups by one attribute; those who did not give it are one of them."""

    attribute: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Report:
    """A year in the time zone of the rules. `complete`: the year is over. `erased`: decisions whose person has left; they are in no group."""

    year: int
    complete: bool
    made_at: datetime
    smallest_group: int
    decisions: int
    erased: int
    outcomes: Mapping[str, int]
    counts: tuple[Count, ...]
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True)
class Tally:
    """A group before anything is hidden."""

    value: str
    people: int
    outcomes: Mapping[str, int]


def yearly(engine: Engine, year: int, now: datetime, smallest: int, timezone: str) -> Report:
    """The report of a year, whose months are those of `timezone`. `smallest`: people of the smallest group that is shown."""
    zone_ = zone(timezone)
    decided = _within(_first(year, 1, zone_), _first(year + 1, 1, zone_))
    with reading(engine) as connection:
        counts = tuple(c for month in range(1, 13) for c in _counts(connection, year, month, zone_))
        outcomes = Counter[str]()
        for count in counts:
            outcomes[count.outcome] += count.decisions
        known = _known(connection, decided)
        attributes = tuple(
            Attribute(name, shown(_tallies(connection, decided, name), smallest)) for name in _attributes(connection)
        )
    total = sum(outcomes.values())
    return Report(
        year=year,
        complete=now.astimezone(zone_).year > year,
        made_at=now,
        smallest_group=smallest,
        decisions=total,
        erased=total - known,
        outcomes=dict(sorted(outcomes.items())),
        counts=counts,
        attributes=attributes,
    )


def shown(tallies: Iterable[Tally], smallest: int) -> tuple[Group, ...]:
    """The groups as they may be published, by value."""
    known = sorted(tallies, key=lambda t: t.value)
    hidden = hidden_of({t.value: t.people for t in known}, smallest)
    rates = {t.value: _rate(t.outcomes) for t in known if t.value not in hidden}
    best = max((rate for rate in rates.values() if rate is not None), default=None)
    return tuple(Group(t.value, hidden=True) if t.value in hidden else _shown(t, rates[t.value], best) for t in known)


def hidden_of(people: Mapping[str, int], smallest: int) -> frozenset[str]:
    """Which groups must not be shown: the small ones, and the smallest others until what is hidden cannot be had by
    taking what is shown from the whole.
    """
    order = sorted(people, key=lambda value: (people[value], value))
    hidden = [value for value in order if people[value] < smallest]
    if not hidden:
        return frozenset()
    for value in order[len(hidden) :]:
        if len(hidden) > 1 and sum(people[v] for v in hidden) >= smallest:
            break
        hidden.append(value)
    return frozenset(hidden)


def _shown(tally: Tally, rate: float | None, best: float | None) -> Group:
    ratio = None if rate is None or not best else round(rate / best, 3)
    return Group(
        value=tally.value,
        hidden=False,
        people=tally.people,
        outcomes=dict(tally.outcomes),
        admit_rate=None if rate is None else round(rate, 3),
        ratio=ratio,
        under_four_fifths=None if rate is None or not best else rate / best < FOUR_FIFTHS,
    )


def _rate(outcomes: Mapping[str, int]) -> float | None:
    decided = sum(outcomes.get(outcome, 0) for outcome in DECIDED)
    return outcomes.get("ADMIT", 0) / decided if decided else None


def _within(begins: datetime, ends: datetime) -> Any:
    return and_(DECISIONS.c.decided_at >= micros(begins), DECISIONS.c.decided_at < micros(ends))


def _first(year: int, month: int, zone_: tzinfo) -> datetime:
    """The first moment of a month on the clocks of a zone."""
    return datetime(min(year, 9999), month, 1, tzinfo=zone_).astimezone(UTC)


def _counts(connection: Connection, year: int, month: int, zone_: tzinfo) -> list[Count]:
    ends = _first(year, month + 1, zone_) if month < 12 else _first(year + 1, 1, zone_)
    columns = (DECISIONS.c.perk, DECISIONS.c.outcome)
    query = select(*columns, func.count()).where(_within(_first(year, month, zone_), ends)).group_by(*columns)
    return [Count(perk, month, outcome, n) for perk, outcome, n in connection.execute(query.order_by(*columns))]


def _known(connection: Connection, decided: Any) -> int:
    both = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    return connection.execute(select(func.count()).select_from(both).where(decided)).scalar() or 0


def _attributes(connection: Connection) -> list[str]:
    query = select(MONITORED.c.attribute).distinct().order_by(MONITORED.c.attribute)
    return list(connection.execute(query).scalars())


def _tallies(connection: Connection, decided: Any, attribute: str) -> list[Tally]:
    """Everyone who was asked about, by what they gave for the attribute."""
    given = and_(MONITORED.c.person == DECISION_SUBJECTS.c.subject, MONITORED.c.attribute == attribute)
    both = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq).outerjoin(MONITORED, given)
    value = func.coalesce(MONITORED.c.value, NOT_GIVEN).label("value")
    asked = select(value, DECISION_SUBJECTS.c.subject, DECISIONS.c.outcome).select_from(both).where(decided)
    rows = asked.subquery()
    people = select(rows.c.value, func.count(func.distinct(rows.c.subject))).group_by(rows.c.value)
    found = {name: Tally(name, n, {}) for name, n in connection.execute(people)}
    outcomes = select(rows.c.value, rows.c.outcome, func.count()).group_by(rows.c.value, rows.c.outcome)
    for name, outcome, n in connection.execute(outcomes.order_by(rows.c.value, rows.c.outcome)):
        found[name] = Tally(name, found[name].people, {**found[name].outcomes, outcome: n})
    return list(found.values())
