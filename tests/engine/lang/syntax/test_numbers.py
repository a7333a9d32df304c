"""Check that the spelling of a number does not change a release, and that we reject ambiguous spellings."""

import pytest

from engine.lang.check.release import check
from engine.lang.model.types import Type, value_of
from engine.lang.syntax.canonical import normalize_number
from tests.engine.small_rules import KINDS, SCHEMA, base


@pytest.mark.parametrize(
    ("text", "one"),
    [
        *(
            ("1.0", "1"),
            ("1", "1"),
            ("-0", "0"),
            ("-0.00", "0"),
            ("0.50", "0.5"),
            ("-1.20", "-1.2"),
            ("10", "10"),
            ("-0d", "0d"),
        ),
        *(("100", "100"), ("90d", "90d"), ("1.2.3", "1.2.3"), ("true", "true"), ("1e3", "1e3"), ("", "")),
    ],
)
def test_a_number_has_one_text(text: str, one: str) -> None:
    assert normalize_number(text) == one


def files(old: str, new: str) -> dict[str, str]:
    """The files, with the first occurrence changed."""
    name = next(n for n, text in base().items() if old in text)
    return {**base(), name: base()[name].replace(old, new, 1)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("most: 5000 CNY", "most: 5000.0 CNY"),
        ("most: 5000 CNY", "most: 5000.00 CNY"),
        ("credit.missed >= 3", "credit.missed >= 3.0"),
        ("credit.missed >= 3", "credit.missed >= 3.00"),
    ],
)
def test_another_spelling_of_a_number_keeps_the_release_name(old: str, new: str) -> None:
    release, same = (check(f, SCHEMA, KINDS)[0] for f in (base(), files(old, new)))
    assert release
    assert same
    assert release.id == same.id


def test_another_number_changes_the_release_name() -> None:
    release, other = (check(f, SCHEMA, KINDS)[0] for f in (base(), files("credit.missed >= 3", "credit.missed >= 30")))
    assert release
    assert other
    assert release.id != other.id


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("most: 5000 CNY", "most: 05000 CNY"),
        ("relationships_share: 5", "relationships_share: 05"),
        ("base: 500", "base: 0500"),
        ("credit.missed >= 3", "credit.missed >= 03"),
        ("credit.missed >= 3", "credit.missed >= -03"),
        ("credit.missed >= 3", "credit.missed >= 00"),
    ],
)
def test_zeros_before_a_number_are_refused_at_their_place_with_a_hint(old: str, new: str) -> None:
    changed = files(old, new)
    name = next(n for n, text in changed.items() if text != base()[n])
    _, problems = check(changed, SCHEMA, KINDS)
    line = next(n for n, text in enumerate(changed[name].split("\n"), 1) if new in text)
    (problem,) = [p for p in problems if p.hint == "leave out the zeros before it"]
    assert (problem.at.file, problem.at.line, problem.code) == (name, line, "R104" if ">=" in old else "R013")


@pytest.mark.parametrize(
    ("text", "kind"), [("010", "int"), ("-010", "int"), ("00", "int"), ("01.5", "decimal"), ("010d", "duration")]
)
def test_requests_and_cases_follow_the_same_rule(text: str, kind: str) -> None:
    assert value_of(text, Type(kind, 2 if kind == "decimal" else 0)) is None  # type: ignore[arg-type]
