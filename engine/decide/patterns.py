"""Match patterns over a person's events, and raise flags. This is the reference.

A pattern matches if some of the events, in their order, are its steps. `engine.lang.engines.durable_joins` gives the
same results with durable-rules; we test it against this module.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations
from typing import Final

from engine.lang.engines.reference import truth
from engine.lang.model.conditions import AS_OF, Values
from engine.lang.model.patterns import Pattern, PatternStep
from engine.lang.model.program import Program
from engine.lang.model.timezones import EPOCH
from engine.lang.model.types import Value

SECOND: Final = 1_000_000  # events have times in microseconds


@dataclass(frozen=True)
class PatternEvent:
    """An event of a person.

    `role` is the person's side in it, `subject` or `other`. `at` is in microseconds since 1970-01-01 UTC. The field
    `other` is the party on the other side.
    """

    kind: str
    role: str
    at: int
    fields: Values


PatternMatcher = Callable[[Pattern, Sequence[PatternEvent], int], bool]


def flags(
    program: Program,
    events: Iterable[PatternEvent],
    as_of: int,
    consented: Collection[str],
    matcher: PatternMatcher | None = None,
    *,
    unread: bool = False,
) -> dict[str, Value | None]:
    """The value of each flag that the rules read.

    A flag is raised or not, or missing if the person does not consent to a class of its events. With `unread`, also the
    flags that no rule reads. `events` are the visible events of the person, in the order in which they became known;
    `as_of` is in microseconds.
    """
    day = program.day(EPOCH + timedelta(microseconds=as_of))
    dated_events = (replace(e, fields={**e.fields, AS_OF: day}) for e in events)
    by_time = sorted(
        dated_events, key=lambda e: e.at
    )  # stable: events at equal times keep the order in which they became known
    matches = matcher or reference_match
    consented_classes, patterns = frozenset(consented), program.watch if unread else program.flags
    return {p.flag: matches(p, by_time, as_of) if p.classes <= consented_classes else None for p in patterns}


def reference_match(pattern: Pattern, events: Sequence[PatternEvent], as_of: int) -> bool:
    """Whether some events, in their order, match the steps of the pattern. `events` ascend by time. Slow, and obvious."""
    return any(_matches(pattern, candidates, as_of) for candidates in combinations(events, len(pattern.steps)))


def _matches(pattern: Pattern, candidates: Sequence[PatternEvent], as_of: int) -> bool:
    steps = all(matches_step(step, event) for step, event in zip(pattern.steps, candidates, strict=True))
    within_limit = candidates[-1].at - candidates[0].at <= pattern.within * SECOND
    same_key = (
        len({match_key(pattern, event) for event in candidates}) == 1 and match_key(pattern, candidates[0]) is not None
    )
    return steps and within_limit and same_key and still_raised(pattern, candidates[-1], as_of)


def matches_step(step: PatternStep, event: PatternEvent) -> bool:
    """Whether a single event matches the step. Unknown counts as no."""
    side = step.role in ("either", event.role)
    return event.kind == step.kind and side and truth(step.where, event.fields) is True


def match_key(pattern: Pattern, event: PatternEvent) -> tuple[Value, ...] | None:
    """The values that all events of a match share; None if the event lacks one, so that it matches nothing."""
    values = tuple(event.fields.get(name) for name in pattern.same)
    return None if None in values else tuple(v for v in values if v is not None)


def still_raised(pattern: Pattern, last: PatternEvent, as_of: int) -> bool:
    """Whether a match that ended with this event still raises the flag."""
    return pattern.lasts is None or as_of - last.at < pattern.lasts * SECOND
