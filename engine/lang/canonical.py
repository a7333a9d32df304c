"""Canonical: what a rule file says, without how it is written.

A readable file as a tree whose keys stand in the order of their record, names and items in that of the file, and
expressions as their one text. It is what `fmt` writes, and what a release is named by; there a number has one text too.
"""

import re
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final, Literal

from engine.lang import expressions, source
from engine.lang.forms import KINDS
from engine.lang.printer import printed
from engine.lang.problems import Report, Span
from engine.lang.shapes import IDENT, Condition, Day, Many, Numeral, Quantity, Raw, Record, Shape, Table, Text, YesNo
from engine.lang.source import Mapping, Node, Scalar, Sequence
from engine.lang.syntax import Constant, Expr

JSON = str | list["JSON"] | dict[str, "JSON"]
ANY = Raw()
NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?([dhms]?)")


@dataclass(frozen=True)
class Leaf:
    """A scalar. A `sign` is a number, true or false; what is `raw` may be anything; `expr` is that of an expression."""

    node: Scalar
    text: str
    kind: Literal["text", "sign", "expression", "raw"]
    expr: Expr | None = None


@dataclass(frozen=True)
class Entry:
    """A value, and its key in a mapping."""

    key: Scalar | None
    value: "Tree"


@dataclass(frozen=True)
class Branch:
    """A mapping or list. A `record` has keys that the language knows, any other mapping the names of the file."""

    node: Mapping | Sequence
    entries: tuple[Entry, ...]
    record: bool = False


Tree = Leaf | Branch


def canonical(text: str) -> JSON:
    """What a file that checks says, as plain values: the same for every layout of it, and for nothing else."""
    return said(source.read("", text, Report()))


def said(root: Node | None, *, as_written: bool = False) -> JSON:
    """The same of its tree, or with its numbers as they are written."""
    assert isinstance(root, Mapping)  # noqa: S101 - a file that checks is a mapping
    return plain(arranged(root), as_written=as_written)


def arranged(root: Mapping) -> Branch:
    """The tree of a file that reads without a problem, with `kind` first."""
    kind = next((k, v) for k, v in root.entries if k.text == "kind")
    assert isinstance(kind[1], Scalar)  # noqa: S101 - it read without a problem
    rest = Mapping(tuple(e for e in root.entries if e[0].text != "kind"), root.at)
    entries = _entries(KINDS[kind[1].text], rest)
    return Branch(root, (Entry(kind[0], _leaf(IDENT, kind[1])), *entries), record=True)


def plain(tree: Tree, *, as_written: bool = False) -> JSON:
    """The tree as plain values."""
    if isinstance(tree, Leaf):
        return tree.text if as_written else _plain_text(tree)
    if isinstance(tree.node, Sequence):
        return [plain(e.value, as_written=as_written) for e in tree.entries]
    return {e.key.text: plain(e.value, as_written=as_written) for e in tree.entries if e.key}


def number(text: str) -> str:
    """The one text of a number or duration, however it is written: `1` for `1.0`, `0` for `-0`. Any other text stays."""
    found = NUMBER.fullmatch(text)
    if found is None:
        return text
    sign, whole, rest, unit = found.groups(default="")
    whole, rest = whole.lstrip("0") or "0", rest.rstrip("0")
    return f"{sign if whole != '0' or rest else ''}{whole}{'.' if rest else ''}{rest}{unit}"


def _plain_text(leaf: Leaf) -> str:
    if leaf.kind == "sign":
        return number(leaf.text)
    return printed(_with_plain_numbers(leaf.expr)) if leaf.expr else leaf.text


def _with_plain_numbers(part: Any) -> Any:
    """The expression, or a part of it, with the one text of each number."""
    if isinstance(part, tuple):
        return tuple(map(_with_plain_numbers, part))
    if isinstance(part, Constant):
        return replace(part, text=number(part.text)) if part.kind in ("number", "duration") else part
    if is_dataclass(part) and not isinstance(part, type | Span):
        return replace(part, **{f.name: _with_plain_numbers(getattr(part, f.name)) for f in fields(part)})
    return part


def _tree(shape: Shape, node: Node) -> Tree:
    if isinstance(node, Scalar):
        return _leaf(shape, node)
    return Branch(node, tuple(_entries(shape, node)), record=isinstance(shape, Record))


def _leaf(shape: Shape, node: Scalar) -> Leaf:
    match shape:
        case Condition():
            expr = expressions.parse(node, Report())
            return Leaf(node, printed(expr) if expr else node.text, "expression", expr)
        case Numeral() | Quantity() | Day() | YesNo():
            return Leaf(node, node.text, "sign")
        case Text():
            return Leaf(node, node.text, "text")
    return Leaf(node, node.text, "raw")


def _entries(shape: Shape, node: Mapping | Sequence) -> list[Entry]:
    if isinstance(node, Sequence):
        item = shape.item if isinstance(shape, Many) else ANY
        return [Entry(None, _tree(item, n)) for n in node.items]
    if isinstance(shape, Record):
        known = {f.name: (place, f.shape) for place, f in enumerate(shape.fields)}
        ordered = sorted(node.entries, key=lambda e: known[e[0].text][0])
        return [Entry(k, _tree(known[k.text][1], v)) for k, v in ordered]
    value = shape.value if isinstance(shape, Table) else ANY
    return [Entry(k, _tree(value, v)) for k, v in node.entries]
