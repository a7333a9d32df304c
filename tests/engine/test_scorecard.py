"""Points, clamping, bands and reasons, worked out by hand for the small scorecard."""

from collections.abc import Mapping

import pytest

from engine.decide import Reference, assess
from engine.lang.program import Program
from engine.lang.types import Value
from engine.scorecard import Scored, band
from tests.engine.small import DAY, PERSON, release


def scored(given: Mapping[str, Value | None] | None = None, found: Program | None = None) -> Scored:
    return assess(Reference(found or release()), {**PERSON, **(given or {})}, DAY)


def points(of: Scored) -> dict[str, int]:
    return {part.id: part.points for part in of.parts}


def test_the_score_is_the_base_and_the_points_of_every_line() -> None:
    found = scored()
    assert points(found) == {"missed": 120, "cover": 10, "balance": 0, "degree": 0, "steady": 40, "late": 0}
    assert (found.score, found.band) == (500 + 120 + 10 + 40, "good")


@pytest.mark.parametrize(
    ("feature", "value", "bin_", "given"),
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
def test_a_cut_belongs_to_the_bin_above_it(feature: str, value: int | None, bin_: int | None, given: int) -> None:
    part = next(p for p in scored({feature: value}).parts if p.id == feature.partition(".")[2])
    assert (part.bin, part.points) == (bin_, given)
    assert part.status is (None if bin_ is None else True)


@pytest.mark.parametrize(
    ("given", "status", "came"),
    [
        ({"money.months": 6}, True, 40),
        ({"money.months": 5}, False, 0),
        ({"money.months": None}, None, 10),
        ({"money.months": 5, "money.paused": None}, False, 0),
        ({"money.paused": True}, False, 0),
    ],
)
def test_a_rule_gives_points_when_met_and_others_when_unknown(
    given: dict[str, Value | None], status: bool | None, came: int
) -> None:
    part = next(p for p in scored(given).parts if p.id == "steady")
    assert (part.status, part.points, part.bin) == (status, came, None)


def test_the_score_stays_within_its_range() -> None:
    high = release("trust.yaml", "base: 500", "base: 940")
    assert scored(found=high).score == 950
    low = release("trust.yaml", "base: 500", "base: 351")
    worst = scored({"credit.missed": 9, "money.cover": 0, "money.months": 0, "credit.last_missed": 20_000}, low)
    assert (worst.score, worst.band) == (350, "poor")
    assert sum(points(worst).values()) == -100 - 20 - 60


@pytest.mark.parametrize(
    ("score", "name"),
    [(350, "poor"), (599, "poor"), (600, "good"), (699, "good"), (700, "best"), (950, "best")],
)
def test_a_band_begins_at_its_lowest_score(score: int, name: str) -> None:
    assert band(release().scorecard, score) == name


def test_reasons_are_what_was_lost_below_the_baseline_the_largest_first() -> None:
    # cover: baseline 40 - 10, and steady, under the same code, nothing; balance 30; ties 20; missed and late nothing
    assert scored().reasons == ("cover", "balance", "ties")
    assert scored({"money.cover": 0}).reasons == ("cover", "balance", "ties")
    assert scored({"money.cover": 125}).reasons == ("balance", "ties")  # 40 - 60 is a gain


def test_a_gain_makes_up_for_a_loss_under_the_same_code() -> None:
    # cover gains 20, steady loses 40: 20 lost in all, as many as ties, and cover stands first in the file
    assert scored({"money.cover": 125, "money.months": 0}).reasons == ("balance", "cover", "ties")
    assert scored({"money.cover": 125, "money.months": 0, "money.balance": 5}).reasons == ("cover", "ties")


def test_what_is_lost_under_one_code_is_added_up() -> None:
    # cover 30 + steady 30 (unknown gives 10 of 40) = 60, before balance 30
    assert scored({"money.months": None}).reasons == ("cover", "balance", "ties")
    # missed 100, cover 60 + 40 = 100, late 60, balance 30; ties would be the fifth
    worse = {"credit.missed": 1, "money.cover": 0, "money.months": 0, "credit.last_missed": 20_000}
    assert scored(worse).reasons == ("missed", "cover", "late", "balance")


def test_nothing_lost_is_no_reason() -> None:
    best = {"money.cover": 200, "money.balance": 0, "ties.degree": 1}
    assert scored(best).reasons == ()


@pytest.mark.parametrize("level", [0, None])
def test_who_is_not_surely_scorable_has_no_score_and_one_reason(level: int | None) -> None:
    found = scored({"identity.level": level})
    assert (found.score, found.band, found.reasons) == (None, None, ("thin",))
    assert points(found)["missed"] == 120, "the parts are there for whoever explains"


def test_a_missing_relationship_or_balance_costs_nothing() -> None:
    with_all = scored({"money.balance": -5, "ties.degree": 0})
    assert with_all.score == scored().score
