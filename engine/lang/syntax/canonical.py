"""Build the canonical tree of a rule file: its content without its layout.

Keys are in the order of their record. Names and items keep the order of the file. Each expression has its one canonical
text. `fmt` writes this tree, and we hash it for the name of a release. In the hash, a number also has one text.
"""

import re
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final, Literal

from engine.lang.model.problems import Report, SourceSpan
from engine.lang.syntax import expressions, source
from engine.lang.syntax.expression_tree import Constant, Expr
from engine.lang.syntax.feature_grammar import OneOrMoreType, TextsType, WindowType
from engine.lang.syntax.grammar import KINDS
from engine.lang.syntax.money_types import AmountType, RateType
from engine.lang.syntax.printer import print_expression
from engine.lang.syntax.schema_types import (
    IDENT,
    AnyType,
    BoolType,
    ConditionType,
    DateType,
    ListType,
    NumberType,
    QuantityType,
    RecordType,
    SchemaType,
    TableType,
    TextType,
)
from engine.lang.syntax.source import Mapping, Node, Scalar, Sequence

JSON = str | list["JSON"] | dict[str, "JSON"]
ANY = AnyType()
NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?([dhms]?|\x20[A-Z]{3})")


@dataclass(frozen=True)
class Leaf:
    """A scalar.

    A `sign` is a number, a boolean or a date; a `raw` scalar can be anything; `expr` is the parsed expression.
    """

    node: Scalar
    text: str
    kind: Literal["text", "sign", "expression", "raw"]
    expr: Expr | None = None


@dataclass(frozen=True)
class TreeEntry:
    """A value, with its key if it is in a mapping."""

    key: Scalar | None
    value: "Tree"


@dataclass(frozen=True)
class Branch:
    """A mapping or list. A `record` has keys of the language; any other mapping has names of the file."""

    node: Mapping | Sequence
    entries: tuple[TreeEntry, ...]
    record: bool = False


Tree = Leaf | Branch


def canonical(text: str) -> JSON:
    """The content of a file without problems, as plain values.

    Two files have the same content if only their layout differs.
    """
    return canonical_tree(source.read("", text, Report()))


def canonical_tree(root: Node | None, *, as_written: bool = False) -> JSON:
    """The content of a file's tree; with `as_written`, numbers keep their spelling."""
    assert isinstance(root, Mapping)  # noqa: S101 - a file without problems is a mapping
    return plain_value(arrange(root), as_written=as_written)


def arrange(root: Mapping) -> Branch:
    """Arrange the tree of a file without problems, with `kind` first."""
    kind = next((k, v) for k, v in root.entries if k.text == "kind")
    assert isinstance(kind[1], Scalar)  # noqa: S101 - the file has no problems
    rest = Mapping(tuple(e for e in root.entries if e[0].text != "kind"), root.at)
    entries = _entries(KINDS[kind[1].text], rest)
    return Branch(root, (TreeEntry(kind[0], _leaf(IDENT, kind[1])), *entries), record=True)


def plain_value(tree: Tree, *, as_written: bool = False) -> JSON:
    """The tree as plain values."""
    if isinstance(tree, Leaf):
        return tree.text if as_written else _plain_text(tree)
    if isinstance(tree.node, Sequence):
        return [plain_value(e.value, as_written=as_written) for e in tree.entries]
    return {e.key.text: plain_value(e.value, as_written=as_written) for e in tree.entries if e.key}


def normalize_number(text: str) -> str:
    """The one text of a number, duration or amount: `1` for `1.0`, `0` for `-0`. We return any other text unchanged."""
    match = NUMBER.fullmatch(text)
    if match is None:
        return text
    sign, whole, rest, unit = match.groups(default="")
    whole, rest = whole.lstrip("0") or "0", rest.rstrip("0")
    return f"{sign if whole != '0' or rest else ''}{whole}{'.' if rest else ''}{rest}{unit}"


def _plain_text(leaf: Leaf) -> str:
    if leaf.kind == "sign":
        return normalize_number(leaf.text)
    return print_expression(_with_plain_numbers(leaf.expr)) if leaf.expr else leaf.text


def _with_plain_numbers(part: Any) -> Any:
    """The expression, or a part of it, with normalized numbers."""
    if isinstance(part, tuple):
        return tuple(map(_with_plain_numbers, part))
    if isinstance(part, Constant):
        return replace(part, text=normalize_number(part.text)) if part.kind in ("number", "duration", "money") else part
    if is_dataclass(part) and not isinstance(part, type | SourceSpan):
        return replace(part, **{f.name: _with_plain_numbers(getattr(part, f.name)) for f in fields(part)})
    return part


def _tree(shape: SchemaType, node: Node) -> Tree:
    if isinstance(shape, WindowType | OneOrMoreType | TextsType):
        shape = shape.form(node)
    if isinstance(node, Scalar):
        return _leaf(shape, node)
    return Branch(node, tuple(_entries(shape, node)), record=isinstance(shape, RecordType))


def _leaf(shape: SchemaType, node: Scalar) -> Leaf:
    match shape:
        case ConditionType():
            expr = expressions.parse(node, Report())
            return Leaf(node, print_expression(expr) if expr else node.text, "expression", expr)
        case NumberType() | AmountType() | RateType() | QuantityType() | DateType() | BoolType():
            return Leaf(node, node.text, "sign")
        case TextType():
            return Leaf(node, node.text, "text")
    return Leaf(node, node.text, "raw")


def _entries(shape: SchemaType, node: Mapping | Sequence) -> list[TreeEntry]:
    if isinstance(node, Sequence):
        item = shape.item if isinstance(shape, ListType) else ANY
        return [TreeEntry(None, _tree(item, n)) for n in node.items]
    if isinstance(shape, RecordType):
        fields_by_name = {f.name: (place, f.shape) for place, f in enumerate(shape.fields)}
        ordered = sorted(node.entries, key=lambda e: fields_by_name[e[0].text][0])
        return [TreeEntry(k, _tree(fields_by_name[k.text][1], v)) for k, v in ordered]
    value = shape.value if isinstance(shape, TableType) else ANY
    return [TreeEntry(k, _tree(value, v)) for k, v in node.entries]
