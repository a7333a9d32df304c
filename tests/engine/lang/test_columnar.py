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
from api.releases.rules_folder import load
from engine.decide import Reference, assess, decide
from engine.errors import EngineError
from engine.lang import columnar
from engine.lang.check import release_of
from engine.lang.program import Program
from engine.lang.types import Value
from tests.engine import small
from tests.engine.small import DAY, asked

PEOPLE = 100
PERKS = {"hotel", "car", "bicycle", "power_bank", "apartment"}  # named here: collecting the tests reads no rules
AMOUNTS = (1, 99, 9_900, 29_900, 100_000)


score = partial(columnar.score, day=DAY)
perk_of = partial(columnar.perk, day=DAY)


@cache
def release() -> Program:
    return load(Path(__file__).parents[3] / "rules").at(small.DAY)


@cache
def flags() -> set[str]:
    return {p.flag for p in release().flags}


@cache
def crowd() -> list[dict[str, Value | None]]:
    """People of every sort: the first of each feature's range are the likeliest, a sixth of all is missing."""
    chooser = Random(3)

    def value(name: str) -> Value | None:
        if name in flags():
            return chooser.choice([None, False, False, True])
        type_ = schema()[name].type
        high = chooser.choice([min(type_.high, 3), min(type_.high, 40), min(type_.high, 2_000)])
        return None if chooser.random() < 1 / 6 else chooser.randint(type_.low, high)

    known: list[dict[str, Value | None]] = [{n: value(n) for n in release().reads} for _ in range(PEOPLE)]
    return [p | {"identity.level": n % 3 + 1, "identity.tenure_days": 60 + 20 * n} for n, p in enumerate(known)]


def frame(rows: list[dict[str, Value | None]]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={n: pl.Boolean if n in flags() else pl.Int64 for n in release().reads}
    ).with_row_index("n")


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


@cache
def scored(native: Callable[[pl.DataFrame], Any]) -> pl.DataFrame:
    """The crowd with what it asks for and its scores, as an engine gives them."""
    amounts = pl.Series("asked", [AMOUNTS[n % len(AMOUNTS)] for n in range(PEOPLE)])
    return collected(score(release(), nw.from_native(native(frame(crowd()).with_columns(amounts)))))


def test_the_perks_are_those_that_are_tried() -> None:
    assert {p.id for p in release().perks} == PERKS


@engines
@pytest.mark.parametrize("name", sorted(PERKS))
def test_a_perk_s_answers_are_the_reference_s(name: str, native: Callable[[pl.DataFrame], Any]) -> None:
    people = nw.from_native(native(scored(native)))
    amounts = scored(native)["asked"]
    came = collected(perk_of(release(), name, people, nw.col("asked")))
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


def little(**columns: pl.Series) -> pl.DataFrame:
    """Three people of the small rules, with these columns in place of theirs (`__` stands for the dot)."""
    given = {name.replace("__", "."): column for name, column in columns.items()}
    people = pl.DataFrame([small.PERSON | {"n": n} for n in range(3)], schema=small_types())
    return people.with_columns(column.alias(name) for name, column in given.items())


def total(people: pl.DataFrame, native: Callable[[pl.DataFrame], Any], when: str) -> list[int]:
    """The points that a rule of 7 gives each (unknown: 2), with `when` asked of them."""
    ruled = small.release(
        "trust.yaml", "when: steady, points: 40, unknown: 10", f'when: "{when}", points: 7, unknown: 2'
    )
    return list(collected(score(ruled, nw.from_native(native(people))))["points:steady"])


@engines
@pytest.mark.parametrize("width", [pl.UInt8, pl.Int8, pl.UInt16, pl.Int16, pl.UInt32, pl.Int32, pl.UInt64], ids=str)
def test_whole_numbers_of_any_width_mean_the_same(width: Any, native: Callable[[pl.DataFrame], Any]) -> None:
    """Counts come as 32 bits without a sign: 1 - 3 is 4,294,967,294 there, and 100 x 100 is 16 in 8 bits."""
    people = little(
        money__months=pl.Series([1, 3, None], dtype=width), credit__missed=pl.Series([3, 1, 1], dtype=width)
    )
    assert total(people, native, "money.months - credit.missed < 0") == [7, 0, 2]
    assert total(people, native, "money.months * 100 * credit.missed >= 300") == [7, 7, 2]


@engines
@pytest.mark.parametrize("name", ["money.paused", "money.months", "identity.kind"])
def test_a_column_of_nulls_alone_is_missing_whatever_its_type(name: str, native: Callable[[pl.DataFrame], Any]) -> None:
    people = little().with_columns(pl.lit(None).alias(name))
    conditions = {"money.paused": "not money.paused", "money.months": "money.months + 1 > 0"}
    assert total(people, native, conditions.get(name, f"{name} != 'guest'")) == [2, 2, 2]
    assert total(people, native, f"missing({name})") == [7, 7, 7]


@engines
@pytest.mark.parametrize("words", [pl.Categorical, pl.Enum(["guest", "member"])], ids=["categorical", "enum"])
def test_words_may_be_kept_as_numbers(words: Any, native: Callable[[pl.DataFrame], Any]) -> None:
    people = little(identity__kind=pl.Series(["guest", "member", None], dtype=words))
    assert total(people, native, "identity.kind == 'guest' or identity.kind in ['guest']") == [7, 0, 2]


@engines
@pytest.mark.parametrize(
    ("name", "column", "what"),
    [
        ("money.paused", pl.Series([1, 0, 2]), "true and false"),  # engines differ in what 2 is
        ("money.paused", pl.Series(["true", "false", "x"]), "true and false"),
        ("identity.kind", pl.Series([1, 0, 2]), "words"),
        ("credit.last_missed", pl.Series([1, 2, 3]).cast(pl.Date), "whole numbers"),
        ("credit.missed", pl.Series([True, False, None]), "whole numbers"),
        ("money.cover", pl.Series(["1", "2", "3"]), "whole numbers"),
    ],
)
def test_a_column_of_another_sort_is_refused_by_name(
    name: str, column: pl.Series, what: str, native: Callable[[pl.DataFrame], Any]
) -> None:
    people = little().with_columns(column.alias(name))
    with pytest.raises(EngineError, match=f"the column `{name}` is not of {what}"):
        perk_of(small.release(), "room", score(small.release(), nw.from_native(native(people))), nw.lit(100))


@engines
@pytest.mark.parametrize("name", ["left:0", "held_for", "request.nights", "request.town"])
def test_what_a_perk_is_asked_with_is_held_to_its_type_too(name: str, native: Callable[[pl.DataFrame], Any]) -> None:
    """A cap that leaves 3.7 would waive 3.7 minor units."""
    scored = score(small.release(), nw.from_native(native(little())))
    wrong = scored.with_columns(nw.lit(3.7).alias(name))
    with pytest.raises(EngineError, match=f"the column `{name}` is not of"):
        perk_of(small.release(), "villa", wrong, nw.lit(100))
    with pytest.raises(EngineError, match=r"the column `request\.amount` is not of whole numbers"):
        perk_of(small.release(), "villa", scored, nw.lit(99.5))


def test_a_perk_that_the_rules_have_not_is_refused_by_name() -> None:
    scored = score(small.release(), nw.from_native(little()))
    with pytest.raises(EngineError, match="the rules have no perk `castle`"):
        perk_of(small.release(), "castle", scored, nw.lit(100))


@engines
def test_columns_that_have_nothing_to_do_with_it_change_nothing(native: Callable[[pl.DataFrame], Any]) -> None:
    """Names of results and of what is worked with on the way, from an earlier run or of the caller's own."""
    names = ["score", "band", "alone", "points:missed", "status:late", "reason_1", "outcome", "waived", "tier", "held"]
    names += ["~scorable", "~key0", "~score", "~eased", "~kept:tier", "~stop:room.bad", "~cut:0", "~given", "left:9"]
    junk = little().with_columns(pl.lit(float(n)).alias(name) for n, name in enumerate([*names, "as_of", "request.x"]))

    def answered(people: pl.DataFrame) -> list[dict[str, Any]]:
        asked_ = score(small.release(), nw.from_native(native(people)))
        found = collected(perk_of(small.release(), "villa", asked_, nw.lit(100_000)))
        return found.select(
            ["score", "alone", "band", "outcome", "waived", "tier", "held", *columnar.REASONS]
        ).to_dicts()

    assert answered(junk) == answered(little())


@engines
@pytest.mark.parametrize("name", ["Score", "BAND", "Points:late", "Money.Months"])
def test_a_column_that_is_ours_but_for_its_letters_is_refused(name: str, native: Callable[[pl.DataFrame], Any]) -> None:
    """DuckDB takes `Score` and `score` for one: bands would be read off the caller's own column."""
    people = little().with_columns(pl.lit(1).alias(name)).drop("money.months" if name == "Money.Months" else [])
    with pytest.raises(EngineError, match=f"the columns `{name}` and `{name.lower()}` are one to SQL"):
        score(small.release(), nw.from_native(native(people)))
    scored = score(small.release(), nw.from_native(little()))
    with pytest.raises(EngineError, match="the columns `Tier` and `tier` are one to SQL"):
        perk_of(small.release(), "room", scored.with_columns(nw.lit(1).alias("Tier")), nw.lit(100))


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
