"""The manual as what can be run: blocks and tables of docs/language.md, and the rule files that its examples are lines of.

An example names its file in its first line (`# perks.yaml`) and shows what is different from the base: keys in place of
the base's, items in place of those with the same `id`. What stands in braces or brackets is as it stands; elsewhere the
last of the keys and items is completed from the base, so that every line keeps its number.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from api.catalogue import kinds, schema
from engine.lang import source
from engine.lang.check import check
from engine.lang.problems import Problem, Report
from engine.lang.program import Program, Release
from engine.lang.source import Mapping, Node, Scalar, Sequence

DOCS = Path(__file__).resolve().parents[1] / "docs"
LANGUAGE, PROBLEMS = DOCS / "language.md", DOCS / "problems.md"
DAY = 20_454  # 2026-01-01
FILE = re.compile(r"# (\S+\.yaml)$")
BARE = re.compile(r"-?[0-9][0-9a-z.-]*|true|false")  # what would mean something else in quotes


@dataclass(frozen=True)
class Block:
    """A fenced block: the line on which it begins, the heading it stands under, what its info string says, its text."""

    line: int
    section: str
    info: str
    text: str

    @property
    def file(self) -> str:
        """The rule file whose lines it shows."""
        found = FILE.match(self.text.split("\n", 1)[0])
        assert found, f"line {self.line}: the first line names the file"
        return found[1]


@dataclass(frozen=True)
class Table:
    """A table: where it begins, its heading, its rows, the first of them the head."""

    line: int
    section: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def blocks(page: Path) -> tuple[Block, ...]:
    """The page's fenced blocks, in order."""
    return tuple(b for b in _parts(page) if isinstance(b, Block))


def tables(page: Path) -> tuple[Table, ...]:
    """The page's tables, in order."""
    return tuple(t for t in _parts(page) if isinstance(t, Table))


@cache
def _parts(page: Path) -> tuple[Block | Table, ...]:
    found: list[Block | Table] = []
    lines, section, n = page.read_text(encoding="utf-8").split("\n"), "", 0
    while n < len(lines):
        begins = n
        if lines[n].startswith("```"):
            n = lines.index("```", n + 1)
            found.append(Block(begins + 1, section, lines[begins][3:], "\n".join(lines[begins + 1 : n]) + "\n"))
        elif lines[n].startswith("|"):
            while n + 1 < len(lines) and lines[n + 1].startswith("|"):
                n += 1
            head, _, *rows = [_cells(line) for line in lines[begins : n + 1]]
            found.append(Table(begins + 1, section, head, tuple(rows)))
        elif lines[n].startswith("#"):
            section = lines[n].lstrip("# ")
        n += 1
    return tuple(found)


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])


def quoted(cell: str) -> tuple[str, ...]:
    """What stands in backticks in a cell."""
    return tuple(re.findall(r"`([^`]+)`", cell))


@cache
def base() -> dict[str, str]:
    """The rule files that the manual gives whole, by name."""
    return {b.file: b.text for b in blocks(LANGUAGE) if b.info == "yaml base"}


def checked(files: dict[str, str]) -> tuple[Release | None, tuple[Problem, ...]]:
    """What the checker says of rule files, over the catalogue that there is."""
    return check(files, schema(), kinds())


def program(files: dict[str, str], day: int = DAY) -> Program:
    """What files mean that check."""
    release, problems = checked(files)
    assert release, "\n".join(map(str, problems))
    return release.at(day)


def over(example: str, files: dict[str, str]) -> dict[str, str]:
    """The files, with the lines of an example in the file that its first line names."""
    found = FILE.match(example.split("\n", 1)[0])
    assert found, f"the first line names the file: {example}"
    name = found[1]
    if name not in files:
        return {**files, name: example}
    new, old = source.read(name, example, Report()), source.read(name, files[name], Report())
    if new is None or old is None:  # lines that cannot be read are the whole of their file
        return {**files, name: example}
    return {**files, name: "\n".join([example.rstrip("\n"), *_rest(new, old, example.split("\n"))]) + "\n"}


def _rest(new: Node, old: Node, lines: list[str]) -> Iterator[str]:
    """What `old` has and `new` has not, to be written behind it: the innermost first."""
    indent = " " * (new.at.column - 1)
    if lines[new.at.line - 1][new.at.column - 1] in "{[":
        return
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        before = {key.text: value for key, value in old.entries}
        key, last = new.entries[-1]
        if key.text in before:
            yield from _rest(last, before[key.text], lines)
        shown = {key.text for key, _ in new.entries}
        yield from (f"{indent}{k.text}: {_flow(v)}" for k, v in old.entries if k.text not in shown)
    elif isinstance(new, Sequence) and isinstance(old, Sequence) and all(map(_id, old.items)):
        named = {_id(item): item for item in old.items}
        if (last_id := _id(new.items[-1])) in named:
            yield from _rest(new.items[-1], named[last_id], lines)
        ids = set(map(_id, new.items))
        yield from (f"{indent}- {_flow(item)}" for item in old.items if _id(item) not in ids)


def _id(node: Node) -> str:
    entries = node.entries if isinstance(node, Mapping) else ()
    return next((v.text for k, v in entries if k.text == "id" and isinstance(v, Scalar)), "")


def _flow(node: Node) -> str:
    """The node on one line."""
    match node:
        case Scalar(text):
            return text if node.plain and BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)
        case Sequence(items):
            return f"[{', '.join(map(_flow, items))}]"
        case _:
            return "{" + ", ".join(f"{k.text}: {_flow(v)}" for k, v in node.entries) + "}"
