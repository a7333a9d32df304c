"""The shipped rules on many people at once: Polars, DuckDB and the reference say the same."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from api.catalogue import schema
from api.releases import load
from engine.decide import Reference, assess, decide
from engine.errors import EngineError
from engine.lang import columnar
from engine.lang.check import release_of
from engine.lang.program import Program
from engine.lang.types import Value
from tests.engine import small
from tests.engine.small import DAY, asked

PEOPLE = 100
AMOUNTS = (1, 99, 9_900, 29_900, 100_000)


score = partial(columnar.score, day=DAY)
perk_of = partial(columnar.perk, day=DAY)


@cache
def release() -> Program:
    return load(Path(__file__).parents[3] / "rules").at(small.DAY)


@cache
def crowd() -> list[dict[str, Value | None]]:
    """People of every sort: the first of each feature's range are the likeliest, a sixth of all is missing."""
    chooser = Random(3)

    def value(name: str) -> Value | None:
        type_ = schema()[name].type
        high = chooser.choice([min(type_.high, 3), min(type_.high, 40), min(type_.high, 2_000)])
        return None if chooser.random() < 1 / 6 else chooser.randint(type_.low, high)

    known: list[dict[str, Value | None]] = [{n: value(n) for n in release().features} for _ in range(PEOPLE)]
    return [p | {"identity.level": n % 3 + 1, "identity.tenure_days": 60 + 20 * n} for n, p in enumerate(known)]


def frame(rows: list[dict[str, Value | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(release().features, pl.Int64)).with_row_index("n")


ENGINES: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda people: people,
    "polars-lazy": pl.DataFrame.lazy,
    "duckdb": lambda people: duckdb.sql("select * from people"),
}
engines = pytest.mark.parametrize("native", ENGINES.values(), ids=ENGINES)


def collected(found: Any) -> pl.DataFrame:
    native: pl.DataFrame = (found.collect("polars") if isinstance(found, nw.LazyFrame) else found).to_native()
    return native.sort("n")


def small_types() -> dict[str, Any]:
    kinds: dict[str, Any] = {"bool": pl.Boolean, "enum": pl.String}
    return {"n": pl.Int64, **{n: kinds.get(t[0].kind, pl.Int64) for n, t in small.TYPES.items()}}


@engines
def test_scores_bands_points_and_reasons_are_the_reference_s(native: Callable[[pl.DataFrame], Any]) -> None:
    came = collected(score(release(), nw.from_native(native(frame(crowd())))))
    reference = Reference(release())
    for person, row in zip(crowd(), came.rows(named=True), strict=True):
        wanted = assess(reference, person, DAY)
        assert (row["score"], row["band"]) == (wanted.score, wanted.band)
        assert tuple(row[r] for r in columnar.REASONS if row[r]) == wanted.reasons
        assert {p.id: row[f"points:{p.id}"] for p in wanted.parts} == {p.id: p.points for p in wanted.parts}
    assert 20 < came["score"].is_not_null().sum() < PEOPLE, "both the scorable and the unscorable should be met"


@engines
@pytest.mark.parametrize("name", [p.id for p in release().perks])
def test_a_perk_s_answers_are_the_reference_s(name: str, native: Callable[[pl.DataFrame], Any]) -> None:
    amounts = pl.Series("asked", [AMOUNTS[n % len(AMOUNTS)] for n in range(PEOPLE)])
    people = nw.from_native(native(frame(crowd()).with_columns(amounts)))
    came = collected(perk_of(release(), name, score(release(), people), nw.col("asked")))
    reference, perk = Reference(release()), release().perk(name)
    assert perk
    for person, amount, row in zip(crowd(), amounts, came.rows(named=True), strict=True):
        if amount <= perk.most:
            wanted = decide(reference, asked(name, amount, perk.currency, person))
            answer = (row["outcome"], row["waived"], row["tier"])
            assert answer == (wanted.outcome, wanted.answer.waived, wanted.answer.tier)
            assert tuple(row[r] for r in columnar.REASONS if row[r]) == wanted.reasons


@engines
def test_results_have_the_types_that_are_promised_even_of_nobody(native: Callable[[pl.DataFrame], Any]) -> None:
    for rows in (crowd()[:3], []):
        scored = score(release(), nw.from_native(native(frame(rows))))
        came = collected(perk_of(release(), "hotel", scored, nw.lit(1_000)))
        assert came.height == len(rows)
        types = {n: came.schema[n] for n in ("band", "outcome", "tier", *columnar.REASONS)}
        assert set(types.values()) == {pl.String}
        assert came.schema["score"] in (pl.Int64, pl.Int32)
        assert came.schema["waived"] == pl.Int64
        assert came.schema["status:hotel.600"] == pl.Boolean
        assert not [n for n in came.columns if n.startswith("~")], "what is worked with on the way is dropped"


def test_a_frame_without_a_needed_column_is_refused_by_name() -> None:
    with pytest.raises(EngineError, match=r"the frame has no column `credit\.kept`"):
        score(release(), nw.from_native(frame(crowd()).drop("credit.kept")))


def test_a_column_of_floats_is_refused_by_name() -> None:
    floats = frame(crowd()).with_columns(pl.col("capacity.income_cover") / 100)
    with pytest.raises(EngineError, match=r"the column `capacity\.income_cover` is not of whole numbers"):
        score(release(), nw.from_native(floats))


def test_columns_that_no_rule_reads_come_through() -> None:
    people = frame(crowd()[:2]).with_columns(town=pl.lit("Baghdad"))
    assert collected(score(release(), nw.from_native(people)))["town"].to_list() == ["Baghdad"] * 2


@engines
def test_a_wide_scorecard_is_not_too_deep_for_an_engine(native: Callable[[pl.DataFrame], Any]) -> None:
    lines = "".join(
        f"  - {{id: w{n}, dimension: money, when: money.months > {n % 25}, points: 0, reason: cover}}\n"
        for n in range(120)
    )
    wide = small.release("trust.yaml", "rules:\n", f"rules:\n{lines}")
    people = pl.DataFrame([small.PERSON | {"n": 0}], schema=small_types())
    assert collected(score(wide, nw.from_native(native(people))))["score"].to_list() == [670]


def test_a_knock_out_s_reason_comes_before_whatever_was_lost() -> None:
    same = "points: [-600, -600], missing: -600, baseline: 600, reason: cover"
    lines = "".join(
        f"  - {{id: w{n}, feature: money.months, dimension: money, cuts: [1], {same}}}\n" for n in range(490)
    )
    rules = "".join(
        f"  - {{id: v{n}, dimension: credit, when: true, points: -600, baseline: 600, reason: cover}}\n"
        for n in range(490)
    )
    text = small.base()["trust.yaml"].replace("characteristics:\n", f"characteristics:\n{lines}")
    text = text.replace("rules:\n", f"rules:\n{rules}").replace(
        "{lowest: 350, highest: 950", "{lowest: 350, highest: 900000"
    )
    lost = release_of({**small.base(), "trust.yaml": text}, small.SCHEMA, small.KINDS).at(DAY)
    person = small.PERSON | {"credit.missed": 3}
    people = pl.DataFrame([person | {"n": 0}], schema=small_types())
    came = collected(perk_of(lost, "room", score(lost, nw.from_native(people)), nw.lit(100)))
    wanted = decide(Reference(lost), asked("room", 100, "CNY", person))
    assert wanted.reasons[:2] == ("missed", "cover")
    assert tuple(came.row(0, named=True)[r] for r in columnar.REASONS) == wanted.reasons
