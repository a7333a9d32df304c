"""Reference, durable-rules, Polars and DuckDB give the same decision, to the bit, for every random program and person."""

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from engine.decide import Decision, Question, Reference, decide
from engine.lang import columnar
from engine.lang.online import Online
from engine.lang.program import PointRule, Program
from tests.engine.random_rules import SCHEMA, People, Trial, trials
from tests.engine.small import DAY, asked

PEOPLE = 150
RELEASES = 140  # 140 x 150 = 21,000 pairs
DTYPES = {"bool": pl.Boolean, "enum": pl.String}


class Count(list[int]):
    """How many pairs each example compared; shown as their sum."""

    def __repr__(self) -> str:
        return str(sum(self))


@pytest.fixture(scope="module")
def counted() -> Iterator[Count]:
    pairs = Count()
    yield pairs
    assert sum(pairs) >= 20_000, f"only {pairs} pairs were compared"


@settings(
    max_examples=RELEASES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=(Phase.generate,),  # shrinking whole rule files takes longer than reading one
)
@given(trial=trials(PEOPLE))
def test_every_engine_gives_the_decision_of_the_reference(trial: Trial, counted: Count) -> None:
    program, crowd = trial.program, trial.people
    online, reference = Online(program), Reference(program)
    try:
        expected = [_plain(program, decide(reference, q)) for q in _questions(crowd)]
        _same(trial, expected, [_plain(program, decide(online, q)) for q in _questions(crowd)])
    finally:
        online.close()
    frame = pl.DataFrame(
        {n: [r[n] for r in crowd.rows] for n in SCHEMA} | {"n": range(len(crowd.rows)), "asked": crowd.amounts},
        schema={n: DTYPES.get(a.type.kind, pl.Int64) for n, a in SCHEMA.items()} | {"n": pl.Int64, "asked": pl.Int64},
    )
    _same(trial, expected, _columns(program, frame, pl.DataFrame.lazy))
    _same(trial, expected, _columns(program, frame, lambda people: duckdb.sql("select * from people")))
    counted.append(len(crowd.rows))


def _same(trial: Trial, expected: list[dict[str, Any]], came: list[dict[str, Any]]) -> None:
    for row, wanted, found in zip(trial.people.rows, expected, came, strict=True):
        assert found == wanted, str((row, trial.program))


def _questions(crowd: People) -> Iterator[Question]:
    for row, amount in zip(crowd.rows, crowd.amounts, strict=True):
        yield asked("hotel", amount, "CNY", row)


def _plain(program: Program, d: Decision) -> dict[str, Any]:
    rules = {i.id for i in program.scorecard.items if isinstance(i, PointRule)}
    return {
        "score": d.scored.score,
        "band": d.scored.band,
        "points": {p.id: p.points for p in d.scored.parts},
        "rules": {p.id: p.status for p in d.scored.parts if p.id in rules},
        "perk": dict(d.statuses),
        "outcome": (d.answer.outcome, d.answer.waived, d.answer.tier),
        "reasons": d.reasons,
        "score reasons": d.scored.reasons,
    }


def _columns(program: Program, people: pl.DataFrame, native: Callable[[pl.DataFrame], Any]) -> list[dict[str, Any]]:
    scored = columnar.score(program, nw.from_native(native(people)), DAY).collect("polars").to_native()
    answered = (
        columnar.perk(program, "hotel", nw.from_native(native(scored)), nw.col("asked"), DAY)
        .collect("polars")
        .to_native()
    )
    rows = zip(scored.sort("n").rows(named=True), answered.sort("n").rows(named=True), strict=True)
    return [_row(program, first, second) for first, second in rows]


def _row(program: Program, scored: dict[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
    perk, items = program.perks[0], program.scorecard.items
    lines = (*perk.knockouts, *perk.tiers)
    unscorable = scored["score"] is None
    return {
        "score": scored["score"],
        "band": scored["band"],
        "points": {i.id: scored[f"points:{i.id}"] for i in items},
        "rules": {i.id: scored[f"status:{i.id}"] for i in items if isinstance(i, PointRule)},
        "perk": {} if unscorable else {line.id: answered[f"status:{line.id}"] for line in lines},
        "outcome": (answered["outcome"], answered["waived"], answered["tier"]),
        "reasons": tuple(answered[r] for r in columnar.REASONS if answered[r]),
        "score reasons": tuple(scored[r] for r in columnar.REASONS if scored[r]),
    }
