"""Search for events that raise a flag, or that only just do not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from engine.decide.patterns import SECOND, PatternEvent, reference_match
from engine.lang.model.conditions import AS_OF, Values, names
from engine.lang.model.patterns import Pattern, PatternStep
from engine.lang.model.program import Program
from engine.lang.model.types import DAY, Kinds
from engine.verify.case_values import micros_of
from engine.verify.steering import MutableValues, Steering

MAX_EVENT_DRAWS: Final = 100  # draws of the events of one pattern


@dataclass(frozen=True)
class EventDraft:
    """An event before we write it. `at` is in seconds since 1970-01-01 UTC. A field without a value is None."""

    kind: str
    role: str
    at: int
    fields: Values


@dataclass(frozen=True)
class _FlagSearch:
    program: Program
    kinds: Kinds
    pattern: Pattern
    day: int
    chooser: Random

    def start_of(self, day: int) -> int:
        return micros_of(self.program.start_of(day)) // SECOND

    def is_raised(self, events: tuple[EventDraft, ...]) -> bool:
        dated_events = [
            PatternEvent(e.kind, e.role, e.at * SECOND, {**e.fields, AS_OF: self.day})
            for e in sorted(events, key=lambda e: e.at)
        ]
        return reference_match(self.pattern, dated_events, self.start_of(self.day) * SECOND)


def flag_events(
    program: Program, kinds: Kinds, pattern: Pattern, day: int, chooser: Random, *, raised: bool
) -> Iterator[tuple[EventDraft, ...]]:
    """Yield events before a day, one at least, with which the flag is raised, or is not."""
    search = _FlagSearch(program, kinds, pattern, day, chooser)
    for _ in range(MAX_EVENT_DRAWS):
        events = _steps(search)
        for candidate in (events,) if raised else _near_misses(search, events):
            if candidate and search.is_raised(candidate) is raised:
                yield candidate


def _steps(search: _FlagSearch) -> tuple[EventDraft, ...]:
    """An event for each step, in order, with equal values in the fields that must be the same."""
    pattern, events = search.pattern, list[EventDraft]()
    for step, at in zip(pattern.steps, _moments(search), strict=True):
        fields = _fields(search, step, {n: v for e in events[:1] for n, v in e.fields.items() if n in pattern.same})
        role = "subject" if step.role == "either" else step.role
        events.append(EventDraft(step.kind, role, at, fields))
    return tuple(events)


def _fields(search: _FlagSearch, step: PatternStep, shared: Values) -> MutableValues:
    attributes = search.kinds[step.kind].fields
    read = {*names(step.where), *search.pattern.same} - {AS_OF}
    types = {name: attributes[name].type for name in sorted(read)}
    usual = {n: search.day if t.kind == "date" else search.start_of(search.day) for n, t in types.items() if t.moment}
    steering = Steering([step.where], types, search.chooser, usual)
    values: MutableValues = {**shared, AS_OF: search.day}
    steering.steer(step.where, True, values)
    for name in search.pattern.same:
        if values.get(name) is None:
            values[name] = steering.value(name)
    for name in types:
        currency = attributes[name].currency
        if currency and values.get(name) is not None and values.get(currency) is None:
            values[currency] = search.program.perks[0].currency
    del values[AS_OF]
    return values


def _moments(search: _FlagSearch) -> list[int]:
    """A moment for each step: days one after the other, or shorter if the pattern allows less time."""
    pattern, count = search.pattern, len(search.pattern.steps)
    last_day = search.day - 1 if pattern.lasts is None or pattern.lasts > 2 * DAY else search.day
    if pattern.within >= count * DAY:
        return [search.start_of(last_day - n) for n in reversed(range(count))]
    gap = pattern.within // max(count - 1, 1)
    return [search.start_of(last_day) - n * gap for n in reversed(range(count))]


def _near_misses(search: _FlagSearch, events: tuple[EventDraft, ...]) -> Iterator[tuple[EventDraft, ...]]:
    """The same without one event, at other times, or with a field or the kind of an event changed."""
    pattern = search.pattern
    yield events[1:]
    yield (replace(events[0], at=events[0].at - pattern.within - DAY), *events[1:])
    if pattern.lasts is not None:
        yield tuple(replace(e, at=e.at - pattern.lasts - DAY) for e in events)
    for name in pattern.same:
        yield (replace(events[0], fields={**events[0].fields, name: None}), *events[1:])
    yield (replace(events[0], fields={}), *events[1:])
    other_kinds = sorted(set(search.kinds) - {step.kind for step in pattern.steps})
    if other_kinds:
        yield (EventDraft(other_kinds[0], "subject", events[0].at, {}), *events[1:])
