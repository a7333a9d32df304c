"""Define conditions in a form small enough for several engines to agree on.

A condition is true, false or UNKNOWN, in Kleene's three-valued logic. Numbers are integers: the checker has scaled
every decimal, so we never round. A comparison with an attribute that has no value is UNKNOWN.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from engine.lang.model.types import Value

Comparison = Literal["==", "!=", "<", "<=", ">", ">="]

AS_OF: Final = "as_of"  # the day of the decision, as a date


@dataclass(frozen=True)
class Int:
    """A constant. `text` is its spelling in the rule file, which does not change its meaning."""

    value: int
    text: str = field(default="", compare=False)


@dataclass(frozen=True)
class Attr:
    """The value of a numeric attribute."""

    name: str


@dataclass(frozen=True)
class Op:
    """left op right. With `scaling`, we inserted it to convert left to a finer unit; it is not in the rule file."""

    op: Literal["+", "-", "*"]
    left: "Num"
    right: "Num"
    scaling: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class DayStart:
    """The first moment of a day in a time zone, in seconds since 1970-01-01 UTC."""

    day: "Num"
    timezone: str


Num = Int | Attr | Op | DayStart


@dataclass(frozen=True)
class Const:
    """A condition with a fixed result; None is UNKNOWN.

    `text` is the comparison that the rule file has in its place, and `cause` the name of the thing that makes it unknown.
    """

    value: bool | None
    text: str = field(default="", compare=False)
    cause: str = field(default="", compare=False)


@dataclass(frozen=True)
class Flag:
    """A bool attribute, as a condition."""

    name: str


@dataclass(frozen=True)
class Same:
    """An attribute, an enum or a string, equals this word."""

    name: str
    value: str


@dataclass(frozen=True)
class AttrsEqual:
    """Two attributes that are not numbers have the same value."""

    left: str
    right: str


@dataclass(frozen=True)
class InList:
    """The attribute's value is one of the entries that are valid on the day `as_of`.

    An entry is a value and the day from which it is no longer valid; None if it never ends.
    """

    name: str
    entries: tuple[tuple[Value, int | None], ...]

    def on(self, as_of: Value | None) -> frozenset[Value]:
        """The values that are valid on a day (days since 1970-01-01). Without a day, only the values that never end."""
        return frozenset(v for v, until in self.entries if until is None or (as_of is not None and int(as_of) < until))


@dataclass(frozen=True)
class Cmp:
    """A comparison of two numbers."""

    op: Comparison
    left: Num
    right: Num


@dataclass(frozen=True)
class AttrKnown:
    """The attribute has a value. The result is never UNKNOWN."""

    name: str


@dataclass(frozen=True)
class And:
    """All parts hold (Kleene)."""

    parts: tuple["Truth", ...]


@dataclass(frozen=True)
class Or:
    """At least one part holds (Kleene)."""

    parts: tuple["Truth", ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold (Kleene)."""

    part: "Truth"


Truth = Const | Flag | Same | AttrsEqual | InList | Cmp | AttrKnown | And | Or | Not


def names(node: Truth | Num) -> Iterator[str]:
    """Yield the attributes that a condition reads, in order; one can occur several times."""
    match node:
        case Attr(name) | Flag(name) | Same(name) | InList(name) | AttrKnown(name):
            yield name
        case AttrsEqual(left, right):
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


def leaves(node: Truth) -> Iterator[Truth]:
    """Yield the parts of a condition that are neither `and`, `or` nor `not`, in order."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield node


def known_tests(node: Truth) -> Iterator[str]:
    """Yield the attributes for which a condition tests whether they have a value."""
    return (leaf.name for leaf in leaves(node) if isinstance(leaf, AttrKnown))


def without_attributes(node: Truth, absent: frozenset[str]) -> Truth:
    """The condition as it is if the attributes in `absent` have no value."""
    match node:
        case AttrKnown(name):
            return Const(False) if name in absent else node
        case And(parts):
            return And(tuple(without_attributes(p, absent) for p in parts))
        case Or(parts):
            return Or(tuple(without_attributes(p, absent) for p in parts))
        case Not(part):
            return Not(without_attributes(part, absent))
        case _:
            return Const(None) if absent & set(names(node)) else node


def with_names(node: Any, new_names: Mapping[str, str]) -> Any:
    """The condition or number with other names for some of its attributes."""
    match node:
        case Attr(name) | Flag(name) | Same(name) | InList(name) | AttrKnown(name):
            return replace(node, name=new_names.get(name, name))
        case AttrsEqual(left, right):
            return AttrsEqual(new_names.get(left, left), new_names.get(right, right))
        case Op(_, left, right) | Cmp(_, left, right):
            return replace(node, left=with_names(left, new_names), right=with_names(right, new_names))
        case DayStart(day):
            return replace(node, day=with_names(day, new_names))
        case And(parts) | Or(parts):
            return replace(node, parts=tuple(with_names(part, new_names) for part in parts))
        case Not(part):
            return Not(with_names(part, new_names))
    return node


Values = Mapping[str, Value | None]
Statuses = Mapping[str, bool | None]
Stage = Mapping[str, Truth]  # the conditions that we evaluate on one set of values, by id
