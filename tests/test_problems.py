"""docs/problems.md has every code of the checker, each with lines that give it and nothing else, at the place it says.

The page is made of `engine/cases/problems.yaml`: `python -m tests.test_problems` writes it anew.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from ruamel.yaml import YAML

from engine.lang.problems import CODES, Problem
from tests.manual import PROBLEMS, Block, base, blocks, checked, over

DATA: Final = Path(__file__).parent / "engine" / "cases" / "problems.yaml"
HEAD: Final = """\
# Problems

Everything that `iftah check` can find wrong with rule files, by code. A code never changes its meaning; words may be bettered.
Each has the smallest lines that give it, and what is said of them. Generated from
[the cases](../tests/engine/cases/problems.yaml), and every example is run as a test.

The first line of an example names the file. It shows what is different from the files below, which check: the same keys, and
items of the same `id`; the rest is as there. How all of it is meant is in [language.md](language.md).
"""


@cache
def entries() -> dict[str, dict[str, str]]:
    """The data, by code."""
    found: dict[str, dict[str, str]] = YAML(typ="safe", pure=True).load(DATA.read_text(encoding="utf-8"))["problems"]
    return found


def whole() -> dict[str, str]:
    """The files that examples are lines over: those of docs/language.md, without the cases."""
    return {name: text for name, text in base().items() if not name.endswith(".cases.yaml")}


def problem_document() -> str:
    """docs/problems.md."""
    parts = [HEAD, *(f"```yaml base\n{text}```\n" for text in whole().values())]
    for code, entry in entries().items():
        if "group" in entry:
            parts.append(f"## {entry['group']}\n")
        said = "\n\n".join(_shown(p) for p in checked(over(entry["lines"], whole()))[1])
        parts.append(
            f"### {code}: {CODES[code]}\n\n{entry['means']}\n\n```yaml {code}\n{entry['lines']}```\n\n{said}\n\n{entry['mend']}\n"
        )
    return "\n".join(parts)


def _shown(problem: Problem) -> str:
    """What is said, as Markdown that shows it word for word."""
    hint = f" ({problem.hint})" if problem.hint else ""
    pieces = re.split(r"(`[^`]*`)", problem.message + hint)
    words = "".join(p if p.startswith("`") else re.sub(r"([<>*_|\[\]\\])", r"\\\1", p) for p in pieces)
    return f"> `{problem.at.file}:{problem.at.line}:{problem.at.column}` {words}"


def test_every_code_is_there_in_order() -> None:
    assert list(entries()) == list(CODES)


def test_the_page_is_as_generated() -> None:
    assert PROBLEMS.read_text(encoding="utf-8") == problem_document()


@pytest.mark.parametrize("block", [b for b in blocks(PROBLEMS) if b.info != "yaml base"], ids=lambda b: b.info[5:])
def test_an_example_gives_its_code_alone_at_a_place_that_it_shows(block: Block) -> None:
    _, problems = checked(over(block.text, whole()))
    assert [f"yaml {p.code}" for p in problems] == [block.info], "\n".join(map(str, problems))
    (problem,) = problems
    lines = block.text.split("\n")
    assert problem.at.file == block.file
    assert problem.at.line <= len(lines) - 1
    assert problem.at.column <= len(lines[problem.at.line - 1]) + 1


def test_the_page_s_own_files_check() -> None:
    assert [b.text for b in blocks(PROBLEMS) if b.info == "yaml base"] == list(whole().values())
    assert checked(whole())[1] == ()


if __name__ == "__main__":
    PROBLEMS.write_text(problem_document(), encoding="utf-8")
