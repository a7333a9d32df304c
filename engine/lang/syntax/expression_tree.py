"""Define the syntax tree of expressions. We have not checked its names and types yet. Every node has its place."""

from dataclasses import dataclass
from typing import Literal

from engine.lang.model.conditions import Comparison
from engine.lang.model.problems import SourceSpan


@dataclass(frozen=True)
class Name:
    """A feature, a definition, or a field of the request."""

    name: str
    at: SourceSpan


@dataclass(frozen=True)
class Constant:
    """A constant as you wrote it; `kind` is the form of its text."""

    text: str
    kind: Literal["bool", "number", "money", "word", "date", "timestamp", "duration"]
    at: SourceSpan


@dataclass(frozen=True)
class Compare:
    """A comparison: left op right."""

    op: Comparison
    left: "Expr"
    right: "Expr"
    at: SourceSpan


@dataclass(frozen=True)
class Member:
    """`item in [constants]`, or `item in` a list by its name; with `negated`, `not in`."""

    item: "Expr"
    among: tuple[Constant, ...] | Name
    negated: bool
    at: SourceSpan


@dataclass(frozen=True)
class IsKnown:
    """`known(name)`; with `negated`, `missing(name)`."""

    name: Name
    negated: bool
    at: SourceSpan


@dataclass(frozen=True)
class Join:
    """Parts joined by `and` or by `or`."""

    op: Literal["and", "or"]
    parts: tuple["Expr", ...]
    at: SourceSpan


@dataclass(frozen=True)
class Negate:
    """`not part`."""

    part: "Expr"
    at: SourceSpan


@dataclass(frozen=True)
class Arithmetic:
    """left op right, exact."""

    op: Literal["+", "-", "*"]
    left: "Expr"
    right: "Expr"
    at: SourceSpan


Expr = Name | Constant | Compare | Member | IsKnown | Join | Negate | Arithmetic


@dataclass(frozen=True)
class Word:
    """An id or other word, with its place."""

    text: str
    at: SourceSpan


@dataclass(frozen=True)
class Number:
    """A number as you wrote it, with its place. `digits` are those after the point."""

    text: str
    at: SourceSpan

    @property
    def whole(self) -> int:
        """The number as an int. The parser has checked that it is whole."""
        return int(self.text)
