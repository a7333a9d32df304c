"""The meaning of the word under a cursor: a key, a feature, a reason, or a word of conditions."""

import re
from dataclasses import dataclass
from typing import Final

from engine.authoring.names import NamedThing, RuleNames, Things
from engine.authoring.places import Place, place_at
from engine.authoring.shapes import key_meaning, shape_at
from engine.lang.model.conditions import AS_OF
from engine.lang.model.program import AMOUNT, PERK_HELD, SCORE
from engine.lang.syntax.key_docs import KIND
from engine.lang.syntax.schema_types import RecordType

_WORD: Final = re.compile(r"[A-Za-z_][\w.]*")
_LANGUAGE_WORDS: Final = {
    "and": "Met if both sides are met",
    "or": "Met if one side is met",
    "not": "Met if what follows is not met; unknown stays unknown",
    "in": "Met if the value is in the list",
    "known": "Met if the feature has a value",
    "missing": "Met if the feature has no value",
    AS_OF: "The day of the decision",
    SCORE: "The score of the person",
    PERK_HELD: "Whether the person holds the perk",
    AMOUNT: "The deposit in the merchant's question",
}


@dataclass(frozen=True)
class WordMeaning:
    """The place of a word, counted from 1, and its meaning in a few lines; no lines if we know none."""

    line: int
    column: int
    length: int
    lines: tuple[str, ...]


def explain_word(names: RuleNames, text: str, line: int, column: int) -> WordMeaning:
    """The meaning of the word at a character of a file, counted from 1."""
    rows = text.removeprefix("\ufeff").split("\n")
    row = rows[line - 1] if 0 < line <= len(rows) else ""
    match = next((m for m in _WORD.finditer(row) if m.start() < column <= m.end()), None)
    if match is None:
        return WordMeaning(line, column, 0, ())
    place = place_at(text, line, match.start() + 1)
    is_key = row[match.end() : match.end() + 1] == ":"
    lines = _lines(place, names, match[0], is_key) if place else ()
    return WordMeaning(line, match.start() + 1, len(match[0]), lines)


def _lines(place: Place, names: RuleNames, word: str, is_key: bool) -> tuple[str, ...]:
    shape = shape_at(place.kind, place.path)
    if is_key and place.path == () and word == "kind":
        return (KIND,)
    if is_key and shape is not None and isinstance(shape.type, RecordType):
        meaning = key_meaning(shape.type.label, word)
        return (meaning,) if meaning else ()
    thing = _thing(names, word)
    if thing is not None:
        heading = f"{thing.name}: {thing.detail}" if thing.detail else thing.name
        return (heading, *thing.lines)
    return (_LANGUAGE_WORDS[word],) if word in _LANGUAGE_WORDS else ()


def _thing(names: RuleNames, word: str) -> NamedThing | None:
    requests = {name: thing for fields in names.requests.values() for name, thing in fields.items()}
    tables: tuple[Things, ...] = (
        *(names.features, names.flags, names.lists, requests, names.reasons, names.perks, names.events),
        *(names.bands, names.dimensions),
    )
    return next((table[word] for table in tables if word in table), None)
