"""The yearly report: count outcomes by perk and month, and by group for people with monitored attributes.

We hide each group of fewer than `smallest` people. You cannot derive a hidden group by subtraction either: an attribute has no
hidden group, or at least two, with at least `smallest` people together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, select

from api.store.clock import micros
from api.store.database import Database, reading
from api.store.tables import DECISION_SUBJECTS, DECISIONS, MONITORED_ATTRIBUTES
from engine.lang.model.timezones import zone
from engine.lang.syntax.grammar import OUTCOMES

NOT_GIVEN: Final = "(not given)"
FOUR_FIFTHS: Final = 0.8


@dataclass(frozen=True)
class Count:
    """The number of decisions with an outcome, about a perk, in a month (1 to 12)."""

    perk: str
    month: int
    outcome: str
    decisions: int


@dataclass(frozen=True)
class Group:
    """The outcomes of a group. Rates are shares of the decisions by the rules. `ratio`: the rate over the highest rate of a
    shown group.

    All numbers of a hidden group are None.
    """

    value: str
    hidden: bool
    people: int | None = None
    outcomes: Mapping[str, int] | None = None
    admit_rate: float | None = None
    ratio: float | None = None
    under_four_fifths: bool | None = None


@dataclass(frozen=True)
class ReportAttribute:
    """The groups by one attribute. The people who did not give the attribute form a group too."""

    attribute: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class YearlyReport:
    """A year in the time zone of the rules. `complete`: the year is over. `erased`: decisions about erased people, which are in
    no group.
    """

    year: int
    complete: bool
    made_at: datetime
    smallest_group: int
    decisions: int
    erased: int
    outcomes: Mapping[str, int]
    counts: tuple[Count, ...]
    attributes: tuple[ReportAttribute, ...]


@dataclass(frozen=True)
class Tally:
    """A group before we hide small groups."""

    value: str
    people: int
    outcomes: Mapping[str, int]


def yearly_report(database: Database, year: int, now: datetime, smallest: int, timezone: str) -> YearlyReport:
    """Compute the report of a year, with the months of `timezone`. `smallest`: the people in the smallest group to show."""
    zone_ = zone(timezone)
    in_year = _is_within(_month_start(year, 1, zone_), _month_start(year + 1, 1, zone_))
    with reading(database) as connection:
        counts = tuple(c for month in range(1, 13) for c in _counts(connection, year, month, zone_))
        outcomes = Counter[str]()
        for count in counts:
            outcomes[count.outcome] += count.decisions
        identified_count = _count_identified(connection, in_year)
        attributes = tuple(
            ReportAttribute(name, publishable_groups(_tallies(connection, in_year, name), smallest))
            for name in _attributes(connection)
        )
    total = sum(outcomes.values())
    return YearlyReport(
        year=year,
        complete=now.astimezone(zone_).year > year,
        made_at=now,
        smallest_group=smallest,
        decisions=total,
        erased=total - identified_count,
        outcomes=dict(sorted(outcomes.items())),
        counts=counts,
        attributes=attributes,
    )


def publishable_groups(tallies: Iterable[Tally], smallest: int) -> tuple[Group, ...]:
    """The groups that you may publish, by value, with small groups hidden."""
    ordered = sorted(tallies, key=lambda t: t.value)
    hidden = hidden_values({t.value: t.people for t in ordered}, smallest)
    rates = {t.value: _rate(t.outcomes) for t in ordered if t.value not in hidden}
    best = max((rate for rate in rates.values() if rate is not None), default=None)
    return tuple(
        Group(t.value, hidden=True) if t.value in hidden else _published_group(t, rates[t.value], best) for t in ordered
    )


def hidden_values(people: Mapping[str, int], smallest: int) -> frozenset[str]:
    """The groups to hide: the small ones, and further groups by size until subtraction from the total reveals no group."""
    order = sorted(people, key=lambda value: (people[value], value))
    hidden = [value for value in order if people[value] < smallest]
    if not hidden:
        return frozenset()
    for value in order[len(hidden) :]:
        if len(hidden) > 1 and sum(people[v] for v in hidden) >= smallest:
            break
        hidden.append(value)
    return frozenset(hidden)


def _published_group(tally: Tally, rate: float | None, best: float | None) -> Group:
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
    decided = sum(outcomes.get(outcome, 0) for outcome in OUTCOMES)
    return outcomes.get("ADMIT", 0) / decided if decided else None


def _is_within(begins: datetime, ends: datetime) -> ColumnElement[bool]:
    return and_(DECISIONS.c.decided_at >= micros(begins), DECISIONS.c.decided_at < micros(ends))


def _month_start(year: int, month: int, zone_: tzinfo) -> datetime:
    """The first moment of a month in a time zone, as UTC."""
    return datetime(min(year, 9999), month, 1, tzinfo=zone_).astimezone(UTC)


def _counts(connection: Connection, year: int, month: int, zone_: tzinfo) -> list[Count]:
    ends = _month_start(year, month + 1, zone_) if month < 12 else _month_start(year + 1, 1, zone_)
    columns = (DECISIONS.c.perk, DECISIONS.c.outcome)
    query = select(*columns, func.count()).where(_is_within(_month_start(year, month, zone_), ends)).group_by(*columns)
    return [Count(perk, month, outcome, n) for perk, outcome, n in connection.execute(query.order_by(*columns))]


def _count_identified(connection: Connection, in_year: ColumnElement[bool]) -> int:
    joined = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    return connection.execute(select(func.count()).select_from(joined).where(in_year)).scalar() or 0


def _attributes(connection: Connection) -> list[str]:
    query = select(MONITORED_ATTRIBUTES.c.attribute).distinct().order_by(MONITORED_ATTRIBUTES.c.attribute)
    return list(connection.execute(query).scalars())


def _tallies(connection: Connection, in_year: ColumnElement[bool], attribute: str) -> list[Tally]:
    """The people in the year's decisions, grouped by their value of the attribute."""
    is_attribute = and_(
        MONITORED_ATTRIBUTES.c.person == DECISION_SUBJECTS.c.subject, MONITORED_ATTRIBUTES.c.attribute == attribute
    )
    joined = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq).outerjoin(
        MONITORED_ATTRIBUTES, is_attribute
    )
    value = func.coalesce(MONITORED_ATTRIBUTES.c.value, NOT_GIVEN).label("value")
    query = select(value, DECISION_SUBJECTS.c.subject, DECISIONS.c.outcome).select_from(joined).where(in_year)
    rows = query.subquery()
    people = select(rows.c.value, func.count(func.distinct(rows.c.subject))).group_by(rows.c.value)
    tallies = {name: Tally(name, n, {}) for name, n in connection.execute(people)}
    outcomes = select(rows.c.value, rows.c.outcome, func.count()).group_by(rows.c.value, rows.c.outcome)
    for name, outcome, n in connection.execute(outcomes.order_by(rows.c.value, rows.c.outcome)):
        tallies[name] = Tally(name, tallies[name].people, {**tallies[name].outcomes, outcome: n})
    return list(tallies.values())
