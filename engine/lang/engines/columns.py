"""Translate conditions to Narwhals expressions, for Polars, DuckDB and the other engines of Narwhals.

We use only operations on which all engines agree: integer sums and comparisons, Kleene's and/or/not, when/then,
is_null, and is_in for values that are not null. We use no division and no floats. All whole numbers have 64 bits,
because narrower ones wrap around in some engines and fail in others.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import add, and_, eq, ge, gt, le, lt, mul, ne, or_, sub
from typing import Any, Final, TypeVar

import narwhals as nw
from narwhals.dtypes import DType

from engine.errors import EngineError
from engine.lang.model.conditions import (
    AS_OF,
    And,
    Attr,
    AttrKnown,
    AttrsEqual,
    Cmp,
    Const,
    DayStart,
    Flag,
    InList,
    Int,
    Not,
    Num,
    Op,
    Or,
    Same,
    Truth,
)
from engine.lang.model.timezones import DAY, utc_offsets
from engine.lang.model.types import Type

ColumnType = type[nw.Int64] | type[nw.String] | type[nw.Boolean]
Frame = TypeVar("Frame", nw.DataFrame[Any], nw.LazyFrame[Any])
OPERATORS: Final[dict[str, Callable[[nw.Expr, nw.Expr], nw.Expr]]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "+": add,
    "-": sub,
    "*": mul,
}


def dtype(type_: Type) -> ColumnType:
    """The Narwhals dtype of a column of the type."""
    return nw.Int64 if type_.numeric else nw.String if type_.textual else nw.Boolean


def cast_columns(frame: Frame, types: Mapping[str, Type]) -> Frame:
    """Cast these columns to their types. Raises EngineError if a column is absent or has values of another kind."""
    columns = frame.collect_schema()
    for name, type_ in types.items():
        if name not in columns:
            raise EngineError(f"the frame has no column `{name}`", hint="build the features again")
        if not _holds(columns[name], type_):
            noun = "whole numbers" if type_.numeric else "words" if type_.textual else "true and false"
            hint = "scale decimals to integers" if type_.numeric else "build the features again"
            raise EngineError(f"the column `{name}` is not of {noun}", hint=hint)
    casts = [nw.col(n).cast(dtype(t)) for n, t in types.items() if columns[n] != dtype(t)]
    return frame.with_columns(*casts) if casts else frame


def collect_once(frame: Frame, step: Callable[[Any], Any]) -> Frame:
    """The result of a step of many expressions. Of an eager Polars frame we make one lazy plan, since Polars then computes
    all columns in one pass, twice as fast as column by column.
    """
    table: Any = frame  # mypy would check each kind of frame by itself
    is_eager = isinstance(table, nw.DataFrame) and table.implementation.is_polars()
    result: Frame = step(table.lazy()).collect() if is_eager else step(table)
    return result


def check_distinct(frame: Frame, names: Sequence[str]) -> None:
    """Raises EngineError if a column differs from one of these names only in case: in SQL, both are the same name."""
    own_names = set(names)
    for name in frame.collect_schema().names():
        if name not in own_names and name.lower() in own_names:
            raise EngineError(f"the columns `{name}` and `{name.lower()}` are one to SQL", hint="rename the first")


def _holds(column_dtype: DType, type_: Type) -> bool:
    """Whether a column of that dtype can have values of the type. A column of nulls alone can have an unknown dtype."""
    if column_dtype == nw.Unknown:
        return True
    if type_.textual:
        return column_dtype in (nw.String, nw.Categorical, nw.Enum)
    return column_dtype.is_integer() if type_.numeric else column_dtype == nw.Boolean


def truth(node: Truth, day: int) -> nw.Expr:
    """Translate a condition to a nullable boolean; null is UNKNOWN. `day` is the day of `as_of`, equal for all rows."""
    match node:
        case Const(value):
            return nw.lit(value, nw.Boolean)
        case AttrKnown(name):
            return nw.lit(True) if name == AS_OF else ~nw.col(name).is_null()
        case Flag(name):
            return nw.col(name)
        case Same(name, value):
            return nw.col(name) == value
        case AttrsEqual(left, right):
            return nw.col(left) == nw.col(right)
        case InList(name):
            column = number(Attr(name), day)
            return nw.when(~column.is_null()).then(column.is_in(sorted(node.on(day))))
        case Cmp(op, left, right):
            return OPERATORS[op](number(left, day), number(right, day))
        case And(parts):
            return reduce_balanced(and_, [truth(p, day) for p in parts])
        case Or(parts):
            return reduce_balanced(or_, [truth(p, day) for p in parts])
        case Not(part):
            return ~truth(part, day)


def number(node: Num, day: int) -> nw.Expr:
    """Translate a number to a nullable 64-bit integer. The checker has proved that it cannot overflow."""
    match node:
        case Int(value):
            return integer(value)
        case Attr(name):
            return integer(day) if name == AS_OF else nw.col(name)
        case DayStart(of, timezone):
            days = number(of, day)
            return days * integer(DAY) - _utc_offset(days, utc_offsets(timezone))
        case Op(op, left, right):
            return OPERATORS[op](number(left, day), number(right, day))


def _utc_offset(day: nw.Expr, table: Sequence[tuple[int, int]]) -> nw.Expr:
    """The offset of the day, by bisection of the table. A chain of hundreds of cases would be too deep for the engines."""
    if len(table) == 1:
        return integer(table[0][1])
    half = len(table) // 2
    return nw.when(day < table[half][0]).then(_utc_offset(day, table[:half])).otherwise(_utc_offset(day, table[half:]))


def reduce_balanced(combine: Callable[[nw.Expr, nw.Expr], nw.Expr], parts: Sequence[nw.Expr]) -> nw.Expr:
    """Combine the parts in a balanced tree. A chain of hundreds would be too deep for the engines."""
    half = len(parts) // 2
    return combine(reduce_balanced(combine, parts[:half]), reduce_balanced(combine, parts[half:])) if half else parts[0]


def integer(value: int) -> nw.Expr:
    """A constant as a 64-bit integer."""
    return nw.lit(value, nw.Int64)


def first_match(pairs: Sequence[tuple[nw.Expr, nw.Expr]], otherwise: nw.Expr) -> nw.Expr:
    """The value of the first condition that is true, as nested when/then."""
    result = otherwise
    for condition, value in reversed(pairs):
        result = nw.when(condition).then(value).otherwise(result)
    return result


def words_of_numbers(frame: Frame, number: nw.Expr, words: Mapping[int, str]) -> nw.Expr:
    """The word of each number, null for null. Only Polars can look up a number in the frame's plan; the others compare it in turn."""
    if frame.implementation.is_polars():
        return number.replace_strict(list(words), list(words.values()), default=None, return_dtype=nw.String)
    return first_match([(number == n, nw.lit(word)) for n, word in words.items()], nw.lit(None, nw.String))
