"""Reference, durable-rules, Polars and DuckDB give the same decision, to the bit, for every random release, day and person."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from engine.decide import Decision, Reference, decide
from engine.engines import Engines
from engine.lang import columnar
from engine.lang.columns import dtype
from engine.lang.program import Perk, PointRule, Program
from engine.lang.types import Value
from engine.perks import answer
from tests.effort import pairs
from tests.engine.random_people import CHOICES, Crowd, Trial, drawn, eased, first_answer
from tests.engine.random_releases import PERK
from tests.engine.random_values import FEATURES, FLAGS, RELATED

HALVES = 2  # workers take one each
PEOPLE = pairs(290, 205)
DAYS = 3
ON_DUCKDB = pairs(1, DAYS)  # of the days: it plans for longer than all the others take together, whatever the people
RELEASES = pairs(7, 42)
LEAST = pairs(6_000, 25_000)  # 7 x 3 x 290 = 6,090 pairs of a release on a day and a person; 42 x 3 x 205 = 25,830
EVERY = 10  # the whole record is compared of one decision in so many: it costs as much as the decision
DTYPES = {n: dtype(t) for n, t in (FEATURES | RELATED | FLAGS).items()}
POLARS = {nw.Int64: pl.Int64, nw.String: pl.String, nw.Boolean: pl.Boolean}
# What must have come up for the agreement to mean anything, and in how many of a thousand decisions at the least.
MET = {"ADMIT": 20, "PARTIAL": 20, "DECLINE": 100, "UNSCORABLE": 30, "capped": 5, "ties count": 50, "eased": 1}
MET |= {"held": 20, "let go": 5, "kept for its days": 1, "unknown": 100}


class Seen(Counter[str]):
    """What came up in the decisions compared; shown in a few words."""

    def __repr__(self) -> str:
        return ", ".join(f"{n} {what}" for what, n in sorted(self.items()))


@pytest.fixture
def seen() -> Iterator[Seen]:
    counted = Seen()
    yield counted
    total = counted["pairs"]
    assert total >= LEAST, f"only {total} pairs were compared"
    rare = {what: counted[what] for what, least in MET.items() if counted[what] * 1_000 < least * total}
    assert rare == {}, f"of {total} pairs too few"


@pytest.mark.parametrize("half", range(HALVES))
def test_every_engine_gives_the_decision_of_the_reference(half: int, seen: Seen) -> None:
    for seed in range(half, HALVES * RELEASES, HALVES):
        trial = drawn(seed, DAYS, PEOPLE)
        with closing(Engines(trial.release)) as engines:
            for number, crowd in enumerate(trial.crowds):
                wanted = _decided(engines, trial, crowd)
                program = trial.release.at(crowd.day)
                plain = [_plain(program, d) for d in wanted]
                _same(trial, crowd, plain, _columns(program, crowd, pl.DataFrame.lazy))
                if number < ON_DUCKDB:
                    _same(trial, crowd, plain, _columns(program, crowd, _on_duckdb))
                seen.update(what for d in wanted for what in _came_up(program, d))


def _decided(engines: Engines, trial: Trial, crowd: Crowd) -> list[Decision]:
    """What the reference decides, which durable-rules decides too."""
    reference = Reference(trial.release.at(crowd.day))
    wanted = [decide(reference, q) for q in crowd.questions]
    for n, (expected, question) in enumerate(zip(wanted, crowd.questions, strict=True)):
        found = decide(engines.at(crowd.day), question)
        assert found == expected, str((trial, question))
        assert n % EVERY or found.canonical() == expected.canonical(), str((trial, question))
    return wanted


def _on_duckdb(people: pl.DataFrame) -> Any:
    return duckdb.sql("select * from people")


def _same(trial: Trial, crowd: Crowd, expected: list[dict[str, Any]], came: list[dict[str, Any]]) -> None:
    for question, wanted, found in zip(crowd.questions, expected, came, strict=True):
        assert found == wanted, str((trial, question, trial.release.files))


def _came_up(program: Program, d: Decision) -> Iterator[str]:
    yield from ("pairs", d.outcome)
    perk, question = program.perks[0], d.question
    if None in d.statuses.values() or any(p.status is None for p in d.scored.parts):
        yield "unknown"
    if d.scored.alone != d.scored.score:
        yield "ties count"
    if d.scored.score is None:
        return
    if first_answer(program, d) != answer(perk, d.statuses, question.amount):
        yield "capped"
    if eased(program, d):
        yield "eased"
    if perk.hold:
        yield from _of_hold(perk, d)


def _of_hold(perk: Perk, d: Decision) -> Iterator[str]:
    so_far = Crowd(d.question.day, [d.question]).held_for()[0]
    if d.held_since is not None:
        yield "held"
    if so_far is not None and d.held_since is None:
        yield "let go"
    if so_far is not None and perk.hold and so_far < perk.hold.days * 86_400:
        yield "kept for its days"


def _plain(program: Program, d: Decision) -> dict[str, Any]:
    rules = {i.id for i in program.scorecard.items if isinstance(i, PointRule)}
    asked = program.perks[0].hold and d.scored.score is not None
    return {
        "score": d.scored.score,
        "alone": d.scored.alone,
        "band": d.scored.band,
        "points": {p.id: p.points for p in d.scored.parts},
        "rules": {p.id: p.status for p in d.scored.parts if p.id in rules},
        "perk": dict(d.statuses),
        "outcome": (d.answer.outcome, d.answer.waived, d.answer.tier),
        "held": (d.held_since is not None) if asked else None,
        "reasons": d.reasons,
        "score reasons": d.scored.reasons,
    }


def _frame(program: Program, crowd: Crowd) -> pl.DataFrame:
    """Everyone's values, and of the further columns those in which anything stands."""
    perk = program.perks[0]
    given: dict[str, tuple[list[Any], Any]] = {
        n: ([q.values.get(n) for q in crowd.questions], DTYPES[n]) for n in CHOICES
    }
    more: dict[str, tuple[list[Value | None], Any]] = {"held_for": (list(crowd.held_for()), nw.Int64)}
    for n, left in enumerate(zip(*crowd.left(perk), strict=True)):
        more[f"left:{n}"] = (list(left), nw.Int64)
    for a in perk.request:
        said = [q.context.get(a.name.removeprefix("request.")) for q in crowd.questions]
        more[a.name] = (said, dtype(a.type))
    given |= {n: column for n, column in more.items() if set(column[0]) != {None}}
    given["n"] = (list(range(len(crowd.questions))), nw.Int64)
    given["asked"] = ([q.amount for q in crowd.questions], nw.Int64)
    return pl.DataFrame({n: c for n, (c, _) in given.items()}, schema={n: POLARS[t] for n, (_, t) in given.items()})


def _columns(program: Program, crowd: Crowd, native: Callable[[pl.DataFrame], Any]) -> list[dict[str, Any]]:
    people = native(_frame(program, crowd))
    scored = columnar.score(program, nw.from_native(people), crowd.day).collect("polars").to_native()
    asked = columnar.perk(program, PERK, nw.from_native(native(scored)), nw.col("asked"), crowd.day)
    answered = asked.collect("polars").to_native()
    rows = zip(scored.sort("n").rows(named=True), answered.sort("n").rows(named=True), strict=True)
    return [_row(program, first, second) for first, second in rows]


def _row(program: Program, scored: dict[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
    perk, items = program.perks[0], program.scorecard.items
    lines = (*perk.knockouts, *perk.tiers)
    unscorable = scored["score"] is None
    return {
        "score": scored["score"],
        "alone": scored["alone"],
        "band": scored["band"],
        "points": {i.id: scored[f"points:{i.id}"] for i in items},
        "rules": {i.id: scored[f"status:{i.id}"] for i in items if isinstance(i, PointRule)},
        "perk": {} if unscorable else {line.id: answered[f"status:{line.id}"] for line in lines},
        "outcome": (answered["outcome"], answered["waived"], answered["tier"]),
        "held": answered["held"],
        "reasons": tuple(answered[r] for r in columnar.REASONS if answered[r]),
        "score reasons": tuple(scored[r] for r in columnar.REASONS if scored[r]),
    }
