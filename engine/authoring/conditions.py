"""What can come next inside a condition: names, words in quotes, comparisons, and the words that join conditions."""

import re
from collections.abc import Iterator
from typing import Final

from engine.authoring.names import NamedThing, RuleNames, Things, type_text
from engine.authoring.options import Option
from engine.authoring.places import Place
from engine.lang.check.orders import schema_of
from engine.lang.model.conditions import AS_OF
from engine.lang.model.program import AMOUNT, PERK_HELD, SCORE
from engine.lang.model.types import Attribute, Schema
from engine.lang.syntax.expressions import COMPARISONS, TOKEN

WORD_BEING_TYPED: Final = re.compile(r"[\w.]*$")
JOINS: Final = ("and", "or")
# After these we expect a value; after any other token, a comparison or a join.
_BEFORE_VALUE: Final = {*COMPARISONS, "and", "or", "not", "in", "(", "[", ",", "+", "-", "*"}
_LAST_COMPARISON: Final = re.compile(r"([a-z][\w.]*)\s*(?:==|!=|(?:not\s+)?in\s*\[[^\]]*)\s*$")


def condition_options(place: Place, names: RuleNames, file: str) -> tuple[str, list[Option]]:
    """The text that the options replace, and the options."""
    before = place.before.lstrip("'\"") if place.before[:1] in ("'", '"') else place.before
    open_quote = _open_quote(before)
    if open_quote is not None:
        attribute = _compared(before[: len(before) - len(open_quote) - 1], names, place)
        return open_quote, [Option(value, value, "word") for value in (attribute.type.values if attribute else ())]
    typed = WORD_BEING_TYPED.search(before)
    prefix = typed[0] if typed else ""
    tokens = _tokens(before[: len(before) - len(prefix)])
    previous = tokens[-1] if tokens else ""
    if tokens and previous not in _BEFORE_VALUE:
        return prefix, list(_after_value(tokens))
    things = _readable(place, names, file)
    if previous == "in":
        return prefix, [_option(thing, "list") for thing in names.lists.values()]
    attribute = _compared(before[: len(before) - len(prefix)], names, place)
    words = [Option(f"'{v}'", f"'{v}'", "word", boost=2) for v in (attribute.type.values if attribute else ())]
    if attribute is not None and attribute.type.kind == "bool":
        words += [Option(v, v, "word", boost=2) for v in ("true", "false")]
    keywords = [Option(w, f"{w}(" if w != "not" else "not ", "keyword") for w in ("not", "known", "missing")]
    return prefix, [*words, *(_option(thing, "name") for thing in things.values()), *keywords]


def readable_schema(place: Place, names: RuleNames) -> Schema:
    """The attributes with types that a condition at this place can read."""
    if place.kind == "orders":
        return schema_of(tuple(names.states), tuple(names.order_events))
    if place.kind == "watch" or place.path[-1:] in (("where",), ("among",)):
        return _event_fields(place, names)
    return names.schema


def _readable(place: Place, names: RuleNames, file: str) -> Things:
    """The names that a condition at this place can read, by name."""
    own = names.definitions.get(file, {})
    if place.kind in ("orders", "watch") or place.path[-1:] in (("where",), ("among",)):
        attributes = readable_schema(place, names)
        return {n: NamedThing(n, (), type_text(a)) for n, a in attributes.items()} | own
    things = names.features | names.flags | own | {AS_OF: NamedThing(AS_OF, (), "date")}
    if place.kind == "features":
        return dict(names.features)
    if place.kind == "perks":
        fields = names.requests.get(place.owner, {})
        special = {SCORE: "int", PERK_HELD: "bool", AMOUNT: "money"}
        things |= {n: NamedThing(n, (), detail) for n, detail in special.items()} | fields
    return things


def _event_fields(place: Place, names: RuleNames) -> dict[str, Attribute]:
    """The fields of the kinds of events that the record names in `event` or `of`; of all kinds if it names none."""
    words = re.findall(r"[\w.]+", f"{place.entries.get('event', '')} {place.entries.get('of', '')}")
    kinds = [names.kinds[word] for word in words if word in names.kinds] or list(names.kinds.values())
    return {name: attribute for kind in kinds for name, attribute in kind.fields.items()}


def _compared(before: str, names: RuleNames, place: Place) -> Attribute | None:
    """The attribute that the value after `before` is compared with, or None."""
    match = _LAST_COMPARISON.search(before)
    return readable_schema(place, names).get(match[1]) if match else None


def _after_value(tokens: list[str]) -> Iterator[Option]:
    """Comparisons, unless the last comparison is complete; and the words that join conditions."""
    last_join = max((n for n, token in enumerate(tokens) if token in JOINS), default=-1)
    if not any(each in COMPARISONS or each == "in" for each in tokens[last_join + 1 :]):
        yield from (Option(sign, f"{sign} ", "operator", boost=1) for sign in COMPARISONS)
        yield Option("in", "in ", "operator")
        yield Option("not in", "not in ", "operator")
    yield from (Option(word, f"{word} ", "keyword") for word in JOINS)


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            position += 1
            continue
        if match.lastgroup != "space":
            tokens.append(match[0])
        position = match.end()
    return tokens


def _open_quote(text: str) -> str | None:
    """The text after a quote that is not closed, or None."""
    quote, start = "", 0
    for position, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote, start = char, position + 1
    return text[start:] if quote else None


def _option(thing: NamedThing, kind: str) -> Option:
    return Option(thing.name, thing.name, kind, thing.detail, thing.lines)
