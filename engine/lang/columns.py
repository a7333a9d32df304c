"""Columns: conditions as Narwhals expressions, for Polars, DuckDB or whatever else Narwhals speaks.

Only what every engine agrees on is used: integer sums and comparisons, Kleene's and/or/not, when/then, is_null, is_in of
what is not null. There is no division and no float.
"""

from collections.abc import Callable, Sequence
from operator import add, and_, eq, ge, gt, le, lt, mul, ne, or_, sub
from typing import Final

import narwhals as nw

from engine.lang.truths import (
    AS_OF,
    Alike,
    And,
    Attr,
    Cmp,
    Const,
    Flag,
    InList,
    Int,
    Known,
    Not,
    Num,
    Op,
    Or,
    Same,
    Truth,
)

OPERATORS: Final[dict[str, Callable[[nw.Expr, nw.Expr], nw.Expr]]] = {
    **{"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge},
    **{"+": add, "-": sub, "*": mul},
}


def truth(node: Truth, day: int) -> nw.Expr:
    """A nullable boolean: null is UNKNOWN. `day` is that of `as_of`, the same for every row."""
    match node:
        case Const(value):
            return nw.lit(value, nw.Boolean)
        case Known(name):
            return nw.lit(True) if name == AS_OF else ~nw.col(name).is_null()
        case Flag(name):
            return nw.col(name)
        case Same(name, value):
            return nw.col(name) == value
        case Alike(left, right):
            return nw.col(left) == nw.col(right)
        case InList(name):
            found = number(Attr(name), day)
            return nw.when(~found.is_null()).then(found.is_in(sorted(node.on(day))))
        case Cmp(op, left, right):
            return OPERATORS[op](number(left, day), number(right, day))
        case And(parts):
            return joined(and_, [truth(p, day) for p in parts])
        case Or(parts):
            return joined(or_, [truth(p, day) for p in parts])
        case Not(part):
            return ~truth(part, day)


def number(node: Num, day: int) -> nw.Expr:
    """A nullable 64-bit integer; the checker has seen to it that it cannot overflow."""
    match node:
        case Int(value):
            return integer(value)
        case Attr(name):
            return integer(day) if name == AS_OF else nw.col(name)
        case Op(op, left, right):
            return OPERATORS[op](number(left, day), number(right, day))


def joined(act: Callable[[nw.Expr, nw.Expr], nw.Expr], parts: Sequence[nw.Expr]) -> nw.Expr:
    """Parts joined pair by pair: a chain of hundreds would be too deep for the engines."""
    half = len(parts) // 2
    return act(joined(act, parts[:half]), joined(act, parts[half:])) if half else parts[0]


def integer(value: int) -> nw.Expr:
    """A constant, as a 64-bit integer."""
    return nw.lit(value, nw.Int64)


def chosen(pairs: Sequence[tuple[nw.Expr, nw.Expr]], otherwise: nw.Expr) -> nw.Expr:
    """The value of the first condition that is true, in nested when/then."""
    found = otherwise
    for condition, value in reversed(pairs):
        found = nw.when(condition).then(value).otherwise(found)
    return found
