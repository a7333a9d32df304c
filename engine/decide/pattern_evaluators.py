"""Evaluate the patterns of a program with durable-rules (`engine.lang.engines.durable_joins`)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from engine.decide.patterns import SECOND, PatternEvent, flags, match_key, matches_step, still_raised
from engine.lang.engines.durable_joins import Joins
from engine.lang.model.patterns import Pattern
from engine.lang.model.program import Program
from engine.lang.model.types import Value


class PatternEvaluators:
    """Raises the flags of a program. `close` frees the C side; so does the garbage collector."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._joins = {p.id: Joins(p) for p in program.flags}

    def flags(self, events: Iterable[PatternEvent], as_of: int, consented: Collection[str]) -> dict[str, Value | None]:
        """The value of each flag that the rules read: see `engine.decide.patterns.flags`."""
        return flags(self.program, events, as_of, consented, self.is_raised)

    def is_raised(self, pattern: Pattern, events: Sequence[PatternEvent], as_of: int) -> bool:
        """Whether the pattern matches; `events` ascend by time. Cost: one call of durable-rules for each possible step."""
        progress: dict[object, _MatchProgress] = defaultdict(lambda: _MatchProgress([None] * len(pattern.steps)))
        raised = False
        for event in events:
            shared_key, step_of = match_key(pattern, event), [matches_step(step, event) for step in pattern.steps]
            if shared_key is None or not any(step_of):
                continue
            state = progress[shared_key]
            deadlines = [None if b is None else b + pattern.within * SECOND for b in state.started_at[:-1]]
            matched_steps = self._joins[pattern.id].next(deadlines, step_of, event.at)
            state.advance(matched_steps, event.at)
            raised |= len(pattern.steps) - 1 in matched_steps and still_raised(pattern, event, as_of)
        return raised

    def close(self) -> None:
        """Free every handle. Idempotent."""
        for joins in self._joins.values():
            joins.close()


@dataclass
class _MatchProgress:
    """The latest beginning of a match of the first n + 1 steps; None if there is none."""

    started_at: list[int | None] = field(default_factory=list)

    def advance(self, matched_steps: Collection[int], at: int) -> None:
        previous = list(self.started_at)  # an event is only one step of a match
        for step in matched_steps:
            start = at if step == 0 else previous[step - 1]
            latest = previous[step]
            if start is not None:
                self.started_at[step] = start if latest is None else max(start, latest)
