"""Parse: from a file's text to what it says."""

from functools import lru_cache
from typing import Final

from engine.lang import source
from engine.lang.forms import KINDS
from engine.lang.lines import RuleFile
from engine.lang.problems import Problem, Report, Span
from engine.lang.shapes import suggestion
from engine.lang.source import Mapping, Scalar


def parse(file: str, text: str, report: Report) -> RuleFile | None:
    """What the file says, without the lines that cannot be read; None when too little can. `report` has every reason."""
    return parsed(file, text, report)[1]


def parsed(file: str, text: str, report: Report) -> tuple[source.Node | None, RuleFile | None]:
    """The tree of the file's text, and what it says; see `parse`."""
    read = known if len(text) <= source.KEPT else _parsed
    root, said, problems = read(file, text, report.language)
    report.problems.extend(problems)
    return root, said


def _parsed(file: str, text: str, language: int) -> tuple[source.Node | None, RuleFile | None, tuple[Problem, ...]]:
    report = Report(language=language)
    root = source.read(file, text, report)
    said = None if root is None else meant(file, root, report)
    return root, said, tuple(report.problems)


# A case of the policy changes one file, and reads the others as they are.
known: Final = lru_cache(maxsize=64)(_parsed)


def meant(file: str, root: source.Node, report: Report) -> RuleFile | None:
    """What the tree of a file says; see `parse`."""
    kind = _kind(root, file, report)
    if kind is None:
        return None
    assert isinstance(root, Mapping)  # noqa: S101 - `_kind` found the key
    rest = Mapping(tuple(e for e in root.entries if e[0].text != "kind"), root.at)
    read: RuleFile | None = KINDS[kind].read(rest, report)
    return read


def _kind(root: source.Node, file: str, report: Report) -> str | None:
    if not isinstance(root, Mapping):
        report.add("R012", "a rule file is keys with values", root.at, "begin with `kind:`")
        return None
    for key, value in root.entries:
        if key.text == "kind" and isinstance(value, Scalar) and value.text in KINDS:
            return value.text
        if key.text == "kind":
            seen = value.text if isinstance(value, Scalar) else "this"
            report.add("R014", f"`{seen[:60]}` is not a kind of rule file", value.at, suggestion(seen, KINDS))
            return None
    report.add(
        "R014", "`kind` is missing: what kind of rule file is this?", Span(file), f"use one of {', '.join(KINDS)}"
    )
    return None
