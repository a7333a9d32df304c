"""A cursor in a rule file: `|` in a text."""

from collections.abc import Mapping
from functools import cache

from api.releases.catalogue import kinds, schema
from api.releases.rules_folder import rule_files
from engine.authoring.names import RuleNames, names_of
from engine.lang.check.release import release_of
from tests.paths import RULES


def cursor_in(text: str) -> tuple[str, int, int]:
    """The text without its `|`, and the line and column of the character after it."""
    before, _, after = text.partition("|")
    return before + after, before.count("\n") + 1, len(before) - before.rfind("\n")


@cache
def shipped_texts() -> Mapping[str, str]:
    return rule_files(RULES)[0]


@cache
def shipped_names(language: str = "en") -> RuleNames:
    """The names of the shipped rules, with one meaning."""
    files = shipped_texts()
    program = release_of(files, schema(), kinds()).programs[-1]
    return names_of(program, files, kinds(), {"credit.kept": ("Promises that were kept",)}, language)
