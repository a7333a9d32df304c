"""Findings: what is wrong with rule files, shown to people, editors, code scanning and CI."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from engine.lang.problems import CODES, Problem

if TYPE_CHECKING:
    from rich.text import Text

    from engine.cases import Outcome

CASE: Final = "case"  # the code of an example beside the rules that does not come out
MEANINGS: Final = {**CODES, CASE: "a case that does not come out"}
TAB: Final = 4
WIDEST: Final = 160  # columns of a source line that are shown
BEFORE: Final = 40  # and of those, before the place
SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True)
class Finding:
    """A problem, the path of its file from here, and the line it is on, if there is one."""

    problem: Problem
    path: str
    line: str | None = None

    @property
    def message(self) -> str:
        """What is wrong, and what to do."""
        return f"{self.problem.message} ({self.problem.hint})" if self.problem.hint else self.problem.message


def found_in(folder: Path, texts: Mapping[str, str], problems: Iterable[Problem]) -> list[Finding]:
    """The problems of a folder's files."""
    found = []
    for problem in problems:
        lines = texts.get(problem.at.file, "").removeprefix("\ufeff").split("\n")
        line = lines[problem.at.line - 1] if problem.at.line <= len(lines) and problem.at.file in texts else None
        found.append(Finding(problem, shown_path(folder / problem.at.file), line))
    return found


def failing(outcomes: Iterable["Outcome"]) -> tuple[Problem, ...]:
    """Cases that do not come out, as problems."""
    return tuple(Problem(CASE, f"{o.name}: {said}", o.at) for o in outcomes for said in o.failures)


def shown_path(path: Path) -> str:
    """A path as an editor finds it: from the current directory, or whole when it is not below that."""
    whole, here = Path(os.path.abspath(path)), Path.cwd()  # noqa: PTH100 - links stay as they are named
    return (whole.relative_to(here) if whole.is_relative_to(here) else whole).as_posix()


def as_text(findings: Iterable[Finding]) -> Iterator["Text"]:
    """For people: what and where, then the line with the place underlined."""
    from rich.text import Text  # where nothing is wrong, a check starts without it

    for finding in findings:
        at, code = finding.problem.at, finding.problem.code
        place, word = (f"{finding.path}:{at.line}:{at.column}", "bold"), (f"error {code}", "bold red")
        yield Text.assemble(place, " ", word, " ", printable(finding.message))
        if finding.line is not None and finding.line.strip():
            yield from _underlined(finding.line, at.line, at.column - 1, at.length)


def _underlined(line: str, number: int, start: int, length: int) -> Iterator["Text"]:
    from rich.cells import cell_len
    from rich.text import Text

    start = min(start, len(line))
    stop = max(start + 1, min(start + length, len(line)))
    before, marked, after = map(printable, (line[:start], line[start:stop], line[stop:]))
    if cell_len(before) > BEFORE and cell_len(line) > WIDEST:
        before = "…" + before[-BEFORE:]
    marked, after = marked[:WIDEST], after[: max(0, WIDEST - len(before + marked))]
    gutter = f"{number:>6} | "
    yield Text.assemble((gutter, "dim"), before, (marked, "red"), after)
    sign = "^" * max(1, cell_len(marked))
    yield Text.assemble((" " * (len(gutter) - 2) + "| ", "dim"), " " * cell_len(before), (sign, "bold red"))


def printable(text: str) -> str:
    """The text without what would move a terminal's cursor: a tab is as wide as four blanks here."""
    return "".join(c if c.isprintable() or c == "\u3000" else " " * TAB if c == "\t" else "\ufffd" for c in text)


def as_json(findings: Sequence[Finding]) -> str:
    """For programs: a list of objects."""
    rows = [
        {
            "file": f.path,
            "line": f.problem.at.line,
            "column": f.problem.at.column,
            "length": f.problem.at.length,
            "severity": "error",
            "code": f.problem.code,
            "message": f.problem.message,
            "hint": f.problem.hint,
        }
        for f in findings
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2)


def as_sarif(findings: Sequence[Finding]) -> str:
    """For code scanning: SARIF 2.1.0 (OASIS, https://docs.oasis-open.org/sarif/sarif/v2.1.0/)."""
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
        "level": "error",
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}],
    }


def as_github(findings: Sequence[Finding]) -> str:
    """For GitHub Actions: a workflow command for each, which it shows beside the line."""
    return "\n".join(_annotation(f) for f in findings)


def _annotation(finding: Finding) -> str:
    at, code = finding.problem.at, finding.problem.code
    file, message = _escaped(finding.path).replace(":", "%3A").replace(",", "%2C"), _escaped(finding.message)
    place = f"file={file},line={at.line},col={at.column},endColumn={at.column + at.length}"
    return f"::error {place},title={code}::{message}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


FORMATS: Final[dict[str, Callable[[Sequence[Finding]], str]]] = {
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
