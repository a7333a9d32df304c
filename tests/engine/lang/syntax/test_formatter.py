"""Check the formatter: golden pairs, and that every file keeps its content and its comments."""

import json
import re
from functools import cache
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from engine.lang.check.release import release_of
from engine.lang.model.problems import Report
from engine.lang.syntax.canonical import canonical
from engine.lang.syntax.formatter import format_text
from tests.effort import by_effort
from tests.engine.random_layout import scramble
from tests.engine.random_rules import perk_files, scorecards
from tests.engine.small_rules import KINDS, SCHEMA, base, release
from tests.paths import ENGINE_CASES, RULES

GOLDEN = ENGINE_CASES / "layout.yaml"
SHIPPED = {p.relative_to(RULES).as_posix(): p.read_text(encoding="utf-8") for p in sorted(RULES.rglob("*.yaml"))}


@cache
def golden() -> Any:
    return YAML(typ="safe", pure=True).load(GOLDEN.read_text(encoding="utf-8"))["cases"]


def layout(text: str) -> str:
    report = Report()
    result = format_text("a.yaml", text, report)
    assert result is not None, (text, report.problems)
    return result


@pytest.mark.parametrize("case", golden(), ids=lambda c: c["name"].replace(" ", "-"))
def test_a_file_has_one_layout(case: dict[str, str]) -> None:
    assert layout(case["before"]) == case["after"]
    assert layout(case["after"]) == case["after"]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_files_are_formatted(name: str) -> None:
    assert layout(SHIPPED[name]) == SHIPPED[name]


def test_a_file_with_a_problem_is_not_formatted_and_the_problem_is_reported() -> None:
    report = Report()
    assert format_text("a.yaml", "kind: policy\nforbiden_names: []\n", report) is None
    assert "R010" in [p.code for p in report.problems]


def test_formatting_never_renames_a_release() -> None:
    files = {name: layout(scramble(text, seed)) for seed, (name, text) in enumerate(base().items())}
    assert release_of(files, SCHEMA, KINDS).id == release().release


def test_windows_line_ends_are_converted() -> None:
    assert layout("kind: reasons\r\n# why\r\nlanguages: [en]\r\nreasons: {a: {en: b}}\r\n") == (
        "kind: reasons\n# why\nlanguages: [en]\nreasons:\n  a: {en: b}\n"
    )


def texts() -> st.SearchStrategy[str]:
    """Valid files: the shipped ones, those of the golden pairs, and random ones."""
    samples = [*SHIPPED.values(), *base().values(), *(c["after"] for c in golden())]
    return st.sampled_from(samples) | scorecards() | perk_files()


@settings(max_examples=by_effort(25, 40), deadline=None)
@given(texts())
def test_formatting_keeps_the_meaning_and_is_idempotent(text: str) -> None:
    first_pass = layout(text)
    assert json.dumps(canonical(first_pass)) == json.dumps(canonical(text))
    assert layout(first_pass) == first_pass


@settings(max_examples=by_effort(27, 80), deadline=None)
@given(texts(), st.integers(0, 2**32))
def test_formatting_any_layout_keeps_the_meaning_and_every_comment(text: str, seed: int) -> None:
    careless = scramble(text, seed)
    first_pass = layout(careless)
    assert json.dumps(canonical(careless)) == json.dumps(canonical(text)), careless
    assert json.dumps(canonical(first_pass)) == json.dumps(canonical(text)), careless
    assert sorted(re.findall(r"# ?c\d+$", first_pass, re.M)) == sorted(re.findall(r"# ?c\d+$", careless, re.M)), (
        careless
    )
    assert layout(first_pass) == first_pass, careless
    assert not re.search(r"[ \t]$|\n\n\n|\A\n|\n\n\Z", first_pass, re.M) or '"' in first_pass


@settings(max_examples=by_effort(25, 40), deadline=None)
@given(texts(), st.integers(0, 2**32), st.integers(0, 2**32))
def test_a_meaning_has_one_layout_except_comments_and_blank_lines(text: str, seed: int, other: int) -> None:
    assert layout(scramble(text, seed, quiet=True)) == layout(scramble(text, other, quiet=True))


CHARACTERS = [
    "\r",
    "\r\n",
    "\u2028",
    "\x85",
    "\ufeff",
    "#",
    "# x",
    "'",
    '"',
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "|",
    ">-",
]
CHARACTERS += ["\\", " ", "\u3000", "? ", "~", "---\n", "...\n", "\t", "|2\n", "\u00a0", "a", "中"]


@settings(max_examples=by_effort(100, 300), deadline=None)
@given(st.sampled_from([c["before"] for c in golden()]), st.sampled_from(CHARACTERS), st.integers(0), st.booleans())
def test_any_typing_error_is_refused_or_formatted(text: str, slip: str, place: int, instead: bool) -> None:
    place %= len(text)
    changed = text[:place] + slip + text[place + instead :]
    first_pass = format_text("a.yaml", changed, Report())
    assert first_pass is None or layout(first_pass) == first_pass, changed


def rewrite() -> None:
    """Store the current layout of the files."""
    head = GOLDEN.read_text(encoding="utf-8").partition("cases:")[0]
    cases = [
        {"name": c["name"], "before": LiteralScalarString(c["before"])}
        | {"after": LiteralScalarString(layout(c["before"]))}
        for c in golden()
    ]
    out, writer = StringIO(), YAML()
    writer.width, writer.allow_unicode = 10_000, True
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump({"cases": cases}, out)
    GOLDEN.write_text(head + out.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
