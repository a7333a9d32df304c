"""Check points, clamping, bands and reasons, worked out by hand for the small scorecard."""

from collections.abc import Mapping

import pytest

from engine.decide.decide import ReferenceEvaluator, assess
from engine.decide.scorecard import ScoreResult, band
from engine.lang.model.program import Program
from engine.lang.model.types import Value
from tests.engine.small_rules import DAY, PERSON, release


def score_person(changes: Mapping[str, Value | None] | None = None, program: Program | None = None) -> ScoreResult:
    return assess(ReferenceEvaluator(program or release()), {**PERSON, **(changes or {})}, DAY)


def points(of: ScoreResult) -> dict[str, int]:
    return {part.id: part.points for part in of.parts}


def test_the_score_is_the_base_plus_the_points_of_every_item() -> None:
    result = score_person()
    assert points(result) == {"missed": 120, "cover": 10, "balance": 0, "degree": 0, "steady": 40, "late": 0}
    assert (result.score, result.band) == (500 + 120 + 10 + 40, "good")


@pytest.mark.parametrize(
    ("feature", "value", "bin_", "expected"),
    [
        ("credit.missed", 0, 0, 120),
        ("credit.missed", 1, 1, 20),
        ("credit.missed", 2, 1, 20),
        ("credit.missed", 3, 2, -100),
        ("credit.missed", 100, 2, -100),
        ("credit.missed", None, None, 0),
        ("money.cover", 79, 0, -20),
        ("money.cover", 80, 1, 10),
        ("money.cover", 124, 1, 10),
        ("money.cover", 125, 2, 60),
        ("money.cover", None, None, 5),
        ("money.balance", -1, 0, 0),
        ("money.balance", 0, 1, 30),
    ],
)
def test_a_cut_belongs_to_the_bin_above_it(feature: str, value: int | None, bin_: int | None, expected: int) -> None:
    part = next(p for p in score_person({feature: value}).parts if p.id == feature.partition(".")[2])
    assert (part.bin, part.points) == (bin_, expected)
    assert part.status is (None if bin_ is None else True)


@pytest.mark.parametrize(
    ("changes", "status", "expected"),
    [
        ({"money.months": 6}, True, 40),
        ({"money.months": 5}, False, 0),
        ({"money.months": None}, None, 10),
        ({"money.months": 5, "money.paused": None}, False, 0),
        ({"money.paused": True}, False, 0),
    ],
)
def test_a_rule_has_points_for_met_and_for_unknown(
    changes: dict[str, Value | None], status: bool | None, expected: int
) -> None:
    part = next(p for p in score_person(changes).parts if p.id == "steady")
    assert (part.status, part.points, part.bin) == (status, expected, None)


def test_the_score_stays_within_its_range() -> None:
    high = release("trust.yaml", "base: 500", "base: 940")
    assert score_person(program=high).score == 950
    low = release("trust.yaml", "base: 500", "base: 351")
    worst = score_person({"credit.missed": 9, "money.cover": 0, "money.months": 0, "credit.last_missed": 20_000}, low)
    assert (worst.score, worst.band) == (350, "poor")
    assert sum(points(worst).values()) == -100 - 20 - 60


@pytest.mark.parametrize(
    ("score", "name"),
    [(350, "poor"), (599, "poor"), (600, "good"), (699, "good"), (700, "best"), (950, "best")],
)
def test_a_band_begins_at_its_lowest_score(score: int, name: str) -> None:
    assert band(release().scorecard, score) == name


def test_reasons_are_losses_below_the_baseline_largest_first() -> None:
    # cover: baseline 40 - 10, and steady, under the same code, nothing; balance 30; ties 20; missed and late nothing
    assert score_person().reasons == ("cover", "balance", "ties")
    assert score_person({"money.cover": 0}).reasons == ("cover", "balance", "ties")
    assert score_person({"money.cover": 125}).reasons == ("balance", "ties")  # 40 - 60 is a gain


def test_a_gain_offsets_a_loss_with_the_same_code() -> None:
    # cover gains 20, steady loses 40: 20 lost in all, as many as ties, and cover stands first in the file
    assert score_person({"money.cover": 125, "money.months": 0}).reasons == ("balance", "cover", "ties")
    assert score_person({"money.cover": 125, "money.months": 0, "money.balance": 5}).reasons == ("cover", "ties")


def test_losses_with_one_code_are_added_up() -> None:
    # cover 30 + steady 30 (unknown gives 10 of 40) = 60, before balance 30
    assert score_person({"money.months": None}).reasons == ("cover", "balance", "ties")
    # missed 100, cover 60 + 40 = 100, late 60, balance 30; ties would be the fifth
    worse = {"credit.missed": 1, "money.cover": 0, "money.months": 0, "credit.last_missed": 20_000}
    assert score_person(worse).reasons == ("missed", "cover", "late", "balance")


def test_without_a_loss_there_is_no_reason() -> None:
    best = {"money.cover": 200, "money.balance": 0, "ties.degree": 1}
    assert score_person(best).reasons == ()


@pytest.mark.parametrize("level", [0, None])
def test_a_person_who_is_not_surely_scorable_has_no_score_and_one_reason(level: int | None) -> None:
    result = score_person({"identity.level": level})
    assert (result.score, result.band, result.reasons) == (None, None, ("thin",))
    assert points(result)["missed"] == 120, "the parts are there for whoever explains"


def test_a_missing_relationship_or_balance_costs_nothing() -> None:
    with_all = score_person({"money.balance": -5, "ties.degree": 0})
    assert with_all.score == score_person().score
