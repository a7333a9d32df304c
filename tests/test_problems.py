"""Check that docs/problems.md has every code of the checker, with an example that gives this code alone, at the shown place.

We generate the page from `tests/engine/cases/problems.yaml`; to write it again, run `python -m tests.test_problems`.
"""

import re
from functools import cache
from typing import Final

import pytest
from ruamel.yaml import YAML

from engine.lang.model.problems import CODES, WARNINGS, Problem
from engine.verify.prove.warnings import warnings
from tests.manual import PROBLEMS, FencedBlock, base_files, blocks, check_files, with_example
from tests.paths import ENGINE_CASES

DATA: Final = ENGINE_CASES / "problems.yaml"
HEAD: Final = """\
# Problems

This page lists every problem that `iftah check` can find in rule files, by code, and at the end [every warning](#warnings). A code
never changes its meaning, but we may improve its words. For each code, you see the smallest lines that cause it, and the message. We generate this page from
[the cases](../tests/engine/cases/problems.yaml), and run every example as a test.

The first line of an example names the file. We show only the differences from the files below, which have no problems: the
same keys, and items with the same `id`. All other lines stay as they are. You find the whole language in
[language.md](language.md).
"""


@cache
def entries() -> dict[str, dict[str, str]]:
    """The entries, by code."""
    by_code: dict[str, dict[str, str]] = YAML(typ="safe", pure=True).load(DATA.read_text(encoding="utf-8"))["problems"]
    return by_code


ABOUT_WARNINGS: Final = """\
A warning is about rules without problems: a line without effect, or with one that nobody wants. A solver proves each
([how](decisions/0050-lint-by-proof.md)), and the warning shows the values of a person. `iftah check --strict` takes warnings for errors.
"""


def problems_of(lines: str) -> tuple[Problem, ...]:
    """The problems of an example, or the warnings if it has none."""
    release, problems = check_files(with_example(lines, example_files()))
    return warnings(release) if release else problems


def example_files() -> dict[str, str]:
    """The files to which we add the lines of examples: those of docs/language.md, without the cases."""
    return {name: text for name, text in base_files().items() if not name.endswith(".cases.yaml")}


def problem_document() -> str:
    """The text of docs/problems.md."""
    parts = [HEAD, *(f"```yaml base\n{text}```\n" for text in example_files().values())]
    for code, entry in entries().items():
        if "group" in entry:
            parts.append(f"## {entry['group']}\n")
        if entry.get("group") == "Warnings":
            parts.append(ABOUT_WARNINGS)
        messages = "\n\n".join(map(_quote_problem, problems_of(entry["lines"])))
        parts.append(
            f"### {code}: {(CODES | WARNINGS)[code]}\n\n{entry['means']}\n\n```yaml {code}\n{entry['lines']}```\n\n{messages}\n\n{entry['mend']}\n"
        )
    return "\n".join(parts)


def _quote_problem(problem: Problem) -> str:
    """The message, as Markdown that shows it word for word, with the values of its example."""
    values = ", ".join(f"{name} {value}" for name, value in problem.example)
    example = f"; for example `{values}`" if values else ""
    hint = f" ({problem.hint})" if problem.hint else ""
    pieces = re.split(r"(`[^`]*`)", problem.message + hint)
    words = "".join(p if p.startswith("`") else re.sub(r"([<>*_|\[\]\\])", r"\\\1", p) for p in pieces)
    return f"> `{problem.at.file}:{problem.at.line}:{problem.at.column}` {words}{example}"


def test_every_code_is_listed_in_order() -> None:
    assert list(entries()) == [*CODES, *WARNINGS]


def test_the_page_equals_the_generated_one() -> None:
    assert PROBLEMS.read_text(encoding="utf-8") == problem_document()


@pytest.mark.parametrize("block", [b for b in blocks(PROBLEMS) if b.info != "yaml base"], ids=lambda b: b.info[5:])
def test_an_example_gives_only_its_code_at_the_shown_place(block: FencedBlock) -> None:
    problems = problems_of(block.text)
    assert [f"yaml {p.code}" for p in problems] == [block.info], "\n".join(map(str, problems))
    (problem,) = problems
    lines = block.text.split("\n")
    assert problem.at.file == block.file
    assert problem.at.line <= len(lines) - 1
    assert problem.at.column <= len(lines[problem.at.line - 1]) + 1


def test_the_page_s_own_files_check() -> None:
    assert [b.text for b in blocks(PROBLEMS) if b.info == "yaml base"] == list(example_files().values())
    release, problems = check_files(example_files())
    assert problems == ()
    assert release is not None
    assert warnings(release) == ()


if __name__ == "__main__":
    PROBLEMS.write_text(problem_document(), encoding="utf-8")
