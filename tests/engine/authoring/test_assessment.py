"""Assessment: the rules tried on one person, line by line. The values are those of `docs`: 607 points under the shipped rules."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.releases.catalogue import kinds, schema
from engine.authoring.assessment import Assessment, assess_lines, read_written_values
from engine.errors import Rejected
from engine.lang.check.release import release_of
from tests.engine.authoring.cursors import shipped_texts

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
WRITTEN = {
    "identity.level": "2",
    "identity.tenure_days": "400d",
    "credit.kept": "12",
    "credit.orders_kept": "2",
    "credit.missed": "0",
    "credit.open": "missing",
}


def assessment(**amounts: int) -> Assessment:
    program = release_of(shipped_texts(), schema(), kinds()).programs[-1]
    return assess_lines(program, shipped_texts(), read_written_values(program, WRITTEN), AS_OF, amounts)


def text_at(at: Any) -> str:
    row = shipped_texts()[at.file].split("\n")[at.line - 1]
    return row[at.column - 1 : at.column - 1 + at.length]


def test_the_score_and_the_perks_are_those_of_the_library() -> None:
    result = assessment(hotel=50_000)  # README: 607 points, band good
    assert (result.result.score, result.result.band) == (607, "good")
    hotel = next(perk for perk in result.perks if perk.perk.id == "hotel")
    assert (hotel.amount, hotel.answer.outcome, hotel.answer.waived, hotel.answer.tier) == (
        50_000,
        "ADMIT",
        50_000,
        "hotel.600",
    )


def test_each_bin_that_is_met_has_its_place_its_value_and_its_points() -> None:
    lines = {line.id: line for line in assessment().lines}
    characteristic = lines["kept"]  # cuts [1, 6, 12, 24], points [0, 18, 35, 52, 70]: 12 is in the fourth bin
    assert (characteristic.sort, characteristic.status, characteristic.value, characteristic.points) == (
        "bin",
        True,
        "12",
        52,
    )
    assert (text_at(characteristic.at), text_at(characteristic.met_at)) == ("kept", "52")
    opened = lines["open"]
    assert (opened.status, opened.value, opened.unknown, text_at(opened.met_at)) == (
        None,
        "UNKNOWN",
        ("credit.open",),
        "0",
    )
    assert sum(line.points or 0 for line in lines.values()) + 480 == 607


def test_each_tier_and_knock_out_shows_the_comparisons_with_the_values() -> None:
    lines = {(line.of, line.id): line for line in assessment().lines}
    met, unmet = lines["hotel", "hotel.600"], lines["hotel", "hotel.700"]
    assert (met.sort, met.status, text_at(met.met_at)) == ("tier", True, "hotel.600")
    assert (unmet.status, unmet.met_at) == (False, None)
    assert [(c.text, c.value, c.distance) for c in unmet.comparisons] == [("score >= 700", "607", "+93")]
    knockout = lines["hotel", "hotel.failing"]
    assert (knockout.sort, knockout.status, knockout.unknown[0]) == ("knockout", None, "credit.missed_12m")


@pytest.mark.parametrize(
    ("name", "text"), [("credit.keptt", "1"), ("credit.kept", "many"), ("credit.kept", "-1"), ("identity.level", "99")]
)
def test_a_value_that_does_not_fit_is_rejected_with_a_hint(name: str, text: str) -> None:
    program = release_of(shipped_texts(), schema(), kinds()).programs[-1]
    with pytest.raises(Rejected) as error:
        read_written_values(program, {name: text})
    assert (error.value.code, bool(error.value.hint)) == ("bad_value", True)


def test_days_may_be_written_as_a_number() -> None:
    program = release_of(shipped_texts(), schema(), kinds()).programs[-1]
    assert read_written_values(program, {"identity.tenure_days": "400"}) == {"identity.tenure_days": 400}
