"""What fits at a place of a rule file: keys of the grammar, words, names, and what can come next inside a condition."""

from dataclasses import dataclass
from typing import Final

from engine.authoring.conditions import condition_options
from engine.authoring.names import NamedThing, RuleNames, Things
from engine.authoring.options import Option
from engine.authoring.places import Place, place_at
from engine.authoring.shapes import KIND_KEY, Shape, key_meaning, shape_at
from engine.lang.syntax.feature_grammar import ALL, OneOrMoreType, TextsType, WindowType
from engine.lang.syntax.grammar import KINDS
from engine.lang.syntax.key_docs import KIND
from engine.lang.syntax.schema_types import (
    REQUIRED,
    BoolType,
    ConditionType,
    Field,
    ListType,
    RecordType,
    SchemaType,
    TableType,
    TextType,
)

MAX_OPTIONS: Final = 300
# Which names the value of a key is one of. A key of one record comes before the same key anywhere.
_NAMES_BY_KEY: Final[dict[tuple[str, str], str]] = {
    ("", "reason"): "reasons",
    ("", "dimension"): "dimensions",
    ("", "consent"): "classes",
    ("", "perk"): "perks",
    ("", "reasons"): "reasons",
    ("", "because"): "reasons",
    ("", "band"): "bands",
    ("", "event"): "events",
    ("", "met"): "rules",
    ("", "not_met"): "rules",
    ("", "unknown"): "rules",
    ("", "raised"): "flags",
    ("", "not_raised"): "flags",
    ("a declared feature", "of"): "events",
    ("a declared feature", "less"): "events",
    ("a kind of events", "reverses"): "events",
    ("a policy", "restricted"): "classes",
    ("a policy", "relationships"): "classes",
    ("an orders file", "initial"): "states",
    ("an orders file", "final"): "states",
    ("a move", "from"): "states",
    ("a move", "to"): "states",
    ("a move", "on"): "order_events",
    ("a refusal", "on"): "order_events",
    ("an expectation", "to"): "states",
    ("an expectation", "code"): "refusals",
}
_WITHOUT_PREFIX: Final = {"raised", "not_raised"}  # flags by their ids


@dataclass(frozen=True)
class Completion:
    """Options for a place. They replace the text from `column`, counted from 1, up to the cursor."""

    line: int
    column: int
    options: tuple[Option, ...]


def complete(names: RuleNames, file: str, text: str, line: int, column: int) -> Completion:
    """What fits before a character of a file, counted from 1."""
    place = place_at(text, line, column)
    if place is None:
        return Completion(line, column, ())
    prefix, options = _options(place, names, file)
    return Completion(line, column - len(prefix), tuple(options[:MAX_OPTIONS]))


def _options(place: Place, names: RuleNames, file: str) -> tuple[str, list[Option]]:
    if place.path == () and place.is_key and not place.kind:
        return place.before, [Option(KIND_KEY, f"{KIND_KEY}: ", "key", lines=(KIND,))]
    if place.path == (KIND_KEY,):
        return place.before, [Option(kind, kind, "word") for kind in KINDS]
    shape = shape_at(place.kind, place.path)
    if shape is None:
        return "", []
    is_key = place.is_key if place.is_key is not None else isinstance(shape.type, RecordType | TableType)
    if is_key:
        return place.before, _keys(shape, place, names)
    if isinstance(shape.type, ConditionType):
        return condition_options(place, names, file)
    prefix = place.before.lstrip("'\"")
    return prefix, _values(shape, place, names)


def _keys(shape: Shape, place: Place, names: RuleNames) -> list[Option]:
    type_ = shape.type
    if isinstance(type_, WindowType):
        return [Option(word, f"{word}: ", "key") for word in ("months", "full_months")]
    if isinstance(type_, RecordType):
        return [_key(type_.label, field) for field in type_.fields if field.name not in place.entries]
    if not isinstance(type_, TableType):
        return []
    things: Things = {}
    if type_.key.feature:
        things = {**names.features, **names.flags}
    elif shape.key == "features":
        things = names.features
    elif shape.key == "with":
        kind = names.kinds.get(place.outer.get("event", ""))
        things = {name: NamedThing(name) for name in kind.fields} if kind else {}
    return [_name_option(thing, ": ") for name, thing in things.items() if name not in place.entries]


def _key(record: str, field: Field) -> Option:
    is_required = field.absent is REQUIRED
    meaning = (key_meaning(record, field.name),)
    return Option(field.name, f"{field.name}: ", "key", "" if is_required else "?", meaning, int(is_required))


def _values(shape: Shape, place: Place, names: RuleNames) -> list[Option]:
    type_: SchemaType = shape.type
    if isinstance(type_, WindowType):
        return [
            Option(ALL, ALL, "word"),
            Option("365d", "365d", "word"),
            Option("{months: 12}", "{months: 12}", "word"),
        ]
    if isinstance(type_, OneOrMoreType):
        type_ = type_.item
    if isinstance(type_, BoolType):
        return [Option(word, word, "word") for word in ("true", "false")]
    if isinstance(type_, ListType | TextsType) or not isinstance(type_, TextType):
        return []
    if type_.feature:
        return [_name_option(thing) for thing in names.features.values()]
    if type_.among:
        return [Option(word, word, "word") for word in type_.among]
    if shape.record == "a declared feature" and shape.key == "value":
        kinds = [names.kinds[n] for n in place.entries.get("of", "").strip("[]").split(", ") if n in names.kinds]
        fields = dict.fromkeys(name for kind in kinds for name in kind.fields)
        return [Option(name, name, "field") for name in fields]
    sort = _NAMES_BY_KEY.get((shape.record, shape.key)) or _NAMES_BY_KEY.get(("", shape.key), "")
    things: Things = getattr(names, sort) if sort else {}
    options = [_name_option(thing) for thing in things.values()]
    if shape.key not in _WITHOUT_PREFIX:
        return options
    return [Option(o.label.partition(".")[2], o.apply.partition(".")[2], o.kind, o.detail, o.lines) for o in options]


def _name_option(thing: NamedThing, suffix: str = "") -> Option:
    return Option(thing.name, f"{thing.name}{suffix}", "name", thing.detail, thing.lines)
