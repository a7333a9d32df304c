"""Read `since` and `until`: select the lines of a file that are in force on a day, and check that each period is valid."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from typing import Any, TypeVar

from engine.lang.model.problems import Report
from engine.lang.model.types import EPOCH, day_of
from engine.lang.syntax.dated_record import DatedRecord
from engine.lang.syntax.expression_tree import Word

Line = TypeVar("Line", bound=DatedRecord)


def dated_lines(line: DatedRecord) -> Iterator[DatedRecord]:
    """The line, and every line within it that can begin and end separately."""
    yield line
    for field in fields(line):
        value = getattr(line, field.name)
        if isinstance(value, tuple):
            for item in value:
                if isinstance(item, DatedRecord):
                    yield from dated_lines(item)


def change_days(lines: list[DatedRecord]) -> list[int]:
    """The days on which one of the lines begins or ends, ascending."""
    days = (_day(word) for line in lines for word in (line.since, line.until))
    return sorted({day for day in days if day is not None})


def check_dates_ascend(line: DatedRecord, report: Report) -> None:
    """A line begins before it ends."""
    since, until = _day(line.since), _day(line.until)
    if since is not None and until is not None and line.until and since >= until:
        text = f"this ends on {iso_date(until)}, and begins on {iso_date(since)}"
        report.add("R016", text, line.until.at, "`until` is the first day on which it no longer holds")


def in_force(line: Line, day: int | None) -> Line:
    """A copy of the line without the lines in it that are not in force on the day; None: before all days of change."""
    changes: dict[str, Any] = {}
    for field in fields(line):
        value = getattr(line, field.name)
        if isinstance(value, tuple) and any(isinstance(item, DatedRecord) for item in value):
            changes[field.name] = tuple(in_force(item, day) for item in value if holds(item, day))
    return replace(line, **changes)


def holds(line: DatedRecord, day: int | None) -> bool:
    """Whether the line itself is in force on the day; None: before all days of change."""
    since, until = _day(line.since), _day(line.until)
    started = since is None or (day is not None and since <= day)
    return started and (until is None or day is None or day < until)


def iso_date(day: int) -> str:
    """The date of a day, counted from 1970-01-01."""
    return date.fromordinal(EPOCH.toordinal() + day).isoformat()


def _day(word: Word | None) -> int | None:
    return day_of(word.text) if word else None
