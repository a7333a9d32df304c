"""Parse the manual into parts that tests can run: the blocks and tables of docs/language.md, and their rule files.

An example names its file in its first line (`# perks.yaml`), and shows only the differences from the base. Its keys
replace those of the base, and its items replace those with the same `id`. We take text in braces or brackets unchanged.
Elsewhere, we complete the last keys and items from the base, so that every line keeps its number.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from api.releases.catalogue import kinds
from engine.lang.check.release import check
from engine.lang.model.currencies import MONEY
from engine.lang.model.problems import Problem, Report
from engine.lang.model.program import Program, Release
from engine.lang.syntax import source
from engine.lang.syntax.source import Mapping, Node, Scalar, Sequence
from iftah.shipped import shipped_schema
from tests.paths import DOCS

LANGUAGE, PROBLEMS = DOCS / "language.md", DOCS / "problems.md"
DAY = 20_454  # 2026-01-01
FILE = re.compile(r"# (\S+\.yaml)$")
BARE = re.compile(r"-?[0-9][0-9a-z.-]*|true|false")  # texts that would have another meaning in quotes


@dataclass(frozen=True)
class FencedBlock:
    """A fenced block: its first line, the heading above it, its info string, and its text."""

    line: int
    section: str
    info: str
    text: str

    @property
    def file(self) -> str:
        """The rule file with these lines."""
        match = FILE.match(self.text.split("\n", 1)[0])
        assert match, f"line {self.line}: the first line names the file"
        return match[1]


@dataclass(frozen=True)
class MarkdownTable:
    """A table: its first line, the heading above it, its head, and its rows."""

    line: int
    section: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def blocks(page: Path) -> tuple[FencedBlock, ...]:
    """The page's fenced blocks, in order."""
    return tuple(b for b in _parts(page) if isinstance(b, FencedBlock))


def tables(page: Path) -> tuple[MarkdownTable, ...]:
    """The page's tables, in order."""
    return tuple(t for t in _parts(page) if isinstance(t, MarkdownTable))


@cache
def _parts(page: Path) -> tuple[FencedBlock | MarkdownTable, ...]:
    parts: list[FencedBlock | MarkdownTable] = []
    lines, section, n = page.read_text(encoding="utf-8").split("\n"), "", 0
    while n < len(lines):
        start = n
        if lines[n].startswith("```"):
            n = lines.index("```", n + 1)
            parts.append(FencedBlock(start + 1, section, lines[start][3:], "\n".join(lines[start + 1 : n]) + "\n"))
        elif lines[n].startswith("|"):
            while n + 1 < len(lines) and lines[n + 1].startswith("|"):
                n += 1
            head, _, *rows = [_cells(line) for line in lines[start : n + 1]]
            parts.append(MarkdownTable(start + 1, section, head, tuple(rows)))
        elif lines[n].startswith("#"):
            section = lines[n].lstrip("# ")
        n += 1
    return tuple(parts)


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])


def code_spans(cell: str) -> tuple[str, ...]:
    """The texts in backticks in a cell."""
    return tuple(re.findall(r"`([^`]+)`", cell))


@cache
def base_files() -> dict[str, str]:
    """The complete rule files of the manual, by name."""
    return {b.file: b.text for b in blocks(LANGUAGE) if b.info == "yaml base"}


def check_files(files: dict[str, str]) -> tuple[Release | None, tuple[Problem, ...]]:
    """The checker's result for rule files that add to the shipped features."""
    return check(files, shipped_schema(), kinds())


def program(files: dict[str, str], day: int = DAY) -> Program:
    """The program of valid files on a day."""
    release, problems = check_files(files)
    assert release, "\n".join(map(str, problems))
    return release.at(day)


def with_example(example: str, files: dict[str, str]) -> dict[str, str]:
    """The files, with the lines of an example added to the file that its first line names."""
    match = FILE.match(example.split("\n", 1)[0])
    assert match, f"the first line names the file: {example}"
    name = match[1]
    if name not in files:
        return {**files, name: example}
    new, old = source.read(name, example, Report()), source.read(name, files[name], Report())
    if new is None or old is None:  # unreadable lines replace the whole file
        return {**files, name: example}
    return {**files, name: "\n".join([example.rstrip("\n"), *_missing_lines(new, old, example.split("\n"))]) + "\n"}


def _missing_lines(new: Node, old: Node, lines: list[str]) -> Iterator[str]:
    """The lines of `old` that `new` lacks, to add at the end: the innermost first."""
    indent = " " * (new.at.column - 1)
    if lines[new.at.line - 1][new.at.column - 1] in "{[":
        return
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        old_values = {key.text: value for key, value in old.entries}
        key, last = new.entries[-1]
        if key.text in old_values:
            yield from _missing_lines(last, old_values[key.text], lines)
        new_keys = {key.text for key, _ in new.entries}
        yield from (f"{indent}{k.text}: {_flow(v)}" for k, v in old.entries if k.text not in new_keys)
    elif isinstance(new, Sequence) and isinstance(old, Sequence) and all(map(_id, old.items)):
        new_items = {_id(item): item for item in old.items}
        if (last_id := _id(new.items[-1])) in new_items:
            yield from _missing_lines(new.items[-1], new_items[last_id], lines)
        ids = set(map(_id, new.items))
        yield from (f"{indent}- {_flow(item)}" for item in old.items if _id(item) not in ids)


def _id(node: Node) -> str:
    entries = node.entries if isinstance(node, Mapping) else ()
    return next((v.text for k, v in entries if k.text == "id" and isinstance(v, Scalar)), "")


def _flow(node: Node) -> str:
    """The node on one line, in flow style."""
    match node:
        case Scalar(text):
            return (
                text
                if node.plain and (BARE.fullmatch(text) or MONEY.fullmatch(text))
                else json.dumps(text, ensure_ascii=False)
            )
        case Sequence(items):
            return f"[{', '.join(map(_flow, items))}]"
        case _:
            return "{" + ", ".join(f"{k.text}: {_flow(v)}" for k, v in node.entries) + "}"
