"""Findings: format the problems of rule files for terminals, editors, code scanning and CI."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from engine.lang.model.problems import CODES, WARNINGS, Problem

if TYPE_CHECKING:
    from rich.text import Text

    from engine.verify.cases import CaseOutcome


CASE_CODE: Final = "case"  # the code of a failed case beside the rules
MEANINGS: Final = {**CODES, **WARNINGS, CASE_CODE: "a case that does not come out"}
TAB_WIDTH: Final = 4
GUTTER: Final = 7  # columns before the sign that separates a source line from its number
COLOURS: Final = {"error": "red", "warning": "yellow"}
MAX_LINE_COLUMNS: Final = 160  # columns of a source line that we show
MAX_COLUMNS_BEFORE: Final = 40  # of these, the columns before the problem
SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True)
class Finding:
    """A problem, the path of its file from the current directory, and its source line, if there is one."""

    problem: Problem
    path: str
    line: str | None = None

    @property
    def message(self) -> str:
        """The problem's message with its hint."""
        return f"{self.problem.message} ({self.problem.hint})" if self.problem.hint else self.problem.message


def findings_in(folder: Path, texts: Mapping[str, str], problems: Iterable[Problem]) -> list[Finding]:
    """The problems of a folder's files."""
    findings = []
    for problem in problems:
        lines = texts.get(problem.at.file, "").removeprefix("\ufeff").split("\n")
        line = lines[problem.at.line - 1] if problem.at.line <= len(lines) and problem.at.file in texts else None
        findings.append(Finding(problem, display_path(folder / problem.at.file), line))
    return findings


def case_problems(outcomes: Iterable["CaseOutcome"]) -> tuple[Problem, ...]:
    """The failures of cases, as problems."""
    return tuple(Problem(CASE_CODE, f"{o.name}: {failure}", o.at) for o in outcomes for failure in o.failures)


def display_path(path: Path) -> str:
    """A path that an editor can open: relative to the current directory, or absolute if it is not below that."""
    absolute_path, current_folder = Path(os.path.abspath(path)), Path.cwd()  # noqa: PTH100 - do not resolve links
    return (
        absolute_path.relative_to(current_folder) if absolute_path.is_relative_to(current_folder) else absolute_path
    ).as_posix()


def as_text(findings: Iterable[Finding]) -> Iterator["Text"]:
    """Format for a terminal: place and message, then the source line with the problem underlined."""
    from rich.text import Text  # imported here, so that a check without problems starts faster

    for finding in findings:
        at, code = finding.problem.at, finding.problem.code
        severity = finding.problem.severity
        place, word = (
            (f"{finding.path}:{at.line}:{at.column}", "bold"),
            (f"{severity} {code}", f"bold {COLOURS[severity]}"),
        )
        yield Text.assemble(place, " ", word, " ", printable(finding.message))
        if finding.line is not None and finding.line.strip():
            yield from _underline(finding.line, at.line, at.column - 1, at.length, COLOURS[severity])
        if finding.problem.example:
            values = ", ".join(f"{name} {value}" for name, value in finding.problem.example)
            yield Text.assemble((" " * GUTTER + "= ", "dim"), "for example ", printable(values))


def _underline(line: str, number: int, start: int, length: int, colour: str) -> Iterator["Text"]:
    from rich.cells import cell_len
    from rich.text import Text

    start = min(start, len(line))
    stop = max(start + 1, min(start + length, len(line)))
    before, marked, after = map(printable, (line[:start], line[start:stop], line[stop:]))
    if cell_len(before) > MAX_COLUMNS_BEFORE and cell_len(line) > MAX_LINE_COLUMNS:
        before = "…" + before[-MAX_COLUMNS_BEFORE:]
    marked, after = marked[:MAX_LINE_COLUMNS], after[: max(0, MAX_LINE_COLUMNS - len(before + marked))]
    yield Text.assemble((f"{number:>{GUTTER - 1}} | ", "dim"), before, (marked, colour), after)
    sign = "^" * max(1, cell_len(marked))
    yield Text.assemble((" " * GUTTER + "| ", "dim"), " " * cell_len(before), (sign, f"bold {colour}"))


def printable(text: str) -> str:
    """The text without characters that move a terminal's cursor. A tab becomes four blanks."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\u3000" else " " * TAB_WIDTH if c == "\t" else "\ufffd" for c in text)


def as_json(findings: Sequence[Finding]) -> str:
    """Format for programs: a JSON list of objects."""
    rows = [
        {
            "file": f.path,
            "line": f.problem.at.line,
            "column": f.problem.at.column,
            "length": f.problem.at.length,
            "severity": f.problem.severity,
            "code": f.problem.code,
            "message": f.problem.message,
            "hint": f.problem.hint,
            **({"example": dict(f.problem.example)} if f.problem.example else {}),
        }
        for f in findings
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2)


def as_sarif(findings: Sequence[Finding]) -> str:
    """Format for code scanning: SARIF 2.1.0 (OASIS, https://docs.oasis-open.org/sarif/sarif/v2.1.0/)."""
    codes = sorted({f.problem.code for f in findings})
    rules = [{"id": code, "shortDescription": {"text": MEANINGS[code]}} for code in codes]
    run = {
        "tool": {"driver": {"name": "iftah", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(f) for f in findings],
    }
    return json.dumps({"$schema": SARIF, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2)


def _result(finding: Finding) -> dict[str, Any]:
    at = finding.problem.at
    uri = ("file://" if finding.path.startswith("/") else "") + quote(finding.path)
    region = {"startLine": at.line, "startColumn": at.column, "endColumn": at.column + at.length}
    return {
        "ruleId": finding.problem.code,
        "level": finding.problem.severity,
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}],
    }


def as_github(findings: Sequence[Finding]) -> str:
    """Format for GitHub Actions: one workflow command per finding, which GitHub shows beside the line."""
    return "\n".join(_annotation(f) for f in findings)


def _annotation(finding: Finding) -> str:
    at, code = finding.problem.at, finding.problem.code
    file, message = _escape(finding.path).replace(":", "%3A").replace(",", "%2C"), _escape(finding.message)
    place = f"file={file},line={at.line},col={at.column},endColumn={at.column + at.length}"
    return f"::{finding.problem.severity} {place},title={code}::{message}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


FORMATS: Final[dict[str, Callable[[Sequence[Finding]], str]]] = {
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
