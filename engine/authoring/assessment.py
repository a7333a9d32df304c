"""Try rules on one person: the score, the answer about each perk, and each line of the rules with the value that was there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.authoring.line_places import LinePlace, line_places
from engine.decide.decide import Decision, DecisionInputs, ReferenceEvaluator, assess, decide
from engine.decide.explain import RuleExplanation, explanations
from engine.decide.perks import PerkOutcome
from engine.decide.scorecard import ScoreResult
from engine.errors import Rejected
from engine.lang.engines.trace import Atom
from engine.lang.model.conditions import Values
from engine.lang.model.problems import SourceSpan
from engine.lang.model.program import AMOUNT, PERK_HELD, Part, Perk, Program
from engine.lang.model.types import Value, format_value, value_of
from engine.lang.syntax.schema_types import suggestion

MISSING = "missing"  # in place of a value


@dataclass(frozen=True)
class AssessedLine:
    """A line of the rules for a person. `sort`: scorable, bin, rule, knockout or tier. `value`: of the feature of a characteristic.

    `at` is the place of its id, `met_at` that of the points that count. `unknown`: the names that made it unknown.
    """

    id: str
    sort: str
    of: str  # the dimension, or the perk
    status: bool | None
    at: SourceSpan | None
    met_at: SourceSpan | None
    points: int | None
    value: str
    comparisons: tuple[Atom, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class PerkAnswer:
    """The answer about a perk for a deposit of `amount`, in minor units. `is_held` is None for a perk without a hold."""

    perk: Perk
    amount: int
    answer: PerkOutcome
    is_held: bool | None


@dataclass(frozen=True)
class Assessment:
    """What the rules say of one person."""

    result: ScoreResult
    lines: tuple[AssessedLine, ...]
    perks: tuple[PerkAnswer, ...]


def read_written_values(program: Program, values: Mapping[str, str]) -> dict[str, Value]:
    """The values of features and flags as you write them in a case. Raises Rejected `bad_value`."""
    plain = dict[str, Value]()
    for name, text in values.items():
        attribute = program.schema.get(name)
        if attribute is None:
            hint = suggestion(name[:60], program.schema)
            raise Rejected(f"unknown name `{name[:60]}`", where="values", hint=hint, code="bad_value")
        written = text.strip()
        if written in ("", MISSING):
            continue
        value = value_of(written, attribute.type, program.timezone)
        if value is None and attribute.type.kind == "duration" and written.isdigit():
            value = value_of(f"{written}d", attribute.type, program.timezone)
        if value is None:
            hint = f"it is {attribute.type}"
            raise Rejected(f"`{written[:60]}` is not a value of `{name}`", where="values", hint=hint, code="bad_value")
        plain[name] = value
    return plain


def assess_lines(
    program: Program, files: Mapping[str, str], values: Values, as_of: datetime, amounts: Mapping[str, int]
) -> Assessment:
    """Assess a person with these values as of a moment. `amounts` are the deposits by perk; without one we ask about the most."""
    day, evaluator = program.day(as_of), ReferenceEvaluator(program)
    own_values = {name: value for name, value in values.items() if name in program.schema}
    result = assess(evaluator, own_values, day)
    decisions = {p.id: _decide(program, p, own_values, as_of, amounts.get(p.id, p.most)) for p in program.perks}
    answers = tuple(_answer(program, decision) for decision in decisions.values())
    questions = {a.perk.id: {AMOUNT: a.amount, PERK_HELD: a.is_held} for a in answers}
    parts, places = {part.id: part for part in result.parts}, line_places(files)
    lines = (
        _line(program, explanation, parts, places, own_values)
        for explanation in explanations(program, own_values, result.score, day, questions)
    )
    return Assessment(result, tuple(lines), answers)


def _decide(program: Program, perk: Perk, values: Values, as_of: datetime, amount: int) -> Decision:
    moment = as_of.isoformat()
    inputs = DecisionInputs(
        subject="",
        perk=perk.id,
        amount=amount,
        currency=perk.currency,
        as_of=moment,
        known_at=moment,
        asked_at=moment,
        purpose="perks",
        values=values,
        timezone=program.timezone,
    )
    return decide(ReferenceEvaluator(program), inputs)


def _answer(program: Program, decision: Decision) -> PerkAnswer:
    perk = program.perk(decision.question.perk)
    assert perk is not None  # noqa: S101 - we asked about this one
    is_held = None if perk.hold is None else decision.held_since is not None
    return PerkAnswer(perk, decision.question.amount, decision.answer, is_held)


def _line(
    program: Program,
    explanation: RuleExplanation,
    parts: Mapping[str, Part],
    places: Mapping[tuple[str, str], LinePlace],
    values: Values,
) -> AssessedLine:
    is_of_perk = program.perk(explanation.of) is not None
    part = None if is_of_perk else parts.get(explanation.id)
    place = places.get((explanation.of if is_of_perk else "", explanation.id))
    feature = next((getattr(i, "feature", "") for i in program.scorecard.items if i.id == explanation.id), "")
    sort = next(_sorts(program, explanation, feature))
    return AssessedLine(
        id=explanation.id,
        sort=sort,
        of=explanation.of,
        status=explanation.status,
        at=place.at if place else None,
        met_at=_met_at(place, part, explanation.status),
        points=part.points if part else None,
        value=format_value(values.get(feature), program.schema[feature].type) if sort == "bin" else "",
        comparisons=explanation.atoms,
        unknown=explanation.unknown,
    )


def _sorts(program: Program, explanation: RuleExplanation, feature: str) -> Iterator[str]:
    perk = program.perk(explanation.of)
    if perk is not None:
        yield "knockout" if any(k.id == explanation.id for k in perk.knockouts) else "tier"
    yield "scorable" if explanation.of == "scorecard" else "bin" if feature else "rule"


def _met_at(place: LinePlace | None, part: Part | None, status: bool | None) -> SourceSpan | None:
    """The points that count: those of a bin, or those for a missing value; the id of any other line that is met."""
    if place is None or part is None or not place.bins:
        return place.at if place and status else None
    return place.missing if part.bin is None else place.bins[part.bin]
