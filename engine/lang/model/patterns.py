"""Define the compiled form of patterns over a person's events."""

from dataclasses import dataclass

from engine.lang.model.conditions import Truth


@dataclass(frozen=True)
class PatternStep:
    """One event of a pattern: its kind, the person's side in it, and a condition on its fields."""

    kind: str
    role: str  # subject, other or either
    where: Truth


@dataclass(frozen=True)
class Pattern:
    """A flag, and the pattern that raises it.

    The events of the steps must follow one another within `within` seconds, with equal values in the fields `same`. The
    flag stays raised for `lasts` seconds after the last event; if None, for as long as the events are visible.
    """

    id: str
    about: str
    steps: tuple[PatternStep, ...]
    within: int
    same: tuple[str, ...]
    lasts: int | None
    classes: frozenset[str]

    @property
    def flag(self) -> str:
        """The name of the flag in conditions."""
        return f"watch.{self.id}"
