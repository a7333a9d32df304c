"""Define the answers to questions about rules, and join those of all perks and periods to warnings.

A question about a line has an answer for each perk that reads it and for each period in which it is in force. We warn of a
period only if the answer is yes in all of its perks. A condition that reads the day can be met on other days: we warn of it
only if the answer is yes in all periods.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from engine.lang.check.periods import iso_date
from engine.lang.model.problems import Problem, SourceSpan
from engine.lang.model.types import Type, Value, format_value

Example = tuple[tuple[str, str], ...]  # names and values, as people write them


@dataclass(frozen=True)
class Verdict:
    """The answer to a question about a line: whether the warning `code` applies, and then its words.

    With `reads_day`, the line reads the day of the decision. `definition` names the definition that is all of the line: a
    warning about the definition covers it. `is_part`: it is about a part of a condition, which can have the same place.
    """

    code: str
    at: SourceSpan
    applies: bool
    message: str = ""
    hint: str = ""
    example: Example = ()
    reads_day: bool = False
    definition: str = ""
    is_part: bool = False


@dataclass(frozen=True)
class ProgramPeriod:
    """The days of a program: the first one, and the first one of the next program. None: no limit."""

    since: int | None
    until: int | None


MISSING: Final = "missing"


def example_of(values: Mapping[str, Value | None], types: Mapping[str, Type]) -> Example:
    """The values as text."""
    return tuple(
        (name, MISSING if value is None else format_value(value, types[name])) for name, value in values.items()
    )


def joined(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """One answer for each warning and line: that which applies, if one of them does."""
    by_line = dict[tuple[str, SourceSpan], Verdict]()
    for verdict in verdicts:
        key = (verdict.code, verdict.at)
        if key not in by_line or (verdict.applies and not by_line[key].applies):
            by_line[key] = verdict
    return list(by_line.values())


def warnings_of(verdicts: Mapping[ProgramPeriod, Iterable[Verdict]]) -> tuple[Problem, ...]:
    """The warnings, by place. A message names the days if the warning does not apply on all days of its line."""
    by_line: dict[tuple[str, SourceSpan], dict[ProgramPeriod, list[Verdict]]] = {}
    for period, answers in verdicts.items():
        for verdict in answers:
            by_line.setdefault((verdict.code, verdict.at), {}).setdefault(period, []).append(verdict)
    problems = (_warning(periods) for periods in by_line.values())
    return tuple(sorted((p for p in problems if p), key=lambda p: (p.at, p.code)))


def _warning(periods: Mapping[ProgramPeriod, list[Verdict]]) -> Problem | None:
    bad = [period for period, answers in periods.items() if all(a.applies for a in answers)]
    if not bad:
        return None
    first = periods[bad[0]][0]
    if len(bad) == len(periods):
        return _problem(first)
    if any(a.reads_day for answers in periods.values() for a in answers):
        return None
    return _problem(replace(first, message=first.message + _days(bad, list(periods))))


def _days(bad: list[ProgramPeriod], periods: list[ProgramPeriod]) -> str:
    """The first of the bad days in words, up to the next good ones."""
    place = periods.index(bad[0])
    end = next((p for p in periods[place:] if p not in bad), None)
    start = f", from {iso_date(bad[0].since)} on" if bad[0].since is not None and place else ""
    until = f", until {iso_date(end.since)}" if end and end.since is not None else ""
    return start.removesuffix(" on") + until if until else start


def _problem(verdict: Verdict) -> Problem:
    return Problem(verdict.code, verdict.message, verdict.at, verdict.hint, "warning", verdict.example)
