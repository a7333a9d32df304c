"""Shapes: what may stand at a place of a rule file, reading it, and describing it to editors.

A shape reads a node into a value, or reports why not and gives None. A record that lacks something reports it and gives
None too, so that one reading finds every problem of a file. The JSON Schema of a shape lets through what it reads.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from engine.lang import expressions
from engine.lang.glossary import KEYS
from engine.lang.identifiers import flaw
from engine.lang.problems import Report
from engine.lang.source import Mapping, Node, Scalar, Sequence
from engine.lang.syntax import Number, Word
from engine.lang.types import DURATION, Attribute, Schema, day_of

IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,6})?")
ZEROS: Final = re.compile(r"-?0[0-9]+.*")  # 010 is 8 to some readers
LONGEST_TEXT: Final = 500
# A feature's value in YAML, by the kind of its type. A kind that is not here may be written in any way.
WRITTEN_AS: Final[dict[str, dict[str, Any]]] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "decimal": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "duration": {"type": "string", "pattern": f"^(?:{DURATION.pattern})$"},
}
MADE: Final = r"^(?:request\.[a-z][a-z0-9_]*|watch\.[a-z0-9_.]+)$"  # names that rule files give themselves


class Shape(Protocol):
    """What can stand at a place: reads it, or reports and gives None."""

    def read(self, node: Node, report: Report, /) -> Any:
        """The value that `node` holds."""

    def described(self, schema: Schema, /) -> dict[str, Any]:
        """Its JSON Schema, where the catalogue's features are those of `schema`."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known words, or all of them when they are few."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=2, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(f'`{w}`' for w in near)}?"
    return f"use one of {', '.join(f'`{w}`' for w in words)}" if 0 < len(words) <= 12 else ""


@dataclass(frozen=True)
class Text:
    """A word or sentence. `pattern` narrows it; `among` lists the words it may be; a `feature` is one of the catalogue's."""

    what: str = "text"
    pattern: re.Pattern[str] | None = None
    among: tuple[str, ...] = ()
    hint: str = "lower-case letters, digits, _ and dots"
    feature: bool = False
    constant: bool = False  # what is compared, and so must not look like another
    listed: str = ""  # the hint where none of `among` is near, and they are too many to be told

    def read(self, node: Node, report: Report) -> Word | None:
        if not isinstance(node, Scalar) or not node.text.strip():
            report.add("R012", f"{self.what} belongs here", node.at)
        elif self.among and node.text not in self.among:
            report.add(
                "R013",
                f"`{node.text[:60]}` is not {self.what}",
                node.at,
                suggestion(node.text, self.among) or self.listed,
            )
        elif self.pattern and not self.pattern.fullmatch(node.text):
            report.add("R013", f"`{node.text[:60]}` is not {self.what}", node.at, self.hint)
        elif self.constant and (said := flaw(node.text)):
            report.add("R013", f"`{node.text[:60]}` {said.partition(':')[0]}", node.at, said.partition(": ")[2])
        elif len(node.text) > LONGEST_TEXT:
            report.add("R013", f"this is longer than {LONGEST_TEXT} characters", node.at, "shorten it")
        else:
            return Word(node.text, node.at)
        return None

    def described(self, schema: Schema) -> dict[str, Any]:
        if self.among or self.feature:
            return {"enum": [*self.among, *(schema if self.feature else ())]}
        pattern = f"^(?:{self.pattern.pattern})$" if self.pattern else r"\S"
        return {"type": "string", "pattern": pattern, "maxLength": LONGEST_TEXT}


@dataclass(frozen=True)
class Numeral:
    """A number, whole unless `whole` is False, within bounds."""

    low: int = -1_000_000
    high: int = 1_000_000
    whole: bool = True

    def read(self, node: Node, report: Report) -> Number | None:
        what = "a whole number" if self.whole else "a number"
        if not isinstance(node, Scalar) or not node.plain or not NUMBER.fullmatch(node.text):
            seen = f"`{node.text[:60]}` is" if isinstance(node, Scalar) and node.text else "this is"
            report.add(
                "R013",
                f"{seen} not {what}",
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

    def described(self, _: Schema) -> dict[str, Any]:
        return {"type": "integer" if self.whole else "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Day:
    """A date, such as 2026-07-01."""

    def read(self, node: Node, report: Report) -> Word | None:
        if isinstance(node, Scalar) and day_of(node.text) is not None:
            return Word(node.text, node.at)
        seen = f"`{node.text[:60]}`" if isinstance(node, Scalar) and node.text else "this"
        report.add("R013", f"{seen} is not a day", node.at, "write it as 2026-07-01")
        return None

    def described(self, _: Schema) -> dict[str, Any]:
        return {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}


@dataclass(frozen=True)
class Quantity:
    """A number, or a duration such as 90d: what a feature's values are compared with."""

    def read(self, node: Node, report: Report) -> Number | None:
        if isinstance(node, Scalar) and node.plain and (NUMBER.fullmatch(node.text) or DURATION.fullmatch(node.text)):
            return Number(node.text, node.at)
        seen = f"`{node.text[:60]}` is" if isinstance(node, Scalar) and node.text else "this is"
        hint = _without_zeros(node) or "write 12, 0.25 or 90d, without quotes"
        report.add("R013", f"{seen} not a number or duration", node.at, hint)
        return None

    def described(self, _: Schema) -> dict[str, Any]:
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^(?:{DURATION.pattern})$"}]}


@dataclass(frozen=True)
class YesNo:
    """`true` or `false`."""

    def read(self, node: Node, report: Report) -> bool | None:
        if isinstance(node, Scalar) and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        seen = f"`{node.text[:60]}`" if isinstance(node, Scalar) and node.text else "this"
        report.add("R013", f"{seen} is neither `true` nor `false`", node.at, "write one of them, without quotes")
        return None

    def described(self, _: Schema) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Condition:
    """An expression."""

    def read(self, node: Node, report: Report) -> Any:
        if isinstance(node, Scalar) and node.text.strip():
            return expressions.parse(node, report)
        report.add("R012", "an expression belongs here", node.at, "such as `credit.missed == 0`")
        return None

    def described(self, _: Schema) -> dict[str, Any]:
        return {"type": ["string", "boolean"], "pattern": r"\S"}  # `true` is a condition too


@dataclass(frozen=True)
class Many:
    """A list of one shape. Items that cannot be read are left out, or, of a `whole` list, take the list with them."""

    item: Shape
    least: int = 0
    most: int = 500
    whole: bool = False

    def read(self, node: Node, report: Report) -> Any:
        if not isinstance(node, Sequence):
            report.add("R012", "a list belongs here", node.at, "begin each item with `- `, or write [a, b]")
            return None
        if not self.least <= len(node.items) <= self.most:
            report.add(
                "R012", f"this list has {len(node.items)} items: {self.least} to {self.most} belong here", node.at
            )
            return None
        read = tuple(self.item.read(n, report) for n in node.items)
        return None if self.whole and None in read else tuple(v for v in read if v is not None)

    def described(self, schema: Schema) -> dict[str, Any]:
        items = self.item.described(schema)
        return {"type": "array", "items": items, "minItems": self.least, "maxItems": self.most}


@dataclass(frozen=True)
class Table:
    """Names to one shape: pairs of (name, value) in file order. `keep`: a name whose value cannot be read stays, with None."""

    key: Text
    value: Shape
    keep: bool = False

    def read(self, node: Node, report: Report) -> Any:
        if not isinstance(node, Mapping):
            report.add("R012", "names with values belong here", node.at, "write `name: value`, one a line")
            return None
        read = ((self.key.read(k, report), self.value.read(v, report)) for k, v in node.entries)
        return tuple((k, v) for k, v in read if k is not None and (self.keep or v is not None))

    def described(self, schema: Schema) -> dict[str, Any]:
        if self.key.feature and isinstance(self.value, Raw):
            values = {name: _value(attribute) for name, attribute in schema.items()}
            made: dict[str, Any] = {MADE: {}}
            return {"type": "object", "properties": values, "patternProperties": made, "additionalProperties": False}
        names, values = self.key.described(schema), self.value.described(schema)
        return {"type": "object", "propertyNames": names, "additionalProperties": values}


@dataclass(frozen=True)
class Raw:
    """Whatever stands there, as a node: its meaning depends on what is known later."""

    def read(self, node: Node, _: Report) -> Node:
        return node

    def described(self, _: Schema) -> dict[str, Any]:
        return {}


REQUIRED: Final = object()


@dataclass(frozen=True)
class Field:
    """A key of a record, its shape, and what an absent one means: `absent`, and `before` in versions older than `since`."""

    name: str
    shape: Shape
    absent: Any = REQUIRED
    to: str = ""  # the parameter of the record's builder, when it has another name
    since: int = 0
    before: Any = None

    @property
    def parameter(self) -> str:
        return self.to or self.name

    def default(self, language: int) -> Any:
        """What an absent key means in a version of the language."""
        return self.absent if language >= self.since else self.before


@dataclass(frozen=True)
class Record:
    """A mapping with known keys, handed to `build` by name, with `at` for its place."""

    what: str
    build: Callable[..., Any]
    fields: tuple[Field, ...]

    def read(self, node: Node, report: Report) -> Any:
        if not isinstance(node, Mapping):
            report.add("R012", f"{self.what} belongs here, as keys with values", node.at, f"its keys: {self._keys()}")
            return None
        known = {f.name: f for f in self.fields}
        values, whole = {}, True
        for key, value in node.entries:
            if key.text not in known:
                report.add("R010", f"unknown key `{key.text[:60]}` in {self.what}", key.at, suggestion(key.text, known))
                continue
            read = known[key.text].shape.read(value, report)
            whole &= read is not None
            values[known[key.text].parameter] = read
        for field in self.fields:
            if field.parameter not in values:
                default = field.default(report.language)
                if default is REQUIRED:
                    report.add(
                        "R011", f"`{field.name}` is missing in {self.what}", node.at, f"its keys: {self._keys()}"
                    )
                    whole = False
                values[field.parameter] = default
        return self.build(**values, at=node.at) if whole else None

    def described(self, schema: Schema) -> dict[str, Any]:
        meanings = KEYS.get(self.what, {})
        properties = {
            f.name: {**f.shape.described(schema), "description": meanings.get(f.name, f.name)} for f in self.fields
        }
        required = [f.name for f in self.fields if f.absent is REQUIRED]
        keys = {"properties": properties, "required": required, "additionalProperties": False}
        return {"title": self.what, "type": "object", **keys}

    def _keys(self) -> str:
        return ", ".join(f.name if f.absent is REQUIRED else f"[{f.name}]" for f in self.fields)


def _without_zeros(node: Node) -> str:
    return "leave out the zeros before it" if isinstance(node, Scalar) and ZEROS.fullmatch(node.text) else ""


def _value(attribute: Attribute) -> dict[str, Any]:
    """A feature's value, or `missing`."""
    type_ = attribute.type
    value = {"enum": [*type_.values]} if type_.kind == "enum" else WRITTEN_AS.get(type_.kind, {})
    about = ", ".join(filter(None, (str(type_), attribute.unit)))
    return {"anyOf": [value, {"const": "missing"}], "description": about}


IDENT: Final = Text("an identifier", IDENTIFIER)
FEATURE: Final = Text("an identifier", IDENTIFIER, feature=True)
