"""Define the types of places in a rule file: how we read them, and how we describe them to editors.

A type reads a node to a value, or reports the reason and returns None. A record with missing parts reports them and
also returns None, so one pass finds every problem of a file. The JSON Schema of a type accepts every text that the type
reads.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from engine.lang.model.currencies import MONEY, money_flaw
from engine.lang.model.identifiers import flaw
from engine.lang.model.problems import Report
from engine.lang.model.types import DURATION, Attribute, Schema, day_of
from engine.lang.syntax import expressions
from engine.lang.syntax.expression_tree import Number, Word
from engine.lang.syntax.key_docs import KEYS
from engine.lang.syntax.source import Mapping, Node, Scalar, Sequence

JsonSchema = dict[str, Any]  # nested to any depth

IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,6})?")
ZEROS: Final = re.compile(r"-?0[0-9]+.*")  # some readers take 010 for 8
LIKE_MONEY: Final = re.compile(r"-?[0-9.]+ [A-Za-z]{3}")  # so that we report its real flaw
MAX_TEXT_CHARS: Final = 500
# A feature's value in YAML, by the kind of its type. Any text is possible for a kind that is not here.
VALUE_SCHEMAS: Final[dict[str, JsonSchema]] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "decimal": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "duration": {"type": "string", "pattern": f"^(?:{DURATION.pattern})$"},
    "money": {"type": "string", "pattern": f"^(?:{MONEY.pattern})$"},
}
# Names that rule files define themselves.
FILE_DEFINED_NAMES: Final = r"^(?:request\.[a-z][a-z0-9_]*|watch\.[a-z0-9_.]+)$"


class SchemaType(Protocol):
    """The type of a place in a rule file."""

    def read(self, node: Node, report: Report, /) -> Any:
        """The value of `node`; None with the reason in the report."""

    def json_schema(self, schema: Schema, /) -> JsonSchema:
        """The JSON Schema of the type, with the features of `schema`."""


def suggestion(word: str, candidates: Iterable[str]) -> str:
    """A hint with the most similar known words, or with all of them if there are few."""
    words = sorted(candidates)
    near = difflib.get_close_matches(word, words, n=2, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(f'`{w}`' for w in near)}?"
    return f"use one of {', '.join(f'`{w}`' for w in words)}" if 0 < len(words) <= 12 else ""


def renamed(name: str, schema: Schema) -> str:
    """A hint with the new name of a feature that had this name in an earlier version."""
    return next((f"it is called `{a.name}` now" for a in schema.values() if a.formerly == name), "")


@dataclass(frozen=True)
class TextType:
    """A word or sentence.

    `pattern` restricts it, `among` lists the allowed words, and a `feature` is one of the catalogue.
    """

    label: str = "text"
    pattern: re.Pattern[str] | None = None
    among: tuple[str, ...] = ()
    hint: str = "lower-case letters, digits, _ and dots"
    feature: bool = False
    constant: bool = False  # a value that we compare, so it must not look like another
    fallback_hint: str = ""  # the hint if no word of `among` is similar, and they are too many to list

    def read(self, node: Node, report: Report) -> Word | None:
        if not isinstance(node, Scalar) or not node.text.strip():
            report.add("R012", f"{self.label} belongs here", node.at)
        elif self.among and node.text not in self.among:
            report.add(
                "R013",
                f"`{node.text[:60]}` is not {self.label}",
                node.at,
                suggestion(node.text, self.among) or self.fallback_hint,
            )
        elif self.pattern and not self.pattern.fullmatch(node.text):
            report.add("R013", f"`{node.text[:60]}` is not {self.label}", node.at, self.hint)
        elif self.constant and (problem := flaw(node.text)):
            report.add("R013", f"`{node.text[:60]}` {problem.partition(':')[0]}", node.at, problem.partition(": ")[2])
        elif len(node.text) > MAX_TEXT_CHARS:
            report.add("R013", f"this is longer than {MAX_TEXT_CHARS} characters", node.at, "shorten it")
        else:
            return Word(node.text, node.at)
        return None

    def json_schema(self, schema: Schema) -> JsonSchema:
        if self.among or self.feature:
            return {"enum": [*self.among, *(schema if self.feature else ())]}
        pattern = f"^(?:{self.pattern.pattern})$" if self.pattern else r"\S"
        return {"type": "string", "pattern": pattern, "maxLength": MAX_TEXT_CHARS}


@dataclass(frozen=True)
class NumberType:
    """A number within bounds; whole unless `whole` is False."""

    low: int = -1_000_000
    high: int = 1_000_000
    whole: bool = True

    def read(self, node: Node, report: Report) -> Number | None:
        noun = "a whole number" if self.whole else "a number"
        if not isinstance(node, Scalar) or not node.plain or not NUMBER.fullmatch(node.text):
            subject = f"`{node.text[:60]}` is" if isinstance(node, Scalar) and node.text else "this is"
            report.add(
                "R013",
                f"{subject} not {noun}",
                node.at,
                _without_zeros(node) or "numbers are written 12 or 0.25, without quotes",
            )
        elif self.whole and "." in node.text:
            report.add("R013", f"`{node.text}` is not a whole number", node.at)
        elif not self.low <= float(node.text) <= self.high:
            report.add("R013", f"`{node.text}` is outside {self.low} to {self.high}", node.at)
        else:
            return Number(node.text, node.at)
        return None

    def json_schema(self, _: Schema) -> JsonSchema:
        return {"type": "integer" if self.whole else "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class DateType:
    """A date, such as 2026-07-01."""

    def read(self, node: Node, report: Report) -> Word | None:
        if isinstance(node, Scalar) and day_of(node.text) is not None:
            return Word(node.text, node.at)
        subject = f"`{node.text[:60]}`" if isinstance(node, Scalar) and node.text else "this"
        report.add("R013", f"{subject} is not a day", node.at, "write it as 2026-07-01")
        return None

    def json_schema(self, _: Schema) -> JsonSchema:
        return {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}


@dataclass(frozen=True)
class QuantityType:
    """A number, a duration such as 90d, or money such as 1000.50 CNY: a value to compare a feature with."""

    def read(self, node: Node, report: Report) -> Number | None:
        if report.has_money and isinstance(node, Scalar) and node.plain and LIKE_MONEY.fullmatch(node.text):
            if problem := money_flaw(node.text):
                report.add("R013", problem[0], node.at, problem[1])
                return None
            return Number(node.text, node.at)
        if isinstance(node, Scalar) and node.plain and (NUMBER.fullmatch(node.text) or DURATION.fullmatch(node.text)):
            return Number(node.text, node.at)
        subject = f"`{node.text[:60]}` is" if isinstance(node, Scalar) and node.text else "this is"
        hint = _without_zeros(node) or "write 12, 0.25, 90d or 1000.50 CNY, without quotes"
        report.add("R013", f"{subject} not a number, duration or amount", node.at, hint)
        return None

    def json_schema(self, _: Schema) -> JsonSchema:
        patterns = f"^(?:{DURATION.pattern}|{MONEY.pattern})$"
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": patterns}]}


@dataclass(frozen=True)
class BoolType:
    """`true` or `false`."""

    def read(self, node: Node, report: Report) -> bool | None:
        if isinstance(node, Scalar) and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        subject = f"`{node.text[:60]}`" if isinstance(node, Scalar) and node.text else "this"
        report.add("R013", f"{subject} is neither `true` nor `false`", node.at, "write one of them, without quotes")
        return None

    def json_schema(self, _: Schema) -> JsonSchema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class ConditionType:
    """An expression."""

    def read(self, node: Node, report: Report) -> Any:
        if isinstance(node, Scalar) and node.text.strip():
            return expressions.parse(node, report)
        report.add("R012", "an expression belongs here", node.at, "such as `credit.missed == 0`")
        return None

    def json_schema(self, _: Schema) -> JsonSchema:
        return {"type": ["string", "boolean"], "pattern": r"\S"}  # `true` is a condition too


@dataclass(frozen=True)
class ListType:
    """A list of items of one type. We leave out unreadable items, or, with `whole`, the entire list."""

    item: SchemaType
    min_items: int = 0
    max_items: int = 500
    whole: bool = False

    def read(self, node: Node, report: Report) -> Any:
        if not isinstance(node, Sequence):
            report.add("R012", "a list belongs here", node.at, "begin each item with `- `, or write [a, b]")
            return None
        if not self.min_items <= len(node.items) <= self.max_items:
            report.add(
                "R012",
                f"this list has {len(node.items)} items: {self.min_items} to {self.max_items} belong here",
                node.at,
            )
            return None
        values = tuple(self.item.read(n, report) for n in node.items)
        return None if self.whole and None in values else tuple(v for v in values if v is not None)

    def json_schema(self, schema: Schema) -> JsonSchema:
        items = self.item.json_schema(schema)
        return {"type": "array", "items": items, "minItems": self.min_items, "maxItems": self.max_items}


@dataclass(frozen=True)
class TableType:
    """A mapping from names to values of one type: pairs (name, value) in file order.

    With `keep`, a name with an unreadable value stays, with None.
    """

    key: TextType
    value: SchemaType
    keep: bool = False

    def read(self, node: Node, report: Report) -> Any:
        if not isinstance(node, Mapping):
            report.add("R012", "names with values belong here", node.at, "write `name: value`, one a line")
            return None
        pairs = ((self.key.read(k, report), self.value.read(v, report)) for k, v in node.entries)
        return tuple((k, v) for k, v in pairs if k is not None and (self.keep or v is not None))

    def json_schema(self, schema: Schema) -> JsonSchema:
        if self.key.feature and isinstance(self.value, AnyType):
            values = {name: _value_schema(attribute) for name, attribute in schema.items()}
            patterns: JsonSchema = {FILE_DEFINED_NAMES: {}}
            return {
                "type": "object",
                "properties": values,
                "patternProperties": patterns,
                "additionalProperties": False,
            }
        names, values = self.key.json_schema(schema), self.value.json_schema(schema)
        return {"type": "object", "propertyNames": names, "additionalProperties": values}


@dataclass(frozen=True)
class AnyType:
    """Any node. We interpret it later, when we know its type."""

    def read(self, node: Node, _: Report) -> Node:
        return node

    def json_schema(self, _: Schema) -> JsonSchema:
        return {}


REQUIRED: Final = object()


@dataclass(frozen=True)
class Field:
    """A key of a record and its type. Without the key, the value is `absent`; in versions older than `since`, `before`."""

    name: str
    shape: SchemaType
    absent: Any = REQUIRED
    to: str = ""  # the parameter of the record's builder, if its name differs
    since: int = 0
    before: Any = None

    @property
    def parameter(self) -> str:
        return self.to or self.name

    def default(self, language: int) -> Any:
        """The value of an absent key in a version of the language."""
        return self.absent if language >= self.since else self.before


@dataclass(frozen=True)
class RecordType:
    """A mapping with known keys. We pass the values to `build` by name, and the place as `at`."""

    label: str
    build: Callable[..., Any]
    fields: tuple[Field, ...]
    meanings: tuple[tuple[str, str], ...] = ()  # the meaning of each key; those of rule files are in `KEYS`

    def read(self, node: Node, report: Report) -> Any:
        if not isinstance(node, Mapping):
            report.add("R012", f"{self.label} belongs here, as keys with values", node.at, f"its keys: {self._keys()}")
            return None
        fields_by_name = {f.name: f for f in self.fields}
        values, complete = {}, True
        for key, value in node.entries:
            if key.text not in fields_by_name:
                report.add(
                    "R010",
                    f"unknown key `{key.text[:60]}` in {self.label}",
                    key.at,
                    suggestion(key.text, fields_by_name),
                )
                continue
            field_value = fields_by_name[key.text].shape.read(value, report)
            complete &= field_value is not None
            values[fields_by_name[key.text].parameter] = field_value
        for field in self.fields:
            if field.parameter not in values:
                default = field.default(report.language)
                if default is REQUIRED:
                    report.add(
                        "R011", f"`{field.name}` is missing in {self.label}", node.at, f"its keys: {self._keys()}"
                    )
                    complete = False
                values[field.parameter] = default
        return self.build(**values, at=node.at) if complete else None

    def json_schema(self, schema: Schema) -> JsonSchema:
        meanings = dict(self.meanings) or KEYS.get(self.label, {})
        properties = {
            f.name: {**f.shape.json_schema(schema), "description": meanings.get(f.name, f.name)} for f in self.fields
        }
        required = [f.name for f in self.fields if f.absent is REQUIRED]
        keys = {"properties": properties, "required": required, "additionalProperties": False}
        return {"title": self.label, "type": "object", **keys}

    def _keys(self) -> str:
        return ", ".join(f.name if f.absent is REQUIRED else f"[{f.name}]" for f in self.fields)


def _without_zeros(node: Node) -> str:
    return "leave out the zeros before it" if isinstance(node, Scalar) and ZEROS.fullmatch(node.text) else ""


def _value_schema(attribute: Attribute) -> JsonSchema:
    """The schema of a feature's value, or of `missing`."""
    type_ = attribute.type
    value = {"enum": [*type_.values]} if type_.kind == "enum" else VALUE_SCHEMAS.get(type_.kind, {})
    about = ", ".join(filter(None, (str(type_), attribute.unit)))
    return {"anyOf": [value, {"const": "missing"}], "description": about}


IDENT: Final = TextType("an identifier", IDENTIFIER)
FEATURE: Final = TextType("an identifier", IDENTIFIER, feature=True)
