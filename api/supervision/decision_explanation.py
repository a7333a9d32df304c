"""Explain a recorded decision: the rule that decided, its lines in the release's files, and the values that were there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.runtime.context import AppContext
from api.store.clock import EPOCH, add_days, iso
from api.supervision import replay
from engine.decide.decide import DecisionInputs, question_from_record
from engine.decide.explain import RuleExplanation, recorded_rules, shortfalls
from engine.lang.model.program import Characteristic, Perk, Program
from engine.lang.model.types import Value, format_value
from engine.lang.syntax.rule_places import SCORABLE, PlaceInFile, find_place, rule_places

LINES_AROUND: Final = 2  # lines of the file that we show before and after the rule


@dataclass(frozen=True)
class DecisionRule:
    """A rule as it was evaluated. `decides`: the outcome follows from it. `kind`: scorable, knockout or tier."""

    kind: str
    decides: bool
    explanation: RuleExplanation
    place: PlaceInFile | None


@dataclass(frozen=True)
class FileLine:
    """A line of a rule file. `decides`: it belongs to a rule that decided."""

    number: int
    text: str
    decides: bool


@dataclass(frozen=True)
class PointsLine:
    """A line of the scorecard with the value, as people write it (None: missing), and its points."""

    id: str
    dimension: str
    feature: str | None
    value: str | None
    status: bool | None
    points: int
    best: int


@dataclass(frozen=True)
class DecisionExplanation:
    """A decision with its rules, and an excerpt of the file that holds the rule that decided.

    If no tier was met, the excerpt marks all tiers. `values`: by feature, as people write them. `lacks`: what the nearest tier of a decline lacked, a line each.
    """

    program: Program
    record: Mapping[str, Any]
    rules: tuple[DecisionRule, ...]
    file: str | None
    lines: tuple[FileLine, ...]
    points: tuple[PointsLine, ...]
    values: Mapping[str, str]
    lacks: tuple[str, ...]


def explain_decision(context: AppContext, name: str) -> DecisionExplanation:
    """Explain a decision under its own release. Raises Rejected as `replay.replay`."""
    record = replay.load_decision(context.database, name)
    question = question_from_record(record)
    release = replay.load_release(context, str(record["release"]))
    program = release.at(question.day)
    places, day = rule_places(release.files), iso(add_days(EPOCH, days=question.day))[:10]
    rules = tuple(_rules(program, record, places, day))
    decisive = [rule.place for rule in rules if rule.decides and rule.place]
    decisive = decisive or [rule.place for rule in rules if rule.kind == "tier" and rule.place]
    file = decisive[0].file if decisive else None
    return DecisionExplanation(
        program=program,
        record=record,
        rules=rules,
        file=file,
        lines=tuple(_lines(release.files[file], [p for p in decisive if p.file == file])) if file else (),
        points=tuple(_points(program, record, question)),
        values={n: _text(program, n, value) for n, value in sorted(question.values.items()) if value is not None},
        lacks=tuple(f"{s.comparison}: {s.value}" for s in shortfalls(program, dict(record))),
    )


def _rules(
    program: Program, record: Mapping[str, Any], places: tuple[PlaceInFile, ...], day: str
) -> Iterator[DecisionRule]:
    perk = program.perk(record["question"]["perk"])
    knockouts = {knockout.id for knockout in perk.knockouts} if perk else set()
    decisive = _decisive_rules(perk, record)
    for rule in recorded_rules(program, dict(record)):
        is_scorable = rule.id == SCORABLE
        kind = SCORABLE if is_scorable else "knockout" if rule.id in knockouts else "tier"
        place = find_place(places, "scorecard" if is_scorable else "perks", rule.id, day)
        yield DecisionRule(kind, rule.id in decisive, rule, place)


def _decisive_rules(perk: Perk | None, record: Mapping[str, Any]) -> frozenset[str]:
    """The ids of the rules from which the outcome follows. None: no tier was met."""
    if record["answer"]["outcome"] == "UNSCORABLE":
        return frozenset({SCORABLE})
    if perk is None:
        return frozenset()
    statuses = record["statuses"]
    stops = [k.id for k in perk.knockouts if statuses[k.id] or (statuses[k.id] is None and k.unknown_declines)]
    return frozenset(stops or [t.id for t in perk.tiers if statuses[t.id]][:1])


def _lines(text: str, places: list[PlaceInFile]) -> Iterator[FileLine]:
    """The lines of these places, with a few lines around them. Lines far from all of them are left out."""
    decisive = {n for place in places for n in range(place.first, place.last + 1)}
    excerpt_numbers = {n + step for n in decisive for step in range(-LINES_AROUND, LINES_AROUND + 1)}
    for number, line in enumerate(text.splitlines(), 1):
        if number in excerpt_numbers:
            yield FileLine(number, line, number in decisive)


def _points(program: Program, record: Mapping[str, Any], question: DecisionInputs) -> Iterator[PointsLine]:
    features = {i.id: i.feature for i in program.scorecard.items if isinstance(i, Characteristic)}
    for part in record["scored"]["parts"]:
        feature = features.get(part["id"])
        value = None if feature is None else question.values.get(feature)
        yield PointsLine(
            id=part["id"],
            dimension=part["dimension"],
            feature=feature,
            value=None if feature is None or value is None else _text(program, feature, value),
            status=part["status"],
            points=part["points"],
            best=part["baseline"],
        )


def _text(program: Program, name: str, value: Value) -> str:
    return format_value(value, program.schema[name].type) if name in program.schema else str(value)
