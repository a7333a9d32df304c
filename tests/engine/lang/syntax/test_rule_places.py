"""The lines of a file that hold a rule."""

import pytest

from engine.lang.syntax.rule_places import find_place, rule_places
from tests.paths import RULES

PERKS = """kind: perks
perks:
  - id: hotel
    about: A room
    knockouts:
      - {id: hotel.stop, when: score < 5, until: 2026-02-01}
      - id: hotel.stop
        when: >
          score < 6
          and score > 1
        since: 2026-02-01
    tiers: [{id: hotel.all, when: score > 7}]
"""
SHIPPED = {path.name: path.read_text(encoding="utf-8") for path in RULES.glob("*.yaml")}


@pytest.mark.parametrize(
    ("name", "day", "lines"),
    [
        ("hotel", "2026-01-01", (3, 12)),
        ("hotel.stop", "2026-01-31", (6, 6)),
        ("hotel.stop", "2026-02-01", (7, 11)),
        ("hotel.all", "2026-01-01", (12, 12)),
    ],
)
def test_a_place_is_from_the_first_line_to_the_last(name: str, day: str, lines: tuple[int, int]) -> None:
    place = find_place(rule_places({"perks.yaml": PERKS}), "perks", name, day)
    assert place is not None
    assert (place.file, place.first, place.last) == ("perks.yaml", *lines)


def test_there_is_no_place_of_another_kind_or_in_an_unreadable_file() -> None:
    assert find_place(rule_places({"perks.yaml": PERKS}), "scorecard", "hotel", "2026-01-01") is None
    assert rule_places({"perks.yaml": "kind: [", "list.yaml": "- a"}) == ()


def test_each_shipped_rule_is_where_its_file_says_its_id() -> None:
    places = rule_places(SHIPPED)
    assert len(places) > 80
    for place in places:
        assert place.id in SHIPPED[place.file].splitlines()[place.first - 1]
    names = {(place.kind, place.id) for place in places}
    assert {("scorecard", "scorable"), ("scorecard", "kept"), ("perks", "car.odd_money")} <= names
