"""List a person's features in words: what each says, its value, and the kinds of evidence that it was computed from."""

from collections.abc import Iterator
from datetime import datetime
from typing import TypedDict

from api.decisions.score_explanation import ScoreExplanation
from api.people.person import explain_own_score
from api.releases.feature_lines import feature_line
from api.runtime.context import AppContext
from engine.lang.model.program import Program
from engine.lang.model.types import format_value


class FeatureItem(TypedDict):
    """A feature with a value. `made_of`: what happened, in words; empty for a feature that no rule file declares."""

    feature: str
    about: str
    value: str
    unit: str
    as_of: datetime
    window: str
    data_classes: list[str]
    made_of: list[str]


def list_features(context: AppContext, person: str, now: datetime, language: str) -> list[FeatureItem]:
    """List the features of the person that have a value and that we may use now.

    Raises Rejected as `explain_own_score`.
    """
    explanation = explain_own_score(context, person, now)
    program, values = explanation.program, explanation.values
    flags = {pattern.flag for pattern in program.watch}
    return [
        _item(context, explanation, name, format_value(values[name], attribute.type), language)
        for name, attribute in program.schema.items()
        if name in values and name not in flags
    ]


def _item(context: AppContext, explanation: ScoreExplanation, name: str, value: str, language: str) -> FeatureItem:
    program = explanation.program
    line = feature_line(program, name, language)
    kinds = dict.fromkeys(_kinds(program, name))
    return {
        "feature": name,
        "about": line.about,
        "value": value,
        "unit": "" if line.type == "money" else line.unit,  # an amount of money has its currency
        "as_of": explanation.build.as_of,
        "window": line.window,
        "data_classes": sorted(program.schema[name].classes),
        "made_of": [context.vocabulary.kind(kind).words(language) for kind in kinds],
    }


def _kinds(program: Program, name: str) -> Iterator[str]:
    """The kinds of events that a declared feature reads, or the features that it is computed from."""
    feature = program.declarations.get(name)
    if feature is not None:
        yield from feature.kinds
        for used in feature.uses:
            yield from _kinds(program, used)
