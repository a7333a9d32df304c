"""Findings as text, JSON, SARIF and GitHub commands, for every message of all broken files."""

import json
import unicodedata
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from api.releases import findings
from api.releases.findings import Finding
from engine.lang.check.release import check
from engine.lang.model.problems import Problem, SourceSpan
from tests.engine.small_rules import SCHEMA, base_with, broken_rules, check_broken

SARIF_SCHEMA = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "run": {
            "type": "object",
            "required": ["tool", "results"],
            "additionalProperties": False,
            "properties": {
                "tool": {"$ref": "#/$defs/tool"},
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "tool": {
            "type": "object",
            "required": ["driver"],
            "properties": {
                "driver": {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": False,
                    "properties": {"name": {"type": "string"}, "rules": {"items": {"$ref": "#/$defs/rule"}}},
                }
            },
        },
        "rule": {
            "type": "object",
            "required": ["id"],
            "additionalProperties": False,
            "properties": {"id": {"type": "string"}, "shortDescription": {"$ref": "#/$defs/text"}},
        },
        "text": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": {"type": "string", "minLength": 1}},
        },
        "result": {
            "type": "object",
            "required": ["message", "ruleId"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": {"$ref": "#/$defs/text"},
                "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
            },
        },
        "location": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation"],
                    "additionalProperties": False,
                    "properties": {
                        "artifactLocation": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {"uri": {"type": "string", "pattern": r"^[!#-;=?-\[\]_a-z~%]+$"}},
                        },
                        "region": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {
                                n: {"type": "integer", "minimum": 1} for n in ("startLine", "startColumn", "endColumn")
                            },
                        },
                    },
                }
            },
        },
    },
}


@cache
def all_findings(folder: str = "rules") -> list[Finding]:
    """Every finding of all broken files."""
    return [f for c in broken_rules() for f in findings.findings_in(Path(folder), c.files, check_broken(c.name)[1])]


@pytest.mark.parametrize("folder", ["rules", "/a folder/规则,:%"])
def test_sarif_output_has_the_keys_of_the_standard(folder: str) -> None:
    """A part of the standard's own schema (OASIS SARIF 2.1.0, section 3), without additional keys."""
    document = json.loads(findings.as_sarif(all_findings(folder)))
    assert [e.message for e in Draft202012Validator(SARIF_SCHEMA).iter_errors(document)] == []
    (run,) = document["runs"]
    assert {r["ruleId"] for r in run["results"]} == {r["id"] for r in run["tool"]["driver"]["rules"]}
    assert len(run["results"]) == len(all_findings())


def test_json_has_every_field_of_a_problem() -> None:
    rows: list[dict[str, Any]] = json.loads(findings.as_json(all_findings()))
    for row, finding in zip(rows, all_findings(), strict=True):
        at = SourceSpan(row["file"].removeprefix("rules/"), row["line"], row["column"], row["length"])
        assert Problem(row["code"], row["message"], at, row["hint"]) == finding.problem
        assert row["severity"] == "error"


def test_an_annotation_is_one_line_for_any_text() -> None:
    problem = Problem("R013", "`a\nb%` is, not: an identifier", SourceSpan("x,y:z.yaml", 3, 7, 4), "why")
    annotation = findings.as_github(findings.findings_in(Path("rules"), {}, [problem]))
    assert annotation == (
        "::error file=rules/x%2Cy%3Az.yaml,line=3,col=7,endColumn=11,title=R013::`a%0Ab%25` is, not: an identifier (why)"
    )
    assert len(findings.as_github(all_findings()).splitlines()) == len(all_findings())


def display_width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def underlined_text(line: str, column: int, length: int) -> str:
    """The text above the `^` in a terminal."""
    problem = Problem("R013", "no", SourceSpan("a.yaml", 1, column, length))
    _, shown_line, marks = map(str, findings.as_text(findings.findings_in(Path(), {"a.yaml": line}, [problem])))
    start = len(marks) - len(marks.lstrip(" |"))
    places = [display_width(shown_line[:n]) for n in range(len(shown_line) + 1)]
    return shown_line[places.index(start) : places.index(start + marks.count("^"))]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("  when: credit.mised == 0", "credit.mised"),
        ("  thin: {en: a, zh: 信息太少, zn: b}", "zn"),
        ("  thin: {zn: 信息太少。}", "信息太少。"),
        ('  a: "x\ty", b: c', "b"),
        ('  a: "x\ty", b: c', '"x'),
        (f"  a: {'very ' * 100}long, b: c", "b: c"),
        (f"  信: {'信息 ' * 100}太少, b: c", "太少"),
        (f"  a: b, c: {'long ' * 200}", "b"),
    ],
)
def test_the_marks_are_under_the_place_of_the_problem(line: str, word: str) -> None:
    assert underlined_text(line, line.rindex(word) + 1, len(word)) == word


def test_a_place_at_the_end_of_a_line_has_a_mark_behind_it() -> None:
    problem = Problem("R012", "no", SourceSpan("a.yaml", 1, 8, 1))
    lines = [str(t) for t in findings.as_text(findings.findings_in(Path(), {"a.yaml": "  when:"}, [problem]))]
    assert lines[1:] == ["     1 |   when:", "       |        ^"]


def test_every_finding_fits_on_lines_of_bounded_length() -> None:
    huge_files = base_with("trust.yaml", "money.months >= 6", f"money.months >= {'9' * 900_000}")
    many_findings = [*all_findings(), *findings.findings_in(Path("rules"), huge_files, check(huge_files, SCHEMA)[1])]
    for text in findings.as_text(many_findings):
        assert len(str(text)) < 600
        assert str(text).isprintable()


def test_colours_are_used_on_a_terminal_only() -> None:
    for terminal in (True, False):
        console = Console(file=StringIO(), force_terminal=terminal, _environ={"TERM": "xterm-256color"})
        for text in findings.as_text(all_findings()[:3]):
            console.print(text, soft_wrap=True)
        assert ("\x1b[" in console.file.getvalue()) == terminal  # type: ignore[attr-defined]
