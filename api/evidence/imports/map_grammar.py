"""The grammar of an import map, as tables of types: from text to the syntax tree, or to every problem with its place."""

import re
from dataclasses import dataclass
from typing import Any, Final

from api.evidence.imports.event_targets import EventTargets
from api.evidence.imports.map_tree import EventEntry, FieldSource, ImportMap, TextTemplate
from api.evidence.imports.number_cells import ROUNDINGS
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.model.timezones import UTC_NAME, names
from engine.lang.model.types import Schema
from engine.lang.syntax import source
from engine.lang.syntax.expression_tree import Join, Number, Word
from engine.lang.syntax.key_docs import KIND
from engine.lang.syntax.schema_types import (
    IDENT,
    BoolType,
    ConditionType,
    Field,
    JsonSchema,
    ListType,
    NumberType,
    RecordType,
    SchemaType,
    TableType,
    TextType,
)
from engine.lang.syntax.source import Mapping, Node, Scalar

KIND_OF_FILE: Final = "map"
BY_CURRENCY: Final = "currency"  # the scale that depends on the currency
DELIMITERS: Final = {",": ",", ";": ";", "|": "|", "tab": "\t"}
SCALE: Final = NumberType(0, 1_000_000_000, whole=False)
_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|([{}])|([^{}]+)")
_HOLE_HINT: Final = "a column stands in braces, as in `order-{id}`; a brace itself is written twice"


@dataclass(frozen=True)
class TemplateType:
    """A text with columns in braces."""

    def read(self, node: Node, report: Report) -> TextTemplate | None:
        if not isinstance(node, Scalar) or not node.text.strip():
            report.add("R012", "a text with columns in braces belongs here", node.at, _HOLE_HINT)
            return None
        parts: list[str | Word] = []
        for match in _PIECE.finditer(node.text):
            hole, stray = match[1], match[2]
            if stray or hole == "":
                report.add("R013", f"`{node.text[:60]}` has a brace too many", node.span(match.start()), _HOLE_HINT)
                return None
            text = match[0][0] if match[0] in ("{{", "}}") else match[0]
            parts.append(Word(hole, node.span(match.start(1), len(hole))) if hole is not None else text)
        return TextTemplate(tuple(parts), node.at)

    def json_schema(self, _: Schema) -> JsonSchema:
        return {"type": "string", "pattern": r"\S"}


@dataclass(frozen=True)
class ScaleType:
    """A number above 0, or `currency`: ten to the power of the currency's digits."""

    def read(self, node: Node, report: Report) -> Number | Word | None:
        if isinstance(node, Scalar) and node.text == BY_CURRENCY:
            return Word(node.text, node.at)
        if isinstance(node, Scalar) and not re.fullmatch(r"[0-9.]+", node.text):
            hint = "write a number such as 100, or `currency` for the currency's own minor units"
            report.add("R013", f"`{node.text[:60]}` is not a scale", node.at, hint)
            return None
        number = SCALE.read(node, report)
        if number is not None and float(number.text) == 0:
            report.add("R013", "the scale is 0", node.at, "write 100 to make cents of whole units")
            return None
        return number

    def json_schema(self, schema: Schema) -> JsonSchema:
        return {"anyOf": [SCALE.json_schema(schema), {"const": BY_CURRENCY}]}


@dataclass(frozen=True)
class FallbackType:
    """A type of a place whose value is `fallback` if it cannot be read, so that we find the problems of the rest too."""

    shape: SchemaType
    fallback: Any

    def read(self, node: Node, report: Report) -> Any:
        value = self.shape.read(node, report)
        return self.fallback if value is None else value

    def json_schema(self, schema: Schema) -> JsonSchema:
        return self.shape.json_schema(schema)


NOWHERE: Final = SourceSpan("")
COLUMN: Final = TextType("a column")
VALUE: Final = TextType("a value")
ZONE: Final = TextType("a time zone", among=tuple(sorted(names())), fallback_hint="write an IANA name: Asia/Shanghai")
LOOKUP: Final = TableType(VALUE, VALUE)
FIELD_RECORD: Final = RecordType(
    "a field",
    FieldSource,
    (
        Field("column", COLUMN, absent=None),
        Field("template", TemplateType(), absent=None),
        Field("value", VALUE, absent=None),
        Field("lookup", LOOKUP, absent=()),
        Field("otherwise", VALUE, absent=None),
        Field("missing", VALUE, absent=None),
        Field("scale", ScaleType(), absent=None),
        Field("multiplied_by", COLUMN, absent=None),
        Field("negate", BoolType(), absent=False),
        Field("rounding", TextType("a rounding", among=ROUNDINGS), absent=None),
        Field("format", TextType("a format"), absent=None),
        Field("zone", ZONE, absent=None),
        Field("ambiguous", TextType("a choice", among=("earliest", "latest")), absent=None),
    ),
    (
        ("column", "The column of the source that fills the field"),
        (
            "template",
            "A text with columns in braces that fills the field, such as order-{id}; {#line} is the row's line",
        ),
        ("value", "A constant that fills the field"),
        ("lookup", "What each text of the column becomes"),
        ("otherwise", "What a text becomes that `lookup` does not have; if absent, the row is rejected"),
        ("missing", "The text for a row whose column is empty"),
        ("scale", "What the number is multiplied by: 100, or `currency` for the currency's minor units"),
        ("multiplied_by", "Another column by which the number is multiplied, such as the quantity of a price"),
        ("negate", "Whether the number's sign is turned: -5 becomes 5"),
        ("rounding", "`half_up`, or `down`, to a whole number; if absent, a row whose number is not whole is rejected"),
        ("format", "How a time is written, such as %d/%m/%Y %H:%M, or unix, unix_ms or unix_us"),
        ("zone", "The time zone of times that do not say theirs; if absent, the map's `timezone`"),
        ("ambiguous", "Which moment a time means that occurs twice as clocks go back; if absent, the row is rejected"),
    ),
)


@dataclass(frozen=True)
class FieldSourceType:
    """A field: a column's name, a template, or a record."""

    def read(self, node: Node, report: Report) -> FieldSource | None:
        if isinstance(node, Mapping):
            if hole := _unquoted_hole(node):
                hint = f'put it in quotes: "{{{hole.text[:60]}}}"'
                report.add("R012", "braces without quotes are a mapping in YAML", node.at, hint)
                return None
            return self._checked(FIELD_RECORD.read(node, report), report)
        if isinstance(node, Scalar) and ("{" in node.text or "}" in node.text):
            template = TemplateType().read(node, report)
            return FieldSource(node.at, template=template) if template else None
        column = COLUMN.read(node, report)
        return FieldSource(node.at, column=column) if column else None

    def _checked(self, line: FieldSource | None, report: Report) -> FieldSource | None:
        if line is None:
            return None
        sources = [name for name in ("column", "template", "value") if getattr(line, name) is not None]
        if len(sources) != 1:
            message = f"a field is filled by {' and '.join(f'`{s}`' for s in sources) or 'nothing'}"
            report.add("R013", message, line.at, "name one of `column`, `template` and `value`")
            return None
        return line

    def json_schema(self, schema: Schema) -> JsonSchema:
        return {"anyOf": [{"type": "string", "pattern": r"\S"}, FIELD_RECORD.json_schema(schema)]}


def _unquoted_hole(node: Mapping) -> Scalar | None:
    """The key, if the node is a mapping such as `{customer}`: one key without a value."""
    if len(node.entries) != 1:
        return None
    key, value = node.entries[0]
    keys = {field.name for field in FIELD_RECORD.fields}
    return key if isinstance(value, Scalar) and not value.text and key.text not in keys else None


def _event(set: tuple[Any, ...], **rest: Any) -> EventEntry:  # noqa: A002 - the key's name
    return EventEntry(fields=set, **rest)


def _map(set: tuple[Any, ...], **rest: Any) -> ImportMap:  # noqa: A002
    return ImportMap(fields=set, **rest)


def import_map_type(targets: EventTargets) -> RecordType:
    """The type of a map for these kinds of events."""
    fields = TextType(
        "a field of an event",
        among=tuple(dict.fromkeys(name for kind in targets.values() for name in kind)),
        fallback_hint="docs/events.md lists the fields of each kind",
    )
    delimiters = TextType("a delimiter", among=tuple(DELIMITERS))
    kinds = TextType("a kind of event", among=tuple(targets), fallback_hint="docs/events.md lists the kinds")
    field_table = TableType(fields, FieldSourceType(), keep=True)
    event = RecordType(
        "an event",
        _event,
        (
            Field("kind", kinds),
            Field("when", FallbackType(ConditionType(), Join("and", (), NOWHERE)), absent=None),
            Field("first_only", BoolType(), absent=False),
            Field("set", FallbackType(field_table, ()), absent=()),
        ),
        EVENT_MEANINGS,
    )
    return RecordType(
        "an import map",
        _map,
        (
            Field("timezone", FallbackType(ZONE, Word(UTC_NAME, NOWHERE)), absent=None),
            Field("delimiter", FallbackType(delimiters, Word(",", NOWHERE)), absent=None),
            Field("empty", FallbackType(ListType(VALUE), ()), absent=()),
            Field("columns", FallbackType(TableType(IDENT, COLUMN), ()), absent=()),
            Field("set", FallbackType(field_table, ()), absent=()),
            Field("events", ListType(event, min_items=1)),
        ),
        MAP_MEANINGS,
    )


EVENT_MEANINGS: Final = (
    ("kind", "The kind of the event"),
    ("when", "The condition on the row's columns under which it makes this event; if absent, each row does"),
    ("first_only", "Only the first row with this event's id makes it; later ones are duplicates, whatever they say"),
    ("set", "How the event's fields are filled"),
)
MAP_MEANINGS: Final = (
    ("timezone", "The time zone of times that do not say theirs, such as Asia/Shanghai"),
    ("delimiter", "The sign between the columns of a CSV file; if absent, a comma"),
    ("empty", "Texts that mean that there is no value, such as NA"),
    ("columns", "Names for columns, to use in conditions and templates"),
    ("set", "How fields of all events are filled, unless an event fills them itself"),
    ("events", "The events that each row makes"),
)


def parse_map(file: str, text: str, targets: EventTargets, report: Report) -> ImportMap | None:
    """The map without its unreadable parts; None if too little is readable. `report` gets every reason."""
    root = source.read(file, text, report)
    if root is None:
        return None
    if not isinstance(root, Mapping):
        report.add("R012", "a map is keys with values", root.at, f"begin with `kind: {KIND_OF_FILE}`")
        return None
    kind = next((value for key, value in root.entries if key.text == "kind"), None)
    if not isinstance(kind, Scalar) or kind.text != KIND_OF_FILE:
        at = SourceSpan(file) if kind is None else kind.at
        message = "this is not an import map" if kind is not None else "`kind` is missing"
        report.add("R014", message, at, f"begin with `kind: {KIND_OF_FILE}`")
        return None
    rest = Mapping(tuple(entry for entry in root.entries if entry[0].text != "kind"), root.at)
    import_map: ImportMap | None = import_map_type(targets).read(rest, report)
    return import_map


def map_json_schema(targets: EventTargets) -> JsonSchema:
    """The JSON Schema of a map, for editors."""
    record = import_map_type(targets).json_schema({})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **record,
        "title": "Iftah: an import map",
        "properties": {"kind": {"const": KIND_OF_FILE, "description": KIND}, **record["properties"]},
        "required": ["kind", *record["required"]],
    }
