"""Compare the engines on synthetic people before rules decide about real ones.

The tests compare the engines on random rules. This module compares them on the very rules of a release, and on people
at the boundaries where engines could differ (`engine.verify.boundary_cases`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import tee
from random import Random
from typing import Any, Final

import narwhals as nw

from engine.decide.caps import remaining_by_cap, seconds_between
from engine.decide.decide import Decision, DecisionInputs, Evaluator, ReferenceEvaluator, decide
from engine.decide.evaluators import Evaluators
from engine.decide.patterns import SECOND, PatternEvent, PatternMatcher, reference_match
from engine.lang.engines import columnar
from engine.lang.engines.columns import dtype
from engine.lang.model.conditions import Truth, names
from engine.lang.model.patterns import Pattern
from engine.lang.model.program import PERK_HELD, SCORE, Perk, PointRule, Program, Release, perk_stage
from engine.lang.model.types import BOOL, DAY, STRING, Type, Value
from engine.verify.boundary_cases import PEOPLE, SEED, boundary_questions, compared_constants, draw, values_for

MIN_PEOPLE: Final = 100  # people for each program of a release
VALUES_PER_STAGE: Final = 200  # sets of values for each stage of a release
HISTORIES_PER_PATTERN: Final = 200  # for each pattern
MAX_EVENTS: Final = 6  # events of a synthetic history
DEFAULT_DAY: Final = 20_454  # 2026-01-01: an ordinary day, for rules without a date
RESULT_COLUMNS: Final = ("outcome", "waived", "tier", PERK_HELD)  # columns of a decision
# Columns for the amount, and for the position of a question among the questions.
AMOUNT_COLUMN: Final = "~asked"
PLACE_COLUMN: Final = "~place"
NUMBER_TYPE: Final = Type("int", low=-(10**9), high=10**9)  # a field of an event that we compare as a number

Row = Mapping[str, object]  # an engine's results for one question, by name


def days(release: Release) -> tuple[int, ...]:
    """One day in each program of a release, counted from 1970-01-01."""
    later = [p.since for p in release.programs[1:] if p.since is not None]
    return (min([DEFAULT_DAY, *(day - 1 for day in later)]), *later)


def disagreement(evaluators: Evaluators) -> str | None:
    """The first difference between the engines on a release, in one line; None if there is none."""
    release_days = days(evaluators.release)
    size = max(MIN_PEOPLE, PEOPLE // len(release_days))
    differences = (
        program_difference(evaluators.at(day), day, size, max(MIN_PEOPLE, VALUES_PER_STAGE // len(release_days)))
        or pattern_difference(evaluators.release.at(day), evaluators.pattern_evaluators(day).is_raised)
        for day in release_days
    )
    return next(filter(None, differences), None)


def program_difference(
    evaluator: Evaluator, day: int, size: int = PEOPLE, of_stage: int = VALUES_PER_STAGE
) -> str | None:
    """The first difference on the program of `evaluator`.

    We compare `size` people, then `of_stage` sets of values for each stage.
    """
    program, reference_evaluator = evaluator.program, ReferenceEvaluator(evaluator.program)
    questions = boundary_questions(program, day, size)
    # Lazy: after the first difference we make no further decisions.
    expected, expected_copy = tee(rows(reference_evaluator, questions))
    result = difference("durable-rules", expected, rows(evaluator, questions))
    result = result or difference("the columnar engine", expected_copy, columns(program, questions))
    for name in program.stages:
        if name != SCORE and not result:  # the questions have covered the scorecard
            value_sets = values_for(program, name, of_stage)
            statuses = (
                [candidate.statuses(name, values) for values in value_sets]
                for candidate in (reference_evaluator, evaluator)
            )
            result = difference("durable-rules", *statuses)
    return result


def difference(engine_name: str, expected: Iterable[Row], actual: Iterable[Row]) -> str | None:
    """The first difference between an engine and the reference, in one line."""
    for place, (expected_row, actual_row) in enumerate(zip(expected, actual, strict=True)):
        for key, value in actual_row.items():
            if value != expected_row.get(key):
                claim = f"{engine_name} says `{key}` is {value}, the reference {expected_row.get(key)}"
                return f"{claim} (number {place} of the probe)"
    return None


def rows(evaluator: Evaluator, questions: Iterable[DecisionInputs]) -> Iterator[Row]:
    """An evaluator's results for each question, one by one."""
    for question in questions:
        yield _decision_row(evaluator.program, decide(evaluator, question))


def columns(program: Program, questions: Sequence[DecisionInputs]) -> Iterator[Row]:
    """The columnar engine's results for each question, on Polars. All questions must be of one day."""
    feature_columns = {name: [q.values[name] for q in questions] for name in program.reads}
    dtypes = {name: dtype(program.schema[name].type) for name in feature_columns}
    question_columns = {PLACE_COLUMN: list(range(len(questions))), AMOUNT_COLUMN: [q.amount for q in questions]}
    frame = nw.from_dict(
        {**feature_columns, **question_columns}, dtypes | dict.fromkeys(question_columns, nw.Int64), backend="polars"
    )
    day, items = questions[0].day, program.scorecard.items
    scores = columnar.score(program, frame, day)
    result_names = (*(f"points:{i.id}" for i in items), *(f"status:{i.id}" for i in items if isinstance(i, PointRule)))
    score_rows = scores.select(
        PLACE_COLUMN, SCORE, columnar.SCORE_WITHOUT_RELATIONSHIPS, "band", *result_names, *columnar.REASONS
    )
    rows_by_place = {row[PLACE_COLUMN]: _score_row(program, row) for row in score_rows.iter_rows(named=True)}
    for perk in program.perks:
        places = [place for place, q in enumerate(questions) if q.perk == perk.id]
        perk_frame = scores.filter(nw.col(PLACE_COLUMN).is_in(places)).with_columns(
            *_context(perk, [questions[p] for p in places])
        )
        outcomes = columnar.perk(program, perk.id, perk_frame, nw.col(AMOUNT_COLUMN), day)
        result_names = (*RESULT_COLUMNS, *(f"status:{id_}" for id_ in perk_stage(perk)))
        for row in outcomes.select(PLACE_COLUMN, SCORE, *result_names, *columnar.REASONS).iter_rows(named=True):
            rows_by_place[row[PLACE_COLUMN]] |= _outcome_row(perk, row)
    return (rows_by_place[place] for place in range(len(questions)))


def pattern_difference(program: Program, matcher: PatternMatcher, size: int = HISTORIES_PER_PATTERN) -> str | None:
    """The first difference on the patterns that rules read, over `size` synthetic histories for each."""
    for pattern in program.flags:
        for place, (events, as_of) in enumerate(_histories(pattern, size)):
            actual, expected = matcher(pattern, events, as_of), reference_match(pattern, events, as_of)
            if actual != expected:
                claim = f"durable-rules says `{pattern.flag}` is {actual}, the reference {expected}"
                return f"{claim} (history {place} of the probe)"
    return None


def _decision_row(program: Program, decision: Decision) -> dict[str, object]:
    """The results of a decision, causes before consequences: so the first difference names the cause."""
    score_result, outcome = decision.scored, decision.answer
    row: dict[str, object] = {}
    for item, part in zip(program.scorecard.items, score_result.parts, strict=True):
        rule = isinstance(item, PointRule)
        row[item.id if rule else f"bin of {item.id}"] = part.status if rule else part.bin
        row[f"points of {item.id}"] = part.points
    row |= {
        "score": score_result.score,
        "score without relationships": score_result.score_without_relationships,
        "band": score_result.band,
    }
    perk = program.perk(decision.question.perk)
    holds = perk is not None and perk.hold is not None and score_result.score is not None
    row |= {
        "reasons of the score": score_result.reasons,
        **decision.statuses,
        PERK_HELD: decision.held_since is not None if holds else None,
    }
    return row | {
        "outcome": outcome.outcome,
        "waived": outcome.waived,
        "tier": outcome.tier,
        "reasons": decision.reasons,
    }


def _score_row(program: Program, row: Row) -> dict[str, object]:
    items = program.scorecard.items
    result: dict[str, object] = {i.id: row[f"status:{i.id}"] for i in items if isinstance(i, PointRule)}
    result |= {f"points of {i.id}": row[f"points:{i.id}"] for i in items}
    result |= {
        "score": row[SCORE],
        "score without relationships": row[columnar.SCORE_WITHOUT_RELATIONSHIPS],
        "band": row["band"],
    }
    return result | {"reasons of the score": _reasons(row)}


def _outcome_row(perk: Perk, row: Row) -> dict[str, object]:
    statuses = {} if row[SCORE] is None else {id_: row[f"status:{id_}"] for id_ in perk_stage(perk)}
    return statuses | {column: row[column] for column in RESULT_COLUMNS} | {"reasons": _reasons(row)}


def _reasons(row: Row) -> tuple[object, ...]:
    return tuple(row[r] for r in columnar.REASONS if row[r])


def _context(perk: Perk, questions: Sequence[DecisionInputs]) -> Iterator[nw.Series[Any]]:
    """The columns that a perk can read in addition to the features."""
    for field in perk.request:
        values = [q.context[field.name.removeprefix("request.")] for q in questions]
        yield nw.new_series(field.name, values, dtype(field.type), backend="polars")
    since = [None if q.held_since is None else seconds_between(q.held_since, q.asked_at) for q in questions]
    yield nw.new_series("held_for", since, nw.Int64, backend="polars")
    remaining = [remaining_by_cap(perk, q.used, q.asked_at) for q in questions]
    for n in range(len(perk.all_caps)):
        yield nw.new_series(f"left:{n}", [caps[n] for caps in remaining], nw.Int64, backend="polars")


def _histories(pattern: Pattern, size: int) -> Iterator[tuple[list[PatternEvent], int]]:
    """Generate events by time, and a moment of evaluation: at, just before and just after each boundary in time."""
    chooser = Random(SEED)  # noqa: S311 - synthetic people, not keys
    steps = pattern.steps
    fields = [draw([s.where], _fields(s.where, pattern.same), chooser) for s in steps]
    gaps = [0, 1, *(pattern.within * SECOND // part + off for part in (1, 2, 3) for off in (-1, 0, 1))]
    waits = [0, *((pattern.lasts * SECOND + off) for off in (-1, 0, 1))] if pattern.lasts is not None else [0]
    for _ in range(size):
        at, events = DEFAULT_DAY * DAY * SECOND, []
        for n in range(chooser.randint(1, MAX_EVENTS + 1)):
            step = chooser.choice((n % len(steps), chooser.randrange(len(steps))))
            at += chooser.choice(gaps)
            side = steps[step].role if steps[step].role != "either" and chooser.random() < 0.8 else None
            role = side or chooser.choice(("subject", "other"))
            events.append(PatternEvent(steps[step].kind, role, at, next(fields[step])))
        yield events, at + chooser.choice(waits)


def _fields(where: Truth, same: Sequence[str]) -> dict[str, Type]:
    """The types of the fields that a pattern reads, inferred from the constants that it compares them with."""
    constants = compared_constants([where])
    return {name: _kind(constants.get(name, set())) for name in sorted({*names(where), *same})}


def _kind(constants: set[Value]) -> Type:
    if not constants:
        return Type("enum", values=("one", "other"))
    kinds = {type(value) for value in constants}
    return BOOL if bool in kinds else NUMBER_TYPE if int in kinds else STRING
