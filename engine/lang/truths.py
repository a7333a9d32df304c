"""Truths: what conditions mean, in a calculus small enough to have several engines agree on.

A truth is true, false or UNKNOWN (Kleene). Numbers are integers: the checker has scaled every decimal, so there is
nothing to round. An attribute that has no value makes UNKNOWN whatever compares it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from engine.lang.syntax import Comparison
from engine.lang.types import Value

AS_OF: Final = "as_of"  # the day from which everything is looked at, as a date


@dataclass(frozen=True)
class Int:
    """A constant, and how it was written, which is no part of what it means."""

    value: int
    text: str = field(default="", compare=False)


@dataclass(frozen=True)
class Attr:
    """The value of a numeric attribute."""

    name: str


@dataclass(frozen=True)
class Op:
    """left op right; `scaling` when nobody wrote it: left is brought to the finer unit of what it meets."""

    op: Literal["+", "-", "*"]
    left: "Num"
    right: "Num"
    scaling: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class DayStart:
    """The first moment of a day on the clocks of a time zone, in seconds since 1970-01-01 UTC."""

    day: "Num"
    timezone: str


Num = Int | Attr | Op | DayStart


@dataclass(frozen=True)
class Const:
    """Always so; None: never known."""

    value: bool | None


@dataclass(frozen=True)
class Flag:
    """A bool attribute."""

    name: str


@dataclass(frozen=True)
class Same:
    """A word, an enum or a string, is this one."""

    name: str
    value: str


@dataclass(frozen=True)
class Alike:
    """Two attributes that are not numbers have the same value."""

    left: str
    right: str


@dataclass(frozen=True)
class InList:
    """The attribute's value is one of the entries that hold on the day `as_of`: pairs of a value and the day, if any,
    from which it holds no more.
    """

    name: str
    entries: tuple[tuple[Value, int | None], ...]

    def on(self, as_of: Value | None) -> frozenset[Value]:
        """The values that hold on that day (days since 1970-01-01); on no day, those that never end."""
        return frozenset(v for v, until in self.entries if until is None or (as_of is not None and int(as_of) < until))


@dataclass(frozen=True)
class Cmp:
    """left op right, of numbers."""

    op: Comparison
    left: Num
    right: Num


@dataclass(frozen=True)
class Known:
    """The attribute has a value: never UNKNOWN itself."""

    name: str


@dataclass(frozen=True)
class And:
    """Every part (Kleene)."""

    parts: tuple["Truth", ...]


@dataclass(frozen=True)
class Or:
    """Some part (Kleene)."""

    parts: tuple["Truth", ...]


@dataclass(frozen=True)
class Not:
    """Not the part (Kleene)."""

    part: "Truth"


Truth = Const | Flag | Same | Alike | InList | Cmp | Known | And | Or | Not


def names(node: Truth | Num) -> Iterator[str]:
    """The attributes that a condition reads, as they come; one may come twice."""
    match node:
        case Attr(name) | Flag(name) | Same(name) | InList(name) | Known(name):
            yield name
        case Alike(left, right):
            yield from (left, right)
        case Op(_, left, right) | Cmp(_, left, right):
            yield from names(left)
            yield from names(right)
        case DayStart(day):
            yield from names(day)
        case And(parts) | Or(parts):
            for part in parts:
                yield from names(part)
        case Not(part):
            yield from names(part)


def known_of(node: Truth) -> Iterator[str]:
    """The attributes that a condition asks whether they are known."""
    match node:
        case Known(name):
            yield name
        case And(parts) | Or(parts):
            for part in parts:
                yield from known_of(part)
        case Not(part):
            yield from known_of(part)


def withheld(node: Truth, gone: frozenset[str]) -> Truth:
    """What the condition is when the attributes `gone` have no value."""
    match node:
        case Known(name):
            return Const(False) if name in gone else node
        case And(parts):
            return And(tuple(withheld(p, gone) for p in parts))
        case Or(parts):
            return Or(tuple(withheld(p, gone) for p in parts))
        case Not(part):
            return Not(withheld(part, gone))
        case _:
            return Const(None) if gone & set(names(node)) else node


Values = Mapping[str, Value | None]
Statuses = Mapping[str, bool | None]
Stage = Mapping[str, Truth]  # the conditions that are asked of one set of values, by id
