"""Check that Polars, DuckDB and the reference agree on the shipped rules, for many people at once."""

from collections.abc import Callable
from functools import cache, partial
from random import Random
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from api.releases.rules_folder import load_folder
from engine.decide.decide import ReferenceEvaluator, assess, decide
from engine.errors import EngineError
from engine.lang.check.release import release_of
from engine.lang.engines import columnar
from engine.lang.model.program import Program
from engine.lang.model.types import Value
from iftah.shipped import shipped_schema
from tests.engine import small_rules
from tests.engine.small_rules import DAY, make_question
from tests.paths import RULES

PEOPLE = 100
PERKS = {
    "hotel",
    "car",
    "bicycle",
    "power_bank",
    "apartment",
}  # a constant here, so that collecting the tests reads no rules
AMOUNTS = (1, 99, 9_900, 29_900, 100_000)


score = partial(columnar.score, day=DAY)
perk_of = partial(columnar.perk, day=DAY)


@cache
def release() -> Program:
    return load_folder(RULES).at(small_rules.DAY)


@cache
def flags() -> set[str]:
    return {p.flag for p in release().flags}


@cache
def sample_people() -> list[dict[str, Value | None]]:
    """Random people: the low end of each feature's range is most likely, and a sixth of the values is missing."""
    chooser = Random(3)

    def value(name: str) -> Value | None:
        if name in flags():
            return chooser.choice([None, False, False, True])
        type_ = shipped_schema()[name].type
        high = chooser.choice([min(type_.high, 3), min(type_.high, 40), min(type_.high, 2_000)])
        return None if chooser.random() < 1 / 6 else chooser.randint(type_.low, high)

    people: list[dict[str, Value | None]] = [{n: value(n) for n in release().reads} for _ in range(PEOPLE)]
    return [p | {"identity.level": n % 3 + 1, "identity.tenure_days": 60 + 20 * n} for n, p in enumerate(people)]


def frame(rows: list[dict[str, Value | None]]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={n: pl.Boolean if n in flags() else pl.Int64 for n in release().reads}
    ).with_row_index("n")


BACKENDS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda people: people,
    "polars-lazy": pl.DataFrame.lazy,
    "duckdb": lambda people: duckdb.sql("select * from people"),
}
each_backend = pytest.mark.parametrize("native", BACKENDS.values(), ids=BACKENDS)


def collect(result: Any) -> pl.DataFrame:
    native: pl.DataFrame = (result.collect("polars") if isinstance(result, nw.LazyFrame) else result).to_native()
    return native.sort("n")


def reason_columns(reasons: tuple[str, ...]) -> tuple[str | None, ...]:
    """The reasons in their columns: the first in the first, and null in those that are left."""
    return (*reasons, *(None for _ in columnar.REASONS[len(reasons) :]))


def small_types() -> dict[str, Any]:
    kinds: dict[str, Any] = {"bool": pl.Boolean, "enum": pl.String}
    return {"n": pl.Int64, **{n: kinds.get(t[0].kind, pl.Int64) for n, t in small_rules.TYPES.items()}}


@each_backend
def test_scores_bands_points_and_reasons_equal_the_reference(native: Callable[[pl.DataFrame], Any]) -> None:
    actual = collect(score(release(), nw.from_native(native(frame(sample_people())))))
    reference = ReferenceEvaluator(release())
    for person, row in zip(sample_people(), actual.rows(named=True), strict=True):
        expected = assess(reference, person, DAY)
        assert (row["score"], row["band"]) == (expected.score, expected.band)
        assert tuple(row[r] for r in columnar.REASONS) == reason_columns(expected.reasons)
        assert {p.id: row[f"points:{p.id}"] for p in expected.parts} == {p.id: p.points for p in expected.parts}
    assert 20 < actual["score"].is_not_null().sum() < PEOPLE, "both the scorable and the unscorable should be met"


@cache
def scored_people(native: Callable[[pl.DataFrame], Any]) -> pl.DataFrame:
    """The people with their questions and their scores, by one engine."""
    amounts = pl.Series("asked", [AMOUNTS[n % len(AMOUNTS)] for n in range(PEOPLE)])
    return collect(score(release(), nw.from_native(native(frame(sample_people()).with_columns(amounts)))))


def test_this_module_covers_every_perk() -> None:
    assert {p.id for p in release().perks} == PERKS


@each_backend
@pytest.mark.parametrize("name", sorted(PERKS))
def test_the_answers_of_a_perk_equal_the_reference(name: str, native: Callable[[pl.DataFrame], Any]) -> None:
    people = nw.from_native(native(scored_people(native)))
    amounts = scored_people(native)["asked"]
    actual = collect(perk_of(release(), name, people, nw.col("asked")))
    reference, perk = ReferenceEvaluator(release()), release().perk(name)
    assert perk
    for person, amount, row in zip(sample_people(), amounts, actual.rows(named=True), strict=True):
        if amount <= perk.most:
            expected = decide(reference, make_question(name, amount, perk.currency, person))
            answer = (row["outcome"], row["waived"], row["tier"])
            assert answer == (expected.outcome, expected.answer.waived, expected.answer.tier)
            assert tuple(row[r] for r in columnar.REASONS) == reason_columns(expected.reasons)


@each_backend
def test_results_have_the_documented_types_even_for_an_empty_frame(native: Callable[[pl.DataFrame], Any]) -> None:
    for rows in (sample_people()[:3], []):
        scored = score(release(), nw.from_native(native(frame(rows))))
        actual = collect(perk_of(release(), "hotel", scored, nw.lit(1_000)))
        assert actual.height == len(rows)
        types = {n: actual.schema[n] for n in ("band", "outcome", "tier", *columnar.REASONS)}
        assert set(types.values()) == {pl.String}
        assert actual.schema["score"] in (pl.Int64, pl.Int32)
        assert actual.schema["waived"] == pl.Int64
        assert actual.schema["status:hotel.600"] == pl.Boolean
        assert not [n for n in actual.columns if n.startswith("~")], "what is worked with on the way is dropped"


def test_a_frame_without_a_needed_column_is_refused_by_name() -> None:
    with pytest.raises(EngineError, match=r"the frame has no column `credit\.kept`"):
        score(release(), nw.from_native(frame(sample_people()).drop("credit.kept")))


def test_a_column_of_floats_is_refused_by_name() -> None:
    floats = frame(sample_people()).with_columns(pl.col("capacity.income_cover") / 100)
    with pytest.raises(EngineError, match=r"the column `capacity\.income_cover` is not of whole numbers"):
        score(release(), nw.from_native(floats))


def small_frame(**columns: pl.Series) -> pl.DataFrame:
    """Three people of the small rules, with these columns instead of theirs (`__` stands for the dot)."""
    replacements = {name.replace("__", "."): column for name, column in columns.items()}
    people = pl.DataFrame([small_rules.PERSON | {"n": n} for n in range(3)], schema=small_types())
    return people.with_columns(column.alias(name) for name, column in replacements.items())


def total(people: pl.DataFrame, native: Callable[[pl.DataFrame], Any], when: str) -> list[int]:
    """The points of a rule worth 7 (unknown: 2) for each person, if its condition is `when`."""
    program = small_rules.release(
        "trust.yaml", "when: steady, points: 40, unknown: 10", f'when: "{when}", points: 7, unknown: 2'
    )
    return list(collect(score(program, nw.from_native(native(people))))["points:steady"])


@each_backend
@pytest.mark.parametrize("width", [pl.UInt8, pl.Int8, pl.UInt16, pl.Int16, pl.UInt32, pl.Int32, pl.UInt64], ids=str)
def test_integers_of_any_width_give_the_same_result(width: Any, native: Callable[[pl.DataFrame], Any]) -> None:
    """For unsigned 32-bit counts, 1 - 3 would be 4,294,967,294; for 8 bits, 100 x 100 would be 16."""
    people = small_frame(
        money__months=pl.Series([1, 3, None], dtype=width), credit__missed=pl.Series([3, 1, 1], dtype=width)
    )
    assert total(people, native, "money.months - credit.missed < 0") == [7, 0, 2]
    assert total(people, native, "money.months * 100 * credit.missed >= 300") == [7, 7, 2]


@each_backend
@pytest.mark.parametrize("name", ["money.paused", "money.months", "identity.kind"])
def test_a_column_of_nulls_is_missing_for_any_type(name: str, native: Callable[[pl.DataFrame], Any]) -> None:
    people = small_frame().with_columns(pl.lit(None).alias(name))
    conditions = {"money.paused": "not money.paused", "money.months": "money.months + 1 > 0"}
    assert total(people, native, conditions.get(name, f"{name} != 'guest'")) == [2, 2, 2]
    assert total(people, native, f"missing({name})") == [7, 7, 7]


@each_backend
@pytest.mark.parametrize("words", [pl.Categorical, pl.Enum(["guest", "member"])], ids=["categorical", "enum"])
def test_words_may_be_categorical_columns(words: Any, native: Callable[[pl.DataFrame], Any]) -> None:
    people = small_frame(identity__kind=pl.Series(["guest", "member", None], dtype=words))
    assert total(people, native, "identity.kind == 'guest' or identity.kind in ['guest']") == [7, 0, 2]


@each_backend
@pytest.mark.parametrize(
    ("name", "column", "noun"),
    [
        ("money.paused", pl.Series([1, 0, 2]), "true and false"),  # engines differ in the meaning of 2
        ("money.paused", pl.Series(["true", "false", "x"]), "true and false"),
        ("identity.kind", pl.Series([1, 0, 2]), "words"),
        ("credit.last_missed", pl.Series([1, 2, 3]).cast(pl.Date), "whole numbers"),
        ("credit.missed", pl.Series([True, False, None]), "whole numbers"),
        ("money.cover", pl.Series(["1", "2", "3"]), "whole numbers"),
    ],
)
def test_a_column_of_another_type_is_refused_by_name(
    name: str, column: pl.Series, noun: str, native: Callable[[pl.DataFrame], Any]
) -> None:
    people = small_frame().with_columns(column.alias(name))
    with pytest.raises(EngineError, match=f"the column `{name}` is not of {noun}"):
        perk_of(
            small_rules.release(), "room", score(small_rules.release(), nw.from_native(native(people))), nw.lit(100)
        )


@each_backend
@pytest.mark.parametrize("name", ["left:0", "held_for", "request.nights", "request.town"])
def test_the_inputs_of_a_perk_are_checked_for_their_type(name: str, native: Callable[[pl.DataFrame], Any]) -> None:
    """A cap that leaves 3.7 would waive 3.7 minor units."""
    scored = score(small_rules.release(), nw.from_native(native(small_frame())))
    wrong = scored.with_columns(nw.lit(3.7).alias(name))
    with pytest.raises(EngineError, match=f"the column `{name}` is not of"):
        perk_of(small_rules.release(), "villa", wrong, nw.lit(100))
    with pytest.raises(EngineError, match=r"the column `request\.amount` is not of whole numbers"):
        perk_of(small_rules.release(), "villa", scored, nw.lit(99.5))


def test_an_unknown_perk_is_refused_by_name() -> None:
    scored = score(small_rules.release(), nw.from_native(small_frame()))
    with pytest.raises(EngineError, match="the rules have no perk `castle`"):
        perk_of(small_rules.release(), "castle", scored, nw.lit(100))


@each_backend
def test_unrelated_columns_change_nothing(native: Callable[[pl.DataFrame], Any]) -> None:
    """Such columns have the names of results and of intermediate values, from an earlier run or from the caller."""
    names = ["score", "band", "alone", "points:missed", "status:late", "reason_1", "outcome", "waived", "tier", "held"]
    names += ["~scorable", "~key0", "~score", "~eased", "~kept:tier", "~stop:room.bad", "~cut:0", "~given", "left:9"]
    junk = small_frame().with_columns(
        pl.lit(float(n)).alias(name) for n, name in enumerate([*names, "as_of", "request.x"])
    )

    def outcomes(people: pl.DataFrame) -> list[dict[str, Any]]:
        scores = score(small_rules.release(), nw.from_native(native(people)))
        result = collect(perk_of(small_rules.release(), "villa", scores, nw.lit(100_000)))
        return result.select(
            ["score", "alone", "band", "outcome", "waived", "tier", "held", *columnar.REASONS]
        ).to_dicts()

    assert outcomes(junk) == outcomes(small_frame())


@each_backend
@pytest.mark.parametrize("name", ["Score", "BAND", "Points:late", "Money.Months"])
def test_a_column_that_differs_from_ours_only_in_case_is_refused(
    name: str, native: Callable[[pl.DataFrame], Any]
) -> None:
    """To DuckDB, `Score` and `score` are the same name: we would compute bands from the caller's own column."""
    people = small_frame().with_columns(pl.lit(1).alias(name)).drop("money.months" if name == "Money.Months" else [])
    with pytest.raises(EngineError, match=f"the columns `{name}` and `{name.lower()}` are one to SQL"):
        score(small_rules.release(), nw.from_native(native(people)))
    scored = score(small_rules.release(), nw.from_native(small_frame()))
    with pytest.raises(EngineError, match="the columns `Tier` and `tier` are one to SQL"):
        perk_of(small_rules.release(), "room", scored.with_columns(nw.lit(1).alias("Tier")), nw.lit(100))


def test_unread_columns_are_kept() -> None:
    people = frame(sample_people()[:2]).with_columns(town=pl.lit("Baghdad"))
    assert collect(score(release(), nw.from_native(people)))["town"].to_list() == ["Baghdad"] * 2


@each_backend
def test_a_wide_scorecard_is_not_too_deep_for_an_engine(native: Callable[[pl.DataFrame], Any]) -> None:
    lines = "".join(
        f"  - {{id: w{n}, dimension: money, when: money.months > {n % 25}, points: 0, reason: cover}}\n"
        for n in range(120)
    )
    wide = small_rules.release("trust.yaml", "rules:\n", f"rules:\n{lines}")
    people = pl.DataFrame([small_rules.PERSON | {"n": 0}], schema=small_types())
    assert collect(score(wide, nw.from_native(native(people))))["score"].to_list() == [670]


def test_the_reason_of_a_knock_out_precedes_those_of_losses() -> None:
    same = "points: [-600, -600], missing: -600, baseline: 600, reason: cover"
    lines = "".join(
        f"  - {{id: w{n}, feature: money.months, dimension: money, cuts: [1], {same}}}\n" for n in range(490)
    )
    rules = "".join(
        f"  - {{id: v{n}, dimension: credit, when: true, points: -600, baseline: 600, reason: cover}}\n"
        for n in range(490)
    )
    text = small_rules.base()["trust.yaml"].replace("characteristics:\n", f"characteristics:\n{lines}")
    text = text.replace("rules:\n", f"rules:\n{rules}").replace(
        "{lowest: 350, highest: 950", "{lowest: 350, highest: 900000"
    )
    program = release_of({**small_rules.base(), "trust.yaml": text}, small_rules.SCHEMA, small_rules.KINDS).at(DAY)
    person = small_rules.PERSON | {"credit.missed": 3}
    people = pl.DataFrame([person | {"n": 0}], schema=small_types())
    actual = collect(perk_of(program, "room", score(program, nw.from_native(people)), nw.lit(100)))
    expected = decide(ReferenceEvaluator(program), make_question("room", 100, "CNY", person))
    assert expected.reasons[:2] == ("missed", "cover")
    assert tuple(actual.row(0, named=True)[r] for r in columnar.REASONS) == expected.reasons
