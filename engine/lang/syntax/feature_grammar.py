"""Define the grammar of features.yaml, as tables of types."""

import re
from dataclasses import dataclass
from typing import Any, Final

from engine.lang.model.problems import Report, SourceSpan
from engine.lang.model.types import Schema
from engine.lang.syntax.expression_tree import Word
from engine.lang.syntax.feature_lines import FeatureLine, FeaturesFile, WindowLine
from engine.lang.syntax.money_types import CURRENCY
from engine.lang.syntax.schema_types import (
    IDENT,
    BoolType,
    Field,
    JsonSchema,
    ListType,
    NumberType,
    QuantityType,
    RecordType,
    SchemaType,
    TableType,
    TextType,
)
from engine.lang.syntax.source import Mapping, Node, Scalar
from engine.lang.syntax.terms import CONDITION, DATE_FIELDS, LANGUAGE, LENGTH, ROLE

MEASURES: Final = (
    *("count", "sum", "mean", "min", "max", "range", "spread", "distinct", "latest", "first", "days_since"),
    *("days_since_first", "months_with", "longest_gap", "share", "time_share", "busiest"),
    *("monthly_mean", "monthly_share", "monthly_steadiness"),
)
DIRECTIONS: Final = ("higher is better", "lower is better", "none")
ALL: Final = "all"
MONTHS: Final = NumberType(1, 1200)
MAX_WORDS: Final = 20  # kinds of events of one feature
FEATURE_ID: Final = TextType(
    "the name of a feature",
    re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+"),
    hint="write a dimension, a dot and a word in lower case, such as rental.late_share",
)
MEASURE: Final = TextType("a measure", among=MEASURES)


@dataclass(frozen=True)
class WindowType:
    """The period of a feature: `365d`, `all`, `{months: 12}` or `{full_months: 12}`."""

    label: str = "a window"
    hint: str = "write 365d, all, {months: 12} or {full_months: 12}"

    def read(self, node: Node, report: Report) -> WindowLine | None:
        if isinstance(node, Scalar) and (node.text == ALL or (LENGTH.pattern and LENGTH.pattern.fullmatch(node.text))):
            return WindowLine(None if node.text == ALL else Word(node.text, node.at), None, None, node.at)
        if isinstance(node, Mapping) and [k.text for k, _ in node.entries] in (["months"], ["full_months"]):
            key, value = node.entries[0]
            number = MONTHS.read(value, report)
            if number is None:
                return None
            is_full = key.text == "full_months"
            return WindowLine(None, None if is_full else number, number if is_full else None, node.at)
        text = f"`{node.text[:60]}`" if isinstance(node, Scalar) and node.text else "this"
        report.add("R013", f"{text} is not a period before the day of the decision", node.at, self.hint)
        return None

    def form(self, node: Node) -> SchemaType:
        """The type of the form in which `node` is written."""
        return TableType(IDENT, MONTHS) if isinstance(node, Mapping) else TextType()

    def json_schema(self, schema: Schema) -> JsonSchema:
        months = MONTHS.json_schema(schema)
        keys = [
            {"type": "object", "properties": {k: months}, "required": [k], "additionalProperties": False}
            for k in ("months", "full_months")
        ]
        return {"anyOf": [{"const": ALL}, LENGTH.json_schema(schema), *keys]}


@dataclass(frozen=True)
class OneOrMoreType:
    """A word, or a list of words."""

    item: TextType
    label: str = "a word, or a list of words"

    def read(self, node: Node, report: Report) -> Any:
        value = self.form(node).read(node, report)
        return (value,) if isinstance(value, Word) else value

    def form(self, node: Node) -> SchemaType:
        """The type of the form in which `node` is written."""
        return self.item if isinstance(node, Scalar) else ListType(self.item, min_items=1, max_items=MAX_WORDS)

    def json_schema(self, schema: Schema) -> JsonSchema:
        words = ListType(self.item, min_items=1, max_items=MAX_WORDS)
        return {"anyOf": [self.item.json_schema(schema), words.json_schema(schema)]}


@dataclass(frozen=True)
class TextsType:
    """A text, or a text in each of several languages: pairs (language, text). The language of a single text is empty."""

    label: str = "a text, or a table of languages to texts"

    def read(self, node: Node, report: Report) -> Any:
        value = self.form(node).read(node, report)
        return ((Word("", SourceSpan(node.at.file)), value),) if isinstance(value, Word) else value

    def form(self, node: Node) -> SchemaType:
        """The type of the form in which `node` is written."""
        return TableType(LANGUAGE, TextType()) if isinstance(node, Mapping) else TextType()

    def json_schema(self, schema: Schema) -> JsonSchema:
        return {"anyOf": [TextType().json_schema(schema), TableType(LANGUAGE, TextType()).json_schema(schema)]}


FEATURE_RECORD: Final = RecordType(
    "a declared feature",
    FeatureLine,
    (
        Field("id", FEATURE_ID),
        Field("about", TextsType()),
        Field("of", OneOrMoreType(IDENT), absent=()),
        Field("as", ROLE, absent=None, to="role"),
        Field("where", CONDITION, absent=None),
        Field("among", CONDITION, absent=None),
        Field("window", WindowType(), absent=None),
        Field("measure", MEASURE, absent=None),
        Field("value", IDENT, absent=None),
        Field("less", OneOrMoreType(IDENT), absent=()),
        Field("within", LENGTH, absent=None),
        Field("steps", NumberType(1, 2), absent=None),
        Field("formula", CONDITION, absent=None),
        Field("divided_by", CONDITION, absent=None),
        Field("digits", NumberType(0, 6), absent=None),
        Field("rounding", TextType("a rounding", among=("half_up", "down")), absent=None),
        Field("missing", TextType("`none` or `zero`", among=("none", "zero")), absent=None),
        Field("low", QuantityType(), absent=None),
        Field("high", QuantityType(), absent=None),
        Field("currency", CURRENCY, absent=None),
        Field("unit", TextType(), absent=None),
        Field("direction", TextType("a direction", among=DIRECTIONS), absent=None),
        Field("effort", NumberType(1, 4), absent=None),
        Field("formerly", FEATURE_ID, absent=None),
        Field("internal", BoolType(), absent=False),
    ),
)
FEATURES: Final = RecordType(
    "a features file",
    FeaturesFile,
    (*DATE_FIELDS, Field("features", ListType(FEATURE_RECORD, max_items=500))),
)
