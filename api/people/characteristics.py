"""List the lines of the scorecard for a person: the value, its bin, the points, and the nearest bin that gives more."""

from typing_extensions import TypedDict

from api.decisions.score_explanation import ScoreExplanation
from api.people.person import wording
from api.releases.feature_lines import feature_line
from engine.decide.explain import RuleExplanation, explanations
from engine.decide.next_bin import next_bin
from engine.decide.recourse import Change
from engine.lang.model.program import Characteristic, Part, PointRule
from engine.lang.model.types import Type, format_value
from iftah.scoring import possible_changes


class Bin(TypedDict):
    """A bin: from `low` up to, but not including, `high` (None: without that bound), as rule files write them."""

    low: str | None
    high: str | None
    points: int
    has_value: bool  # the person's value is in it


class ConditionPart(TypedDict):
    """A comparison of a rule: its text, its status, the value, and the distance to its turn."""

    text: str
    status: bool | None
    value: str
    distance: str


class CharacteristicItem(TypedDict):
    """A characteristic, or a rule (without `feature` and `bins`). `raise_to`: the place of the nearest bin that gives `gain` more."""

    id: str
    dimension: str
    feature: str | None
    about: str
    value: str | None
    status: bool | None
    points: int
    best: int
    missing_points: int | None
    bins: list[Bin]
    raise_to: int | None
    gain: int
    can_change: bool
    reason_code: str
    reason: str
    comparisons: list[ConditionPart]


def list_characteristics(explanation: ScoreExplanation, language: str) -> list[CharacteristicItem]:
    """List the lines of the scorecard, in the order of the file."""
    program = explanation.program
    rules = {e.id: e for e in explanations(program, explanation.values, explanation.result.score, explanation.day)}
    changes = {n: c for n, c in possible_changes(program).items() if program.schema[n].classes <= explanation.classes}
    return [
        _item(explanation, part, item, rules[item.id], changes, language)
        for part, item in zip(explanation.result.parts, program.scorecard.items, strict=True)
    ]


def _item(
    explanation: ScoreExplanation,
    part: Part,
    item: Characteristic | PointRule,
    rule: RuleExplanation,
    changes: dict[str, Change],
    language: str,
) -> CharacteristicItem:
    program = explanation.program
    result = CharacteristicItem(
        id=item.id,
        dimension=item.dimension,
        feature=None,
        about="",
        value=None,
        status=part.status,
        points=part.points,
        best=part.baseline,
        missing_points=None,
        bins=[],
        raise_to=None,
        gain=0,
        can_change=False,
        reason_code=part.reason,
        reason=wording(program, part.reason, language),
        comparisons=[
            ConditionPart(text=a.text, status=a.status, value=a.value, distance=a.distance) for a in rule.atoms
        ],
    )
    if isinstance(item, Characteristic):
        _add_feature(result, explanation, part, item, changes.get(item.feature), language)
    return result


def _add_feature(
    result: CharacteristicItem,
    explanation: ScoreExplanation,
    part: Part,
    item: Characteristic,
    change: Change | None,
    language: str,
) -> None:
    value, type_ = explanation.values.get(item.feature), explanation.program.schema[item.feature].type
    better = None if change is None else next_bin(item, value, up=change.up)
    result["feature"] = item.feature
    result["about"] = feature_line(explanation.program, item.feature, language).about
    result["value"] = None if value is None else format_value(value, type_)
    result["missing_points"] = item.missing
    result["bins"] = _bins(item, part, type_)
    result["can_change"] = change is not None
    if better is not None:
        result["raise_to"], result["gain"] = better.place, better.gain


def _bins(item: Characteristic, part: Part, type_: Type) -> list[Bin]:
    bounds = [None, *(format_value(cut, type_) for cut in item.cuts), None]
    return [
        Bin(low=low, high=high, points=points, has_value=part.bin == place)
        for place, (low, high, points) in enumerate(zip(bounds, bounds[1:], item.points, strict=False))
    ]
