"""Places: where a cursor is in a file that somebody is writing. The files need be neither whole nor YAML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.authoring.places import place_at
from engine.authoring.shapes import shape_at
from tests.engine.authoring.cursors import cursor_in, shipped_texts

CARD = "kind: scorecard\n"
PERK = "kind: perks\nperks:\n  - id: hotel\n    tiers:\n"


@pytest.mark.parametrize(
    ("text", "path", "is_key", "before"),
    [
        (CARD + "cha|", (), True, "cha"),
        (CARD + "characteristics:\n  - id: kept\n    fea|\n    dimension: x\n", ("characteristics", None), True, "fea"),
        (CARD + "characteristics:\n- id: a\n- fea|", ("characteristics", None), None, "fea"),
        (CARD + "characteristics:\n  - feature: cre|", ("characteristics", None, "feature"), False, "cre"),
        (CARD + "scorable:\n  when: a and\n    b or cr|", ("scorable", "when"), False, "a and b or cr"),
        (CARD + "scorable:\n  when: >\n    b or cr|", ("scorable", "when"), False, " b or cr"),
        (CARD + "scorable:\n  |", ("scorable",), None, ""),
        (CARD + "# a note\n\ndefine:\n  active: beh|", ("define", "active"), False, "beh"),
        (CARD + "bands:\n  - {name: poor, fr|}", ("bands", None), True, "fr"),
        (CARD + "bands:\n  - {name: poor,\n     from: 3|}", ("bands", None, "from"), False, "3"),
        (CARD + "characteristics:\n  - points: [0,\n      1|", ("characteristics", None, "points", None), False, "1"),
        (CARD + "characteristics:\n  - points: [0, 1]\n    re|", ("characteristics", None), True, "re"),
        (PERK + "      - {id: a, when: score > 1|, waive: {}}", ("perks", None, "tiers", None, "when"), False, "score > 1"),
        (PERK + "      - {waive: {up|", ("perks", None, "tiers", None, "waive"), True, "up"),
        (PERK + "      - {when: \"a in ['x', '|", ("perks", None, "tiers", None, "when"), False, "a in ['x', '"),
        ("ki|", (), True, "ki"),
        ("kind: |", ("kind",), False, ""),
    ],
)  # fmt: skip
def test_a_cursor_has_a_path_of_keys(text: str, path: tuple[str | None, ...], is_key: bool | None, before: str) -> None:
    place = place_at(*cursor_in(text))
    assert place is not None
    assert (place.path, place.is_key, place.before) == (path, is_key, before)


@pytest.mark.parametrize("text", [CARD + "# no|te", CARD + "score: 1 # no|te", CARD + "bands:\n  # - a|"])
def test_there_is_nothing_to_complete_in_a_comment(text: str) -> None:
    assert place_at(*cursor_in(text)) is None


def test_a_place_knows_the_other_keys_of_its_record_and_its_perk() -> None:
    place = place_at(*cursor_in(PERK + "      - {id: hotel.1, |\n"))
    assert place is not None
    assert (dict(place.entries), place.owner, place.kind) == ({"id": "hotel.1"}, "hotel", "perks")
    place = place_at(
        *cursor_in("kind: features\nfeatures:\n  - id: a.b\n    whe|\n    of: x.y\n  - id: c.d\n    as: q\n")
    )
    assert place is not None
    assert dict(place.entries) == {"id": "a.b", "of": "x.y"}


def test_each_value_of_the_shipped_files_is_where_the_grammar_expects_one() -> None:
    """At the end of each line that ends in a plain value, the grammar knows what belongs there."""
    for name, text in shipped_texts().items():
        for number, row in enumerate(text.split("\n"), 1):
            content = row.split(" #")[0].rstrip()
            if not content.lstrip() or content.lstrip().startswith("#") or content[-1] in "]}:,":
                continue
            place = place_at(text, number, len(content) + 1)
            assert place is not None, (name, number)
            shape = shape_at(place.kind, place.path)
            assert shape is not None or place.path == ("kind",) or place.path[-1:] == ("value",), (
                name,
                number,
                place.path,
            )


@given(st.text(alphabet="ab:-{}[]'\"|>#,\n ", max_size=60), st.integers(0, 8), st.integers(0, 20))
def test_no_text_stops_us(text: str, line: int, column: int) -> None:
    place_at(CARD + text, line, column)
