"""Check that we reject ids and constants that look like others, wherever we read rules."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.lang.check.release import check
from engine.lang.model.identifiers import flaw, skeleton
from engine.lang.model.problems import Problem
from engine.lang.model.types import STRING, value_of
from graph.evidence.event_checks import problems
from graph.evidence.events import conform
from tests.engine.small_rules import KINDS, SCHEMA, base
from tests.lookalikes import SIGNS, VALID_NAMES
from tests.strategies import NOW

LIST = "kind: list\nid: cities\nabout: where the pilot is\nentries:\n"


@pytest.mark.parametrize("text", VALID_NAMES)
def test_names_of_people_of_any_script_are_identifiers(text: str) -> None:
    assert flaw(text) is None
    assert skeleton(text) == " ".join(text.split())


@pytest.mark.parametrize(("sign", "message"), SIGNS)
def test_a_lookalike_is_invalid_and_the_problem_names_the_character(sign: str, message: str) -> None:
    for text in (f"an{sign}n", f"{sign}ann", f"ann{sign}"):
        assert message in str(flaw(text))
        assert value_of(text, STRING) is None


@pytest.mark.parametrize("text", [" ann", "ann ", "\tann", "", " "])
def test_blanks_at_the_ends_are_reported(text: str) -> None:
    assert flaw(text)


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=5))
def test_identifiers_of_one_skeleton_are_one(text: str) -> None:
    if flaw(text) is None:
        assert skeleton(text) == " ".join(text.split())
        assert unicodedata.is_normalized("NFC", text)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cn"]), min_size=1, max_size=3), min_size=1, max_size=30)
)
def test_evidence_follows_the_same_rule(texts: list[str]) -> None:
    """We skip unassigned characters: the two libraries use different versions of Unicode."""
    rows = [
        {
            "contributor": "bank",
            "event_id": text,
            "kind": "person.enrolled",
            "subject": "ann",
            "happened_at": NOW,
            "identity_level": 1,
        }
        for text in texts
    ]
    bad_rows = problems(conform(pl.DataFrame(rows)), NOW)["row"].to_list()
    assert bad_rows == [row for row, text in enumerate(texts) if flaw(text)]


def list_problems(*entries: str) -> tuple[Problem, ...]:
    text = LIST + "".join(f'  - {{value: "{e}"}}\n' for e in entries)
    return check({**base(), "lists/cities.yaml": text}, SCHEMA, KINDS)[1]


def test_entries_of_a_list_that_differ_in_normalization_alone_are_a_duplicate() -> None:
    issues = list_problems("Orl\u00e9ans", "Orle\u0301ans", "Hangzhou", "Hang\u200bzhou", "Hangzhou\\u00a0")
    assert [(p.code, p.at.line) for p in issues] == [
        ("R013", 6),
        ("R015", 6),
        ("R013", 8),
        ("R015", 8),
        ("R013", 9),
        ("R015", 9),
    ]
    assert "normalization form C" in issues[0].message
    assert issues[1].message.endswith("occurs twice, except for invisible differences")


def test_entries_that_differ_in_the_number_of_blanks_are_a_duplicate() -> None:
    issues = list_problems("New  York", "New York", "Newyork")
    assert [(p.code, p.at.line) for p in issues] == [("R015", 6)]
    assert issues[0].message.endswith("occurs twice, except for invisible differences")


def test_entries_with_visible_differences_are_distinct() -> None:
    assert list_problems("Orléans", "Orleans", "orléans", "北京", "東京") == ()


@pytest.mark.parametrize(("sign", "message"), SIGNS)
def test_words_in_conditions_and_enumerations_follow_the_same_rule(sign: str, message: str) -> None:
    escaped = "".join(f"\\u{ord(c):04x}" if ord(c) > 126 or ord(c) < 32 else c for c in sign)
    perk = base()["perks.yaml"]
    field = f'request:\n      suite: {{type: enum, values: [single, "dou{escaped}ble"]}}\n'
    assert "request:\n" in perk
    changed = perk.replace("request:\n", field, 1)
    _, issues = check({**base(), "perks.yaml": changed}, SCHEMA, KINDS)
    assert any(p.code == "R013" and message in p.message for p in issues), issues
