"""Format results as tables and lines for a terminal; rich prints plain lines if the output is no terminal."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl
from rich.table import Column, Table

from api.decisions.score_explanation import ScoreExplanation
from api.features.coverage import STALE_AFTER, ScoreCoverage
from api.features.lineage import Lineage
from api.store import clock
from engine.decide import explain, unmet_conditions
from engine.lang.model.program import Characteristic, Part, Perk, PointRule, Program
from engine.lang.model.types import Type, format_value

BIN_POINTS: int = 25  # score points per bar
MAX_BAR_CHARS: int = 48
STATUS = {True: "met", False: "not met", None: "unknown"}


def stages(timings: Sequence[tuple[str, float, str]]) -> Table:
    """A table of the time of each stage."""
    table = Table("stage", "seconds", "result", title="Stages", title_justify="left")
    table.columns[1].justify = "right"
    for name, seconds, note in timings:
        table.add_row(name, f"{seconds:.2f}", note)
    return table


def distribution(program: Program, scores: pl.DataFrame) -> Iterator[str]:
    """A histogram of everyone's scores, with one bar per `BIN_POINTS` points, and the bands' shares."""
    card, scored = program.scorecard, scores.drop_nulls("score")
    if scored.is_empty():
        people = f"all {scores.height:,} people are unscorable" if scores.height else "there are no people"
        yield f"No one has a score: {people}, so there is no chart"
        return
    counts = dict(scored.group_by(pl.col("score") // BIN_POINTS * BIN_POINTS).len().iter_rows())
    max_count = max(counts.values())
    yield f"Scores of {scored.height:,} people; {scores.height - scored.height:,} unscorable"
    for start in range(min(counts), max(counts) + BIN_POINTS, BIN_POINTS):
        count = counts.get(start, 0)
        bar = "█" * round(count * MAX_BAR_CHARS / max_count) or ("▏" if count else "")
        yield f"  {start}-{min(start + BIN_POINTS - 1, card.highest)} {bar} {count:,}"
    shares = dict(scored.group_by("band").len().iter_rows())
    yield "  " + ", ".join(f"{b.name} {100 * shares.get(b.name, 0) / scored.height:.0f} %" for b in card.bands)


def coverage(score_coverage: ScoreCoverage, lacking: Sequence[tuple[str, int]] = ()) -> Iterator[str]:
    """The number of people with a score, the date of the newest evidence, and how many fail each part of `scorable`."""
    yield str(score_coverage)
    if score_coverage.newest and score_coverage.as_of - score_coverage.newest > STALE_AFTER:
        yield f"This is long after the newest evidence. To score as of then: `iftah build --as-of {clock.iso(score_coverage.newest)}`"
    if any(count for _, count in lacking):
        yield "People without a score who do not meet:"
    for part, count in lacking:
        if count:
            yield f"  {count:,}: {part}"


def explanation(score_explanation: ScoreExplanation, language: str = "en") -> Iterator[Table | str]:
    """A person's score as the person may see it: all parts, and the reasons in words."""
    scored, program = score_explanation.result, score_explanation.program
    if scored.score is None:
        yield f"{score_explanation.person}: no score, as of {score_explanation.build.as_of:%Y-%m-%d}"
    else:
        yield f"{score_explanation.person}: {scored.score}, {scored.band} (base {program.scorecard.base}), as of {score_explanation.build.as_of:%Y-%m-%d}"
    table = Table(Column("characteristic", no_wrap=True), "value", "status", "points", "best")
    for column in (1, 3, 4):
        table.columns[column].justify = "right"
    for part, item in zip(scored.parts, program.scorecard.items, strict=True):
        table.add_row(*_part_cells(score_explanation, part, item), str(part.points), str(part.baseline))
    yield table
    yield _atoms(explain.explanations(program, score_explanation.values, scored.score, score_explanation.day))
    yield from reasons(program, scored.reasons, language)


def one_rule(score_explanation: ScoreExplanation, name: str) -> Iterator[Table | str]:
    """The result of one rule, characteristic, knock-out or tier for a person, by its id."""
    rule = explain.explanation(
        score_explanation.program, score_explanation.values, score_explanation.result.score, score_explanation.day, name
    )
    yield f"{score_explanation.person}: {rule.id} ({rule.of}) is {STATUS[rule.status]}"
    yield _atoms([rule])
    if rule.unknown:
        yield f"unknown because of {', '.join(rule.unknown)}"


def lineage(behind: Lineage) -> Iterator[Table | str]:
    """The value of a feature, and a line for each event that made it."""
    yield f"{behind.feature} = {behind.value or 'missing'} as of {clock.iso(behind.as_of)}"
    if behind.events:
        table = Table(Column("event", overflow="fold"), Column("kind", overflow="fold"), "happened", "value without it")
        for event in behind.events:
            name = f"{event.contributor}/{event.event_id}"
            table.add_row(name, event.kind, f"{event.happened_at:%Y-%m-%d %H:%M}", event.value_without or "missing")
        yield table
    else:
        yield "no single event makes a difference"
    if behind.examined < behind.visible:
        yield f"we left out the newest {behind.examined:,} of {behind.visible:,} events, one at a time"


def _atoms(rules: Iterable[explain.RuleExplanation]) -> Table:
    """A table of every comparison in the rules: the condition, the value, and the distance between them. Each dimension and
    perk has a section. We never wrap ids, and wrap other cells between words, also in a terminal of 80 columns.
    """
    table = Table(Column("rule", no_wrap=True), Column("is", no_wrap=True), "condition and value")
    group = None
    for rule in rules:
        if group not in (None, rule.of):
            table.add_section()
        group = rule.of
        for n, atom in enumerate(rule.atoms):
            table.add_row(
                *((rule.id, STATUS[rule.status]) if n == 0 else ("", "")), unmet_conditions.explain_comparison(atom)
            )
    return table


def reasons(program: Program, codes: Sequence[str], language: str = "en") -> Iterator[str]:
    """The reasons in words; in the first language if a reason has no text in this one."""
    for code in codes:
        wording = program.reasons[code]
        yield f"  - {wording.get(language, wording[program.languages[0]])} [{code}]"


def _part_cells(
    score_explanation: ScoreExplanation, part: Part, item: Characteristic | PointRule
) -> tuple[str, str, str]:
    if isinstance(item, PointRule):
        return f"{item.dimension}: {item.id}", "", STATUS[part.status]
    type_ = score_explanation.program.schema[item.feature].type
    value = format_value(score_explanation.values.get(item.feature), type_)
    return item.feature, value, "missing" if part.bin is None else _bin(item, part.bin, type_)


def _bin(item: Characteristic, place: int, type_: Type) -> str:
    if place == 0:
        return f"< {format_value(item.cuts[0], type_)}"
    if place == len(item.cuts):
        return f"≥ {format_value(item.cuts[-1], type_)}"
    return f"{format_value(item.cuts[place - 1], type_)} to < {format_value(item.cuts[place], type_)}"


def money(minor: int, perk: Perk | None) -> str:
    """Format minor units in the perk's currency."""
    return format_value(minor, Type("decimal", perk.digits if perk else 2))


def decision(program: Program, record: dict[str, Any], language: str = "en") -> Iterator[str]:
    """A decision as the person sees it, from its record: the score, the outcome and the reasons."""
    scored, answer = record["scored"], record["answer"]
    score = "no score" if scored["score"] is None else f"score {scored['score']} ({scored['band']})"
    yield f"  {score}; {answer['outcome']} for {record['question']['perk']}"
    for lack in explain.shortfalls(program, record):
        requirement = f"{lack.threshold} needed, " if lack.threshold else ""
        yield f"  {lack.tier} was nearest: {lack.comparison}: {requirement}{lack.value} there"
    by_dimension: dict[str, int] = {}
    for part in scored["parts"]:
        by_dimension[part["dimension"]] = by_dimension.get(part["dimension"], 0) + part["points"]
    if scored["score"] is not None:
        points = ", ".join(f"{name} {total:+d}" for name, total in by_dimension.items())
        yield f"  {program.scorecard.base} base points, {points}"
    if record["reasons"]:
        yield "  reasons for the outcome and for lost points:"
    yield from reasons(program, record["reasons"], language)
