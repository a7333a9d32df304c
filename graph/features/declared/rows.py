"""Select the rows that a pass reads: a person's events or ties, with only the columns that its features need."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

import narwhals as nw
import polars as pl

from graph.evidence.calendar import local_time, month, month_of, months_before
from graph.evidence.events import SCHEMA
from graph.evidence.vocabulary import EARLIEST_EVENT_TIME
from graph.features.declared.definition import (
    AGE,
    HAPPENED_ON,
    IS_PERSON,
    OTHER,
    TIME_OF_DAY,
    FeatureDefinition,
    Side,
    Source,
    Window,
)
from graph.features.integer_math import Frame, indicator, integer, microseconds

DAY_MICROSECONDS: Final = 86_400 * 10**6
EPOCH: Final = date(1970, 1, 1)
EPOCH_DAYS: Final = (EPOCH - EARLIEST_EVENT_TIME.date()).days  # from the earliest event to 1970-01-01
LOCAL_NAMES: Final = frozenset((HAPPENED_ON, TIME_OF_DAY, "month"))
INTEGER_COLUMNS: Final = frozenset(c for c, t in SCHEMA.items() if t == pl.Int64)
DATE_COLUMNS: Final = frozenset(c for c, t in SCHEMA.items() if t == pl.Date)
SIDES: Final[dict[Side, tuple[tuple[str, str, str], ...]]] = {
    "subject": (("for_subject", "subject", "other"),),
    "other": (("for_other", "other", "subject"),),
    "either": (("for_subject", "subject", "other"), ("for_other", "other", "subject")),
}


@dataclass(frozen=True)
class Moment:
    """The moment of a computation, and the zone in which it counts days and months."""

    as_of: datetime
    zone: tzinfo = UTC

    @property
    def day(self) -> int:
        """The local day, counted from 1970-01-01."""
        return (self.as_of.astimezone(self.zone).date() - EPOCH).days

    @property
    def microseconds(self) -> int:
        """The moment in microseconds since the earliest event, as rows hold theirs."""
        return (self.as_of - EARLIEST_EVENT_TIME) // timedelta(microseconds=1)

    @property
    def month(self) -> int:
        """The local calendar month, counted from year 0."""
        return month_of(self.as_of, self.zone)

    def start(self, window: Window) -> datetime | None:
        """A moment after which all events that count happened; None for all. Full months begin somewhat later."""
        if window.microseconds is not None:
            longest = self.microseconds + DAY_MICROSECONDS  # before any event
            return self.as_of - timedelta(microseconds=min(window.microseconds, longest))
        months = window.months if window.full_months is None else window.full_months + 1
        return None if months is None else months_before(self.as_of, months, self.zone)


@dataclass(frozen=True)
class Selection:
    """What a pass reads, beside its kinds of events."""

    source: Source
    side: Side
    window: Window


def selection_of(definition: FeatureDefinition) -> Selection:
    """The selection of a definition."""
    return Selection(definition.source, definition.side, definition.window)


def event_rows(
    events: Frame, enrolled: Frame, selection: Selection, kinds: list[str], names: Iterable[str], moment: Moment
) -> Frame:
    """Select the events of these kinds, a row for each `person`: their moment `at`, and the columns in `names`.

    `other` is the other party, as the person sees it. `enrolled` has the people of the view, as `person`.
    """
    wanted_names = set(names) - {"person", "at"}
    sides = [_side_rows(events, selection, kinds, side, wanted_names, moment) for side in SIDES[selection.side]]
    rows = sides[0] if len(sides) == 1 else nw.concat(sides)
    if selection.window.full_months is not None:
        last = moment.month - 1
        rows = rows.filter(nw.col("month").is_between(last - selection.window.full_months + 1, last))
    return with_is_person(rows, enrolled) if IS_PERSON in wanted_names else rows


def _side_rows(
    events: Frame, selection: Selection, kinds: list[str], side: tuple[str, str, str], names: set[str], moment: Moment
) -> Frame:
    flag, person, party = side
    start = moment.start(selection.window)
    kind = nw.col("kind")
    conditions = [kind == kinds[0] if len(kinds) == 1 else kind.is_in(kinds)]
    conditions += [nw.col(flag)] + ([nw.col("happened_at") > nw.lit(start)] if start else [])
    if IS_PERSON in names:
        names = names | {OTHER}
    if selection.window.full_months is not None:
        names = names | {"month"}
    stored = sorted(names - LOCAL_NAMES - {AGE, OTHER, IS_PERSON})
    columns = [_column(name).alias(name) for name in stored]
    columns += [nw.col(party).alias(OTHER)] if OTHER in names else []
    at = microseconds(nw.col("happened_at"))
    needs_local = bool(names & LOCAL_NAMES)
    local = [local_time(nw.col("happened_at"), start or _earliest(), moment.as_of, moment.zone).alias("local_time")]
    rows = events.filter(*conditions).select(
        nw.col(person).alias("person"), at.alias("at"), *columns, *(local if needs_local else [])
    )
    return _with_times(rows, names, moment)


def _earliest() -> datetime:
    return EARLIEST_EVENT_TIME


def _column(name: str) -> nw.Expr:
    column = nw.col(name)
    if name in DATE_COLUMNS:
        moments = column.cast(nw.Datetime("us")) - nw.lit(datetime(1900, 1, 1))
        return moments.dt.total_minutes().cast(nw.Int64()) // (24 * 60) - EPOCH_DAYS
    return column.cast(nw.Int64()) if name in INTEGER_COLUMNS else column


def _with_times(rows: Frame, names: set[str], moment: Moment) -> Frame:
    """Add the times that a row is asked for, as integers."""
    local = microseconds(nw.col("local_time").cast(nw.Datetime("us", "UTC")))
    times = {
        AGE: integer(moment.microseconds) - nw.col("at"),
        HAPPENED_ON: local // DAY_MICROSECONDS - EPOCH_DAYS,
        TIME_OF_DAY: local % DAY_MICROSECONDS,
        "month": month(nw.col("local_time")),
    }
    selected = {name: value for name, value in times.items() if name in names}
    added = rows.with_columns(**selected) if selected else rows
    return added.drop("local_time") if names & LOCAL_NAMES else added


def tie_rows(live: Frame, enrolled: Frame, names: Iterable[str]) -> Frame:
    """Select the ties in force: a row for each `person` that a tie supports, with `other`, `tie` and `strength`.

    A mutual tie supports both people, a vouch only the person whom it is for.
    """
    rows = supporting_pairs(live)
    rows = rows.with_columns(nw.col("strength").cast(nw.Int64()))
    return with_is_person(rows, enrolled) if IS_PERSON in set(names) else rows


def with_is_person(rows: Frame, enrolled: Frame) -> Frame:
    """Add whether the other party of a row is a person."""
    people = enrolled.select(nw.lit(1).alias("match"), other="person")
    joined = rows.join(people, on="other", how="left")
    return joined.with_columns((indicator(nw.col("match") == 1) == 1).alias(IS_PERSON)).drop("match")


def supporting_pairs(live: Frame) -> Frame:
    """Return a row for each `person` and tie that supports the person, with the `other`, `tie` and `strength`."""
    forth = live.filter(nw.col("tie") != "vouch").select("tie", "strength", person="a", other="b")
    return nw.concat([forth, live.select("tie", "strength", person="b", other="a")])
