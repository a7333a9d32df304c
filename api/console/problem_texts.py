"""Problems in the reader's language: the rule checker, the solver and the cases of rules write English, with values in it.

The translations are templates such as "`{0}` is not {1}", in `problems.po`; a test reads all of them from the source. A text that is
an instance of a template is translated in the template's translation, and values that are texts themselves (`a whole number`) are
translated, too. The reader's own text stays as it is. A text that fits no template stays English.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from babel.messages.pofile import read_po

from api.console.words import LOCALE_FOLDER

CATALOGUE: Final = "problems.po"
MAX_DEPTH: Final = 4  # values in values in ...
MAX_CHARS: Final = 2000  # of a text that we look up
_HOLE: Final = re.compile(r"\{(\d)\}")
_QUOTED: Final = re.compile(r"`[^`]*`")
_PHRASE: Final = re.compile(r"[a-z]{2,} [a-z]{2,}|\b[a-z]+ [a-z]{2,}|[a-z] \(")
_CONDITION: Final = re.compile(r"`(?P<name>[^`]+)` is (?P<status>met|not met|unknown): (?P<parts>.*)", re.DOTALL)
_STATUS: Final = re.compile(r"(?P<text>.+?) (?P<status>met|not met|unknown)(?: \((?P<value>.*)\))?", re.DOTALL)
_CHANGES: Final = (
    (re.compile(r"(?P<place>.+): (?P<word>new file|file removed|another order)", re.DOTALL), "{0}：{1}"),
    (re.compile(r"(?P<place>.+) (?P<word>added|removed)", re.DOTALL), "{0} {1}"),
    (re.compile(r"(?P<word>tier|knock-out|refusal|perk|flag|feature|list) (?P<place>\S+)"), "{1} {0}"),
)
_LINE: Final = re.compile(r"(?P<place>\S+:\d+:\d+) (?P<severity>error|warning) (?P<code>\S+) (?P<text>.+)", re.DOTALL)


def problem_text(text: str, language: str, depth: int = 0) -> str:
    """The text in the language, or as it is."""
    plain, templates = _catalogue(language)
    if text in plain:
        return plain[text]
    if not text or depth > MAX_DEPTH or len(text) > MAX_CHARS:
        return text
    for pattern, translation in templates:
        if match := pattern.fullmatch(text):
            values = {n: _value(match, int(n), language, depth) for n in _HOLE.findall(translation)}
            if None not in values.values():
                return _HOLE.sub(lambda hole: str(values[hole[1]]), translation)  # noqa: B023 - called here
    return text


def _value(match: re.Match[str], number: int, language: str, depth: int) -> str | None:
    """A value in the language; None for English words that have no translation: then the template is another one."""
    value = match[number + 1]
    if match.string[match.start(number + 1) - 1 : match.start(number + 1)] == "`":
        return value  # the reader's own text
    translated = problem_text(value, language, depth + 1)
    return None if translated == value and _PHRASE.search(_QUOTED.sub("", value)) else translated


def problem_line(line: str, language: str) -> str:
    """A line `FILE:LINE:COLUMN error CODE MESSAGE (HINT)` with its message and hint in the language."""
    if language == "en" or (match := _LINE.fullmatch(line)) is None:
        return line
    name, colon, failure = match["text"].partition(": ")
    if match["code"] == "case" and colon:
        return f"{match['place']} {name}: {problem_text(failure, language)}"
    return f"{match['place']} {match['code']} {_with_hint(match['text'], language)}"


def change_text(line: str, language: str) -> str:
    """A difference between rules, or the name of a changed line, with its words in the language: `perks.yaml: file removed`."""
    for pattern, form in _CHANGES:
        if match := pattern.fullmatch(line):
            return form.format(match["place"], problem_text(match["word"], language)) if language != "en" else line
    return line


def explanation_text(line: str, language: str) -> str:
    """A line that explains a failed case: conditions, each with its status and value."""
    if language == "en":
        return line
    if match := _CONDITION.fullmatch(line):
        parts = "; ".join(_comparison(part, language) for part in match["parts"].split("; "))
        return f"`{match['name']}` {problem_text(match['status'], language)}：{parts}"
    return problem_text(line, language)


def _comparison(text: str, language: str) -> str:
    match = _STATUS.fullmatch(text)
    if match is None:
        return text
    value = f" ({problem_text(match['value'], language)})" if match["value"] else ""
    return f"{match['text']} {problem_text(match['status'], language)}{value}"


def _with_hint(text: str, language: str) -> str:
    if text.endswith(")"):
        for start in (match.start() for match in re.finditer(r" \(", text)):
            message, hint = problem_text(text[:start], language), problem_text(text[start + 2 : -1], language)
            if message != text[:start] and hint != text[start + 2 : -1]:
                return f"{message}（{hint}）"
    return problem_text(text, language)


@cache
def _catalogue(language: str) -> tuple[Mapping[str, str], tuple[tuple[re.Pattern[str], str], ...]]:
    """Texts without values; and patterns of those with values, the most exact first, each with its translation."""
    plain, templates = dict[str, str](), list[tuple[int, re.Pattern[str], str]]()
    for text, translation in _entries(language):
        if text.startswith(", "):  # it follows a message, which is the first value then
            text, translation = "{0}" + _shift(text), "{0}" + _shift(translation)
        if _HOLE.search(text):
            templates.append((len(_HOLE.sub("", text)), _pattern(text), translation))
        else:
            plain[text] = translation
    templates.sort(key=lambda entry: -entry[0])
    return plain, tuple((pattern, translation) for _, pattern, translation in templates)


def _entries(language: str) -> Iterator[tuple[str, str]]:
    path = LOCALE_FOLDER / language / CATALOGUE
    if path.exists():
        with path.open("rb") as file:
            yield from ((str(entry.id), str(entry.string)) for entry in read_po(file, locale=language) if entry.id)


def _shift(template: str) -> str:
    return _HOLE.sub(lambda hole: f"{{{int(hole[1]) + 1}}}", template)


def _pattern(template: str) -> re.Pattern[str]:
    """A group for each value, in the order of the numbers. What stands in backticks has no backtick."""
    pieces = re.split(r"(`?)\{\d\}(`?)", template)
    parts = []
    for number in range(0, len(pieces) - 1, 3):
        text, opens, closes = pieces[number : number + 3]
        parts.append(re.escape(text) + opens + ("([^`]*)" if opens and closes else "(.*?)") + closes)
    return re.compile("".join(parts) + re.escape(pieces[-1]), re.DOTALL)
