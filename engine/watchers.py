"""Watchers: the patterns of a program at work, each through durable-rules (`engine.lang.joins`)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from engine.lang.joins import Joins
from engine.lang.program import Pattern, Program
from engine.lang.types import Value
from engine.watch import SECOND, Event, fits, flags, key, lasting


class Watchers:
    """Raises the flags of a program. The C side is freed by `close`, or by itself when nobody holds them any more."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._joins = {p.id: Joins(p) for p in program.flags}

    def flags(self, events: Iterable[Event], as_of: int, consented: Collection[str]) -> dict[str, Value | None]:
        """Each flag that the rules read: see `engine.watch.flags`."""
        return flags(self.program, events, as_of, consented, self.raised)

    def raised(self, pattern: Pattern, events: Sequence[Event], as_of: int) -> bool:
        """Whether the pattern matches; `events` ascend by time. Cost: one call of durable-rules for each event that could
        be a step of it.
        """
        so_far: dict[object, _SoFar] = defaultdict(lambda: _SoFar([None] * len(pattern.steps)))
        last = False
        for event in events:
            common, step_of = key(pattern, event), [fits(step, event) for step in pattern.steps]
            if common is None or not any(step_of):
                continue
            state = so_far[common]
            deadlines = [None if b is None else b + pattern.within * SECOND for b in state.begun[:-1]]
            taken = self._joins[pattern.id].next(deadlines, step_of, event.at)
            state.take(taken, event.at)
            last |= len(pattern.steps) - 1 in taken and lasting(pattern, event, as_of)
        return last

    def close(self) -> None:
        """Free every handle. Closing again does nothing."""
        for joins in self._joins.values():
            joins.close()


@dataclass
class _SoFar:
    """When, at the latest, a match of the first n + 1 steps began; None when there is none."""

    begun: list[int | None] = field(default_factory=list)

    def take(self, steps: Collection[int], at: int) -> None:
        before = list(self.begun)  # an event is one step of a match only
        for step in steps:
            began = at if step == 0 else before[step - 1]
            known = before[step]
            if began is not None:
                self.begun[step] = began if known is None else max(began, known)
