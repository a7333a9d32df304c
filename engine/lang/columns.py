"""Columns: conditions as Narwhals expressions, for Polars, DuckDB or whatever else Narwhals speaks.

Only what every engine agrees on is used: integer sums and comparisons, Kleene's and/or/not, when/then, is_null, is_in of
what is not null. There is no division and no float. Whole numbers are of 64 bits: narrower ones wrap round in some
engines and fail in others.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import add, and_, eq, ge, gt, le, lt, mul, ne, or_, sub
from typing import Any, Final, TypeVar

import narwhals as nw

from engine.errors import EngineError
from engine.lang.timezones import DAY, ahead
from engine.lang.truths import (
    AS_OF,
    Alike,
    And,
    Attr,
    Cmp,
    Const,
    DayStart,
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
from engine.lang.types import Type

Frame = TypeVar("Frame", nw.DataFrame[Any], nw.LazyFrame[Any])
OPERATORS: Final[dict[str, Callable[[nw.Expr, nw.Expr], nw.Expr]]] = {
    **{"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge},
    **{"+": add, "-": sub, "*": mul},
}


def dtype(type_: Type) -> Any:
    """How a column holds values of the type."""
    return nw.Int64 if type_.numeric else nw.String if type_.worded else nw.Boolean


def typed(frame: Frame, wanted: Mapping[str, Type]) -> Frame:
    """The frame with each of these columns held as its type says. Raises EngineError for one that is not there, or whose
    values are of another sort.
    """
    found = frame.collect_schema()
    for name, type_ in wanted.items():
        if name not in found:
            raise EngineError(f"the frame has no column `{name}`", hint="build the features again")
        if not _holds(found[name], type_):
            what = "whole numbers" if type_.numeric else "words" if type_.worded else "true and false"
            hint = "scale decimals to integers" if type_.numeric else "build the features again"
            raise EngineError(f"the column `{name}` is not of {what}", hint=hint)
    casts = [nw.col(n).cast(dtype(t)) for n, t in wanted.items() if found[n] != dtype(t)]
    return frame.with_columns(*casts) if casts else frame


def distinct(frame: Frame, names: Sequence[str]) -> None:
    """Raises EngineError when a column is one of these names in other letters: SQL takes the two for one."""
    ours = set(names)
    for name in frame.collect_schema().names():
        if name not in ours and name.lower() in ours:
            raise EngineError(f"the columns `{name}` and `{name.lower()}` are one to SQL", hint="rename the first")


def _holds(found: Any, type_: Type) -> bool:
    """Whether a column of that dtype can hold the values; one of nulls alone may be of no dtype."""
    if found == nw.Unknown:
        return True
    if type_.worded:
        return found in (nw.String, nw.Categorical, nw.Enum)
    return bool(found.is_integer()) if type_.numeric else bool(found == nw.Boolean)


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
        case DayStart(of, timezone):
            found = number(of, day)
            return found * integer(DAY) - _ahead(found, ahead(timezone))
        case Op(op, left, right):
            return OPERATORS[op](number(left, day), number(right, day))


def _ahead(day: nw.Expr, table: Sequence[tuple[int, int]]) -> nw.Expr:
    """The second of the pair in whose days the day is; halves of halves: a chain of hundreds would be too deep."""
    if len(table) == 1:
        return integer(table[0][1])
    half = len(table) // 2
    return nw.when(day < table[half][0]).then(_ahead(day, table[:half])).otherwise(_ahead(day, table[half:]))


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
