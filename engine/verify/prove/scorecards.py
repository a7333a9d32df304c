"""Ask about a scorecard: its conditions, its cuts, and whether better values give fewer points."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import z3

from engine.lang.model.conditions import AS_OF, names
from engine.lang.model.problems import SourceSpan
from engine.lang.model.program import Characteristic, PointRule, Program
from engine.lang.model.types import DATE, Type, Value, format_value
from engine.lang.syntax.ast import CharacteristicLine, RuleLine, ScorecardFile
from engine.verify.prove.conditions import QuestionScope, condition_verdicts, never_met, with_definitions
from engine.verify.prove.encoding import Encoder
from engine.verify.prove.lines import Clause
from engine.verify.prove.solver import PersonSolver
from engine.verify.prove.verdicts import ProgramPeriod, Verdict, example_of

Item = Characteristic | PointRule
DIRECTIONS = {"higher is better": 1, "lower is better": -1}


def feature_types(program: Program, period: ProgramPeriod) -> dict[str, Type]:
    """The types of features and flags, and of the day, which is one of the period."""
    low = DATE.low if period.since is None else period.since
    high = DATE.high if period.until is None else period.until - 1
    return {name: a.type for name, a in program.schema.items()} | {AS_OF: Type("date", low=low, high=high)}


def scorecard_verdicts(program: Program, file: ScorecardFile, scope: QuestionScope) -> list[Verdict]:
    """All answers about the scorecard. `scope` has the people of one period."""
    card = program.scorecard
    scorable = Clause("`scorable`", file.scorable.when, card.scorable)
    rules = [
        Clause(f"the rule `{item.id}`", line.when, item.when)
        for line, item in zip(file.rules, [i for i in card.items if isinstance(i, PointRule)], strict=True)
    ]
    verdicts = [*_scorable_verdicts(scorable, scope), *_item_verdicts(program, file, scope)]
    verdicts += (verdict for rule in rules for verdict in condition_verdicts(rule, scope))
    return with_definitions(verdicts, [scorable, *rules], {word.text: expr for word, expr in file.define}, scope)


def _item_verdicts(program: Program, file: ScorecardFile, scope: QuestionScope) -> Iterator[Verdict]:
    lines: list[CharacteristicLine | RuleLine] = [*file.characteristics, *file.rules]
    for line, item in zip(lines, program.scorecard.items, strict=True):
        if isinstance(item, Characteristic) and isinstance(line, CharacteristicLine):
            yield from _cut_verdicts(line, item, scope.people.types[item.feature])
    places = {item.id: _points_place(line) for line, item in zip(lines, program.scorecard.items, strict=True)}
    yield from _direction_verdicts(program, scope, places)


def _points_place(line: CharacteristicLine | RuleLine) -> SourceSpan:
    return line.points[0].at if isinstance(line, CharacteristicLine) else line.points.at


def _scorable_verdicts(clause: Clause, scope: QuestionScope) -> Iterator[Verdict]:
    """Ask whether nobody gets a score. That everyone gets one may be meant, if the file says `true`."""
    never = never_met(clause, scope)
    message = never.message.replace("`scorable` is never met", "nobody gets a score")
    hint = "every answer would be UNSCORABLE: let some people meet it"
    yield Verdict("W108", never.at, never.applies, message, hint, never.example, never.reads_day)
    yield from (
        v for v in condition_verdicts(clause, scope, literal_is_meant=True) if (v.code, v.at) != ("W101", clause.at)
    )


def _cut_verdicts(line: CharacteristicLine, item: Characteristic, type_: Type) -> Iterator[Verdict]:
    """No value lies below a cut at or under the lowest value, and none above a cut over the highest."""
    for word, cut in zip(line.cuts, item.cuts, strict=True):
        low, high = format_value(type_.low, type_), format_value(type_.high, type_)
        side = "below" if cut <= type_.low else "at or above" if cut > type_.high else ""
        message = f"no value of `{item.feature}` lies {side} the cut {word.text}: its bounds are {low} to {high}"
        example = ((item.feature, low if cut <= type_.low else high),)
        yield Verdict("W106", word.at, bool(side), message, "take out the cut and its points", example)


@dataclass(frozen=True)
class _DirectedPeople:
    """Two people who differ in one feature alone, of which the second has the better value."""

    first: Encoder
    second: Encoder
    solver: PersonSolver


def _direction_verdicts(program: Program, scope: QuestionScope, places: Mapping[str, SourceSpan]) -> Iterator[Verdict]:
    """Ask, for each feature with a direction, which lines take points for a better value, so that the sum falls too.

    Several lines can share a range of values among them, so a line alone proves nothing.
    """
    readers: dict[str, list[Item]] = {}
    for item in program.scorecard.items:
        for name in [item.feature] if isinstance(item, Characteristic) else dict.fromkeys(names(item.when)):
            if name in program.schema and program.schema[name].direction in DIRECTIONS:
                readers.setdefault(name, []).append(item)
    against = dict[str, Verdict]()
    for feature, items in readers.items():
        for id_, verdict in _against(program, scope, feature, items, places):
            against.setdefault(id_, verdict)
    for item in program.scorecard.items:
        yield against.get(item.id) or Verdict("W110", places[item.id], False)


def _against(
    program: Program, scope: QuestionScope, feature: str, items: list[Item], places: Mapping[str, SourceSpan]
) -> Iterator[tuple[str, Verdict]]:
    pair = _pair(scope, feature, DIRECTIONS[program.schema[feature].direction])
    gains = {item.id: pair.second.points(item) - pair.first.points(item) for item in items}
    pair.solver.require(z3.Sum(list(gains.values())) < 0)
    rest = {item.id: item for item in items}
    while rest:
        search = pair.solver.search(z3.Or([gains[id_] < 0 for id_ in rest]))
        if search.model is None:
            return
        for id_, item in list(rest.items()):
            if search.model.eval(gains[id_] < 0, model_completion=True):
                del rest[id_]
                yield id_, _direction_verdict(program, pair, search.model, feature, item, places[id_])


def _pair(scope: QuestionScope, feature: str, sign: int) -> _DirectedPeople:
    scope.people.value(feature)
    second = scope.people.varied(feature)
    solver = PersonSolver(scope.people, second, effort=scope.solver.effort)
    difference = second.value(feature) - scope.people.value(feature)
    solver.require(scope.people.has_value(feature), second.has_value(feature), difference * sign > 0)
    return _DirectedPeople(scope.people, second, solver)


def _direction_verdict(
    program: Program, pair: _DirectedPeople, model: object, feature: str, item: Item, at: SourceSpan
) -> Verdict:
    read = [feature] if isinstance(item, Characteristic) else dict.fromkeys(names(item.when))
    values: dict[str, Value | None] = pair.first.values_in(model, read)
    better = pair.second.values_in(model, [feature])[feature]
    type_ = pair.first.types[feature]
    lower, higher = (people.points(item) for people in (pair.second, pair.first))
    points = [model.eval(term, model_completion=True) for term in (higher, lower)]  # type: ignore[attr-defined]
    before, after = format_value(values[feature], type_), format_value(better, type_)
    message = (
        f"`{item.id}` gives {points[0]} points at `{feature}` {before} and {points[1]} at {after}, "
        f"but {program.schema[feature].direction}"
    )
    hint = "turn the points round, or declare another direction"
    return Verdict("W110", at, True, message, hint, example_of(values, pair.first.types))
