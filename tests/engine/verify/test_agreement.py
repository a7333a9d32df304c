"""Check that reference, durable-rules, Polars and DuckDB give identical decisions for random releases, days and people."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from engine.decide.decide import Decision, ReferenceEvaluator, decide
from engine.decide.evaluators import Evaluators
from engine.decide.perks import perk_outcome
from engine.lang.engines import columnar
from engine.lang.engines.columns import dtype
from engine.lang.model.program import Perk, PointRule, Program
from engine.lang.model.types import Value
from tests.effort import IN_FULL, by_effort
from tests.engine.random_people import CHOICES, QuestionBatch, ReleaseTrial, draw_trial, first_outcome, is_eased
from tests.engine.random_releases import PERK
from tests.engine.random_values import FEATURES, FLAGS, RELATED

WORKERS = 2  # workers take one each
PEOPLE = by_effort(290, 205)
DAYS = 3
DUCKDB_DAYS = by_effort(
    1, DAYS
)  # of the days: this engine plans for longer than all others together, for any number of people
RELEASES = by_effort(3, 42)
USUAL_SEEDS = ((0, 5, 7), (1, 10, 18))
# In full, so many releases; usually a few in which every kind of result occurs.
SEEDS = [range(half, WORKERS * RELEASES, WORKERS) if IN_FULL else USUAL_SEEDS[half] for half in range(WORKERS)]
MIN_PAIRS = by_effort(
    2_600, 25_000
)  # 3 x 3 x 290 = 2,610 pairs of a release on a day and a person; 42 x 3 x 205 = 25,830
FULL_RECORD_INTERVAL = (
    10  # we compare the whole record of one decision in so many, because this takes as long as the decision
)
DTYPES = {n: dtype(t) for n, t in (FEATURES | RELATED | FLAGS).items()}
POLARS = {nw.Int64: pl.Int64, nw.String: pl.String, nw.Boolean: pl.Boolean}
# Results that must occur for the agreement to mean anything, with their minimum number among a thousand decisions.
MIN_PER_THOUSAND = {
    "ADMIT": 20,
    "PARTIAL": 20,
    "DECLINE": 100,
    "UNSCORABLE": 30,
    "capped": 5,
    "ties count": 50,
    "eased": 1,
}
MIN_PER_THOUSAND |= {"held": 20, "let go": 5, "kept for its days": 1, "unknown": 100}


class DecisionCounts(Counter[str]):
    """The number of decisions compared, by kind of result."""

    def __repr__(self) -> str:
        return ", ".join(f"{n} {label}" for label, n in sorted(self.items()))


@pytest.fixture
def decision_counts() -> Iterator[DecisionCounts]:
    counts = DecisionCounts()
    yield counts
    total = counts["pairs"]
    assert total >= MIN_PAIRS, f"only {total} pairs were compared"
    rare = {label: counts[label] for label, least in MIN_PER_THOUSAND.items() if counts[label] * 1_000 < least * total}
    assert rare == {}, f"of {total} pairs too few"


@pytest.mark.parametrize("half", range(WORKERS))
def test_every_engine_gives_the_decision_of_the_reference(half: int, decision_counts: DecisionCounts) -> None:
    for seed in SEEDS[half]:
        trial = draw_trial(seed, DAYS, PEOPLE)
        with closing(Evaluators(trial.release)) as evaluators:
            for number, batch in enumerate(trial.batches):
                decisions = _decide_batch(evaluators, trial, batch)
                program = trial.release.at(batch.day)
                plain = [_plain(program, d) for d in decisions]
                _assert_same(trial, batch, plain, _columns(program, batch, pl.DataFrame.lazy))
                if number < DUCKDB_DAYS:
                    _assert_same(trial, batch, plain, _columns(program, batch, _on_duckdb))
                decision_counts.update(label for d in decisions for label in _labels(program, d))


def _decide_batch(evaluators: Evaluators, trial: ReleaseTrial, batch: QuestionBatch) -> list[Decision]:
    """The decisions of the reference, after checking that durable-rules makes the same."""
    reference = ReferenceEvaluator(trial.release.at(batch.day))
    decisions = [decide(reference, q) for q in batch.questions]
    for n, (expected, question) in enumerate(zip(decisions, batch.questions, strict=True)):
        actual = decide(evaluators.at(batch.day), question)
        assert actual == expected, str((trial, question))
        assert n % FULL_RECORD_INTERVAL or actual.canonical() == expected.canonical(), str((trial, question))
    return decisions


def _on_duckdb(people: pl.DataFrame) -> Any:
    return duckdb.sql("select * from people")


def _assert_same(
    trial: ReleaseTrial, batch: QuestionBatch, expected: list[dict[str, Any]], actual_rows: list[dict[str, Any]]
) -> None:
    for question, expected_row, actual_row in zip(batch.questions, expected, actual_rows, strict=True):
        assert actual_row == expected_row, str((trial, question, trial.release.files))


def _labels(program: Program, d: Decision) -> Iterator[str]:
    yield from ("pairs", d.outcome)
    perk, question = program.perks[0], d.question
    if None in d.statuses.values() or any(p.status is None for p in d.scored.parts):
        yield "unknown"
    if d.scored.score_without_relationships != d.scored.score:
        yield "ties count"
    if d.scored.score is None:
        return
    if first_outcome(program, d) != perk_outcome(perk, d.statuses, question.amount):
        yield "capped"
    if is_eased(program, d):
        yield "eased"
    if perk.hold:
        yield from _hold_labels(perk, d)


def _hold_labels(perk: Perk, d: Decision) -> Iterator[str]:
    held_seconds = QuestionBatch(d.question.day, [d.question]).held_seconds()[0]
    if d.held_since is not None:
        yield "held"
    if held_seconds is not None and d.held_since is None:
        yield "let go"
    if held_seconds is not None and perk.hold and held_seconds < perk.hold.days * 86_400:
        yield "kept for its days"


def _plain(program: Program, d: Decision) -> dict[str, Any]:
    rules = {i.id for i in program.scorecard.items if isinstance(i, PointRule)}
    hold_decided = program.perks[0].hold and d.scored.score is not None
    return {
        "score": d.scored.score,
        "alone": d.scored.score_without_relationships,
        "band": d.scored.band,
        "points": {p.id: p.points for p in d.scored.parts},
        "rules": {p.id: p.status for p in d.scored.parts if p.id in rules},
        "perk": dict(d.statuses),
        "outcome": (d.answer.outcome, d.answer.waived, d.answer.tier),
        "held": (d.held_since is not None) if hold_decided else None,
        "reasons": d.reasons,
        "score reasons": d.scored.reasons,
    }


def _frame(program: Program, batch: QuestionBatch) -> pl.DataFrame:
    """Everyone's values, and those optional columns that have any value."""
    perk = program.perks[0]
    columns: dict[str, tuple[list[Any], Any]] = {
        n: ([q.values.get(n) for q in batch.questions], DTYPES[n]) for n in CHOICES
    }
    optional_columns: dict[str, tuple[list[Value | None], Any]] = {"held_for": (list(batch.held_seconds()), nw.Int64)}
    for n, remaining in enumerate(zip(*batch.remaining(perk), strict=True)):
        optional_columns[f"left:{n}"] = (list(remaining), nw.Int64)
    for a in perk.request:
        values = [q.context.get(a.name.removeprefix("request.")) for q in batch.questions]
        optional_columns[a.name] = (values, dtype(a.type))
    columns |= {n: column for n, column in optional_columns.items() if set(column[0]) != {None}}
    columns["n"] = (list(range(len(batch.questions))), nw.Int64)
    columns["asked"] = ([q.amount for q in batch.questions], nw.Int64)
    return pl.DataFrame({n: c for n, (c, _) in columns.items()}, schema={n: POLARS[t] for n, (_, t) in columns.items()})


def _columns(program: Program, batch: QuestionBatch, native: Callable[[pl.DataFrame], Any]) -> list[dict[str, Any]]:
    people = native(_frame(program, batch))
    scored = columnar.score(program, nw.from_native(people), batch.day).collect("polars").to_native()
    outcome_frame = columnar.perk(program, PERK, nw.from_native(native(scored)), nw.col("asked"), batch.day)
    outcomes = outcome_frame.collect("polars").to_native()
    rows = zip(scored.sort("n").rows(named=True), outcomes.sort("n").rows(named=True), strict=True)
    return [_row(program, first, second) for first, second in rows]


def _row(program: Program, scored: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
    perk, items = program.perks[0], program.scorecard.items
    lines = (*perk.knockouts, *perk.tiers)
    unscorable = scored["score"] is None
    return {
        "score": scored["score"],
        "alone": scored["alone"],
        "band": scored["band"],
        "points": {i.id: scored[f"points:{i.id}"] for i in items},
        "rules": {i.id: scored[f"status:{i.id}"] for i in items if isinstance(i, PointRule)},
        "perk": {} if unscorable else {line.id: outcome[f"status:{line.id}"] for line in lines},
        "outcome": (outcome["outcome"], outcome["waived"], outcome["tier"]),
        "held": outcome["held"],
        "reasons": tuple(outcome[r] for r in columnar.REASONS if outcome[r]),
        "score reasons": tuple(scored[r] for r in columnar.REASONS if scored[r]),
    }
