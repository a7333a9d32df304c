"""Compute the features of cases. We import the column engine only when a case needs it: without, commands start sooner."""

from collections.abc import Mapping, Sequence

from engine.decide.patterns import PatternEvent
from engine.lang.model.program import Program
from engine.lang.model.types import Value


def case_features(program: Program, events: Sequence[PatternEvent], micros: int) -> Mapping[str, Value | None]:
    """The features of a person with these events at a moment, in microseconds since 1970-01-01 UTC."""
    from iftah.feature_cases import case_features as compute

    return compute(program, events, micros)
