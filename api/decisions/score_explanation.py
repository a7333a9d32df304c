"""Explain a person's score: every part of it, from the feature values that we may use now."""

from dataclasses import dataclass
from datetime import datetime

from api.features import pattern_flags, serving_features
from api.features.builds import Build
from api.features.serving_features import ServingFeatures
from api.runtime.context import AppContext
from engine.decide.decide import assess
from engine.decide.scorecard import ScoreResult
from engine.lang.model.program import Program
from engine.lang.model.types import Value


@dataclass(frozen=True)
class ScoreExplanation:
    """A person's score with its parts, the values we computed it from, and the rules."""

    person: str
    build: Build
    program: Program
    values: dict[str, Value]
    result: ScoreResult
    classes: frozenset[str] = frozenset()  # data classes to which the person consents
    linked: tuple[str, ...] = ()  # all ids that we read as this person, if there are several

    @property
    def day(self) -> int:
        """The day of the score's `as_of`, counted from 1970-01-01."""
        return self.program.day(self.build.as_of)


def explain_score(context: AppContext, person: str, now: datetime) -> ScoreExplanation:
    """Compute a person's score with its parts. Raises Rejected as `serving_features.serving_features_of`."""
    features = serving_features.serving_features_of(context.database, context.release, person, now)
    values, day = _values(context, features, person), context.day(features.row_build.as_of)
    result = assess(context.evaluators.at(day), values, day)
    program = context.program(features.row_build)
    return ScoreExplanation(person, features.row_build, program, values, result, features.classes, features.linked)


def _values(context: AppContext, features: ServingFeatures, person: str) -> dict[str, Value]:
    """The values that we may use now: features, and the flags that the rules read."""
    flags = pattern_flags.flags_of_person(
        context.database, context.evaluators, features.row_build, person, features.classes, features.stored_flags
    )
    return features.values | {name: value for name, value in flags.items() if value is not None}
