"""Check that ids are unique, and that words name something that exists."""

from collections.abc import Iterable

from engine.lang.model.problems import Report
from engine.lang.syntax.expression_tree import Word
from engine.lang.syntax.schema_types import suggestion


def check_unique(words: Iterable[Word], report: Report, label: str = "the id ") -> None:
    """Report each word that has occurred before."""
    first: dict[str, Word] = {}
    for word in words:
        earlier = first.setdefault(word.text, word)
        if earlier is not word:
            hint = f"first on line {earlier.at.line}"
            report.add("R015", f"{label}`{word.text}` occurs twice", word.at, hint)


def check_exists(word: Word, names: Iterable[str], code: str, noun: str, report: Report) -> None:
    """Report a word that is not among the known ones, with the most similar of them."""
    if word.text not in names:
        report.add(code, f"unknown {noun} `{word.text}`", word.at, suggestion(word.text, names))
