"""Syntax: what expressions say, before anyone asks whether it makes sense: a tree with a place at every node."""

from dataclasses import dataclass
from typing import Literal

from engine.lang.problems import Span

Comparison = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True)
class Name:
    """A feature, a definition, or a field of the request."""

    name: str
    at: Span


@dataclass(frozen=True)
class Constant:
    """A constant as written; `kind` says how it was written."""

    text: str
    kind: Literal["bool", "number", "word", "date", "timestamp", "duration"]
    at: Span


@dataclass(frozen=True)
class Compare:
    """left op right."""

    op: Comparison
    left: "Expr"
    right: "Expr"
    at: Span


@dataclass(frozen=True)
class Member:
    """item in [constants], or in a list by its name; or not in."""

    item: "Expr"
    among: tuple[Constant, ...] | Name
    negated: bool
    at: Span


@dataclass(frozen=True)
class IsKnown:
    """known(name), or missing(name)."""

    name: Name
    negated: bool
    at: Span


@dataclass(frozen=True)
class Join:
    """parts joined by `and` or by `or`."""

    op: Literal["and", "or"]
    parts: tuple["Expr", ...]
    at: Span


@dataclass(frozen=True)
class Negate:
    """Not part."""

    part: "Expr"
    at: Span


@dataclass(frozen=True)
class Arithmetic:
    """left op right, exact."""

    op: Literal["+", "-", "*"]
    left: "Expr"
    right: "Expr"
    at: Span


Expr = Name | Constant | Compare | Member | IsKnown | Join | Negate | Arithmetic


@dataclass(frozen=True)
class Word:
    """An id or other word, and where it stands."""

    text: str
    at: Span


@dataclass(frozen=True)
class Number:
    """A number as written, and where it stands. `digits` are those after the point."""

    text: str
    at: Span

    @property
    def whole(self) -> int:
        """The number, where the parser has seen to it that it is whole."""
        return int(self.text)
