"""Parse a rule file from text to records."""

from functools import lru_cache
from typing import Final

from engine.lang.model.problems import Problem, Report, SourceSpan
from engine.lang.syntax import source
from engine.lang.syntax.ast import RuleFile
from engine.lang.syntax.grammar import KINDS
from engine.lang.syntax.schema_types import suggestion
from engine.lang.syntax.source import Mapping, Scalar


def parse(file: str, text: str, report: Report) -> RuleFile | None:
    """Parse the file without its unreadable lines; None if too little is readable. `report` gets every reason."""
    return parse_with_tree(file, text, report)[1]


def parse_with_tree(file: str, text: str, report: Report) -> tuple[source.Node | None, RuleFile | None]:
    """Parse the file as `parse` does, and return its tree too."""
    reader = cached_parse if len(text) <= source.MAX_CACHED_CHARS else parse_large_cached
    root, rule_file, problems = reader(file, text, report.language)
    report.problems.extend(problems)
    return root, rule_file


def _parse_uncached(
    file: str, text: str, language: int
) -> tuple[source.Node | None, RuleFile | None, tuple[Problem, ...]]:
    report = Report(language=language)
    root = source.read(file, text, report)
    rule_file = None if root is None else build_rule_file(file, root, report)
    return root, rule_file, tuple(report.problems)


# A case of the policy changes one file, and parses the others again unchanged.
cached_parse: Final = lru_cache(maxsize=64)(_parse_uncached)
parse_large_cached: Final = lru_cache(maxsize=4)(_parse_uncached)


def build_rule_file(file: str, root: source.Node, report: Report) -> RuleFile | None:
    """Parse the tree of a file; see `parse`."""
    kind = _kind(root, file, report)
    if kind is None:
        return None
    assert isinstance(root, Mapping)  # noqa: S101 - `_kind` found the key
    rest = Mapping(tuple(e for e in root.entries if e[0].text != "kind"), root.at)
    rule_file: RuleFile | None = KINDS[kind].read(rest, report)
    return rule_file


def _kind(root: source.Node, file: str, report: Report) -> str | None:
    if not isinstance(root, Mapping):
        report.add("R012", "a rule file is keys with values", root.at, "begin with `kind:`")
        return None
    for key, value in root.entries:
        if key.text == "kind" and isinstance(value, Scalar) and value.text in KINDS:
            return value.text
        if key.text == "kind":
            kind_text = value.text if isinstance(value, Scalar) else "this"
            report.add("R014", f"`{kind_text[:60]}` is not a kind of rule file", value.at, suggestion(kind_text, KINDS))
            return None
    report.add(
        "R014", "`kind` is missing: what kind of rule file is this?", SourceSpan(file), f"use one of {', '.join(KINDS)}"
    )
    return None
