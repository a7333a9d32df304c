"""Watch: patterns over a person's events, and the flags that they raise.

The meaning stands here, as plainly as it can be said: some of the events, in their order, are of the pattern's steps. It
is the oracle of `engine.lang.joins`, which comes to the same through durable-rules.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations
from typing import Final

from engine.lang.program import Pattern, Program, Step
from engine.lang.reference import truth
from engine.lang.timezones import EPOCH
from engine.lang.truths import AS_OF, Values
from engine.lang.types import Value

SECOND: Final = 1_000_000  # events are told apart to the microsecond


@dataclass(frozen=True)
class Event:
    """An event of a person: its kind, on which side of it the person is (`subject` or `other`), when, in microseconds since
    1970-01-01 UTC, and its fields. `other` among the fields is the party on the other side.
    """

    kind: str
    role: str
    at: int
    fields: Values


Raised = Callable[[Pattern, Sequence[Event], int], bool]


def flags(
    program: Program,
    events: Iterable[Event],
    as_of: int,
    consented: Collection[str],
    raised: Raised | None = None,
    *,
    unread: bool = False,
) -> dict[str, Value | None]:
    """Each flag that the rules read, by its name: raised or not; missing where a class of its events is not consented to.
    With `unread` also those that no rule reads.

    `events` are what is visible of the person, in the order in which they became known; `as_of` in microseconds.
    """
    day = program.day(EPOCH + timedelta(microseconds=as_of))
    dated = (replace(e, fields={**e.fields, AS_OF: day}) for e in events)
    by_time = sorted(dated, key=lambda e: e.at)  # stable: equal times stay in the order of knowledge
    found = raised or reference
    known, asked = frozenset(consented), program.watch if unread else program.flags
    return {p.flag: found(p, by_time, as_of) if p.classes <= known else None for p in asked}


def reference(pattern: Pattern, events: Sequence[Event], as_of: int) -> bool:
    """Whether events that follow one another match the pattern's steps. `events` ascend by time. Slow, and obvious."""
    return any(_matches(pattern, chosen, as_of) for chosen in combinations(events, len(pattern.steps)))


def _matches(pattern: Pattern, chosen: Sequence[Event], as_of: int) -> bool:
    steps = all(fits(step, event) for step, event in zip(pattern.steps, chosen, strict=True))
    near = chosen[-1].at - chosen[0].at <= pattern.within * SECOND
    alike = len({key(pattern, event) for event in chosen}) == 1 and key(pattern, chosen[0]) is not None
    return steps and near and alike and lasting(pattern, chosen[-1], as_of)


def fits(step: Step, event: Event) -> bool:
    """Whether a single event is of the step: unknown is not."""
    side = step.role in ("either", event.role)
    return event.kind == step.kind and side and truth(step.where, event.fields) is True


def key(pattern: Pattern, event: Event) -> tuple[Value, ...] | None:
    """What the events of a match have in common; None when the event lacks some of it, and so matches nothing."""
    found = tuple(event.fields.get(name) for name in pattern.same)
    return None if None in found else tuple(v for v in found if v is not None)


def lasting(pattern: Pattern, last: Event, as_of: int) -> bool:
    """Whether a match that ended with this event still raises the flag."""
    return pattern.lasts is None or as_of - last.at < pattern.lasts * SECOND
