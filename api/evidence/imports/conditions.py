"""The condition of an event, in the rule language -> a column expression over a source's columns. Pure.

A comparison with an empty cell is unknown, as in rules, and a row makes the event only where the condition certainly holds. The
constant says how a cell is read: as a number, an amount of money, a day, a moment, `true` or `false`, or a text. A cell in another
currency than the constant's is unknown. The language's arithmetic is not
needed here, and refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import polars as pl

from api.evidence.imports.cells import Cell, Check, is_text, is_time
from api.evidence.imports.number_cells import exact_number, text_of
from api.evidence.imports.time_cells import TimeForm, date_of, time_of
from engine.lang.model.currencies import money_flaw
from engine.lang.model.problems import Report
from engine.lang.syntax.expression_tree import (
    Arithmetic,
    Compare,
    Constant,
    Expr,
    IsKnown,
    Join,
    Member,
    Name,
    Negate,
)

Resolver = Callable[[str, Any], Cell | None]  # the cell of a name at a place; None, with the reason in the report
_OPERATORS: Final[Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "==": pl.Expr.eq,
    "!=": pl.Expr.ne,
    "<": pl.Expr.lt,
    "<=": pl.Expr.le,
    ">": pl.Expr.gt,
    ">=": pl.Expr.ge,
}
_SWAPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ORDERED: Final = ("number", "money", "date", "timestamp")
_AMOUNT: Final = r"^\s*(-?\d+(?:\.\d+)?) ([A-Z]{3})\s*$"


@dataclass(frozen=True)
class RowCondition:
    """Whether a row makes the event (null: unknown), and the misfits of its cells, which count where that is unknown."""

    holds: pl.Expr
    checks: tuple[Check, ...] = ()


@dataclass
class _Compiler:
    resolve: Resolver
    report: Report
    checks: list[Check] = field(default_factory=list)

    def expression(self, expr: Expr) -> pl.Expr:
        match expr:
            case Join(parts=()):  # it could not be read
                return pl.lit(True)
            case Join():
                parts = [self.expression(part) for part in expr.parts]
                return pl.all_horizontal(parts) if expr.op == "and" else pl.any_horizontal(parts)
            case Negate():
                return ~self.expression(expr.part)
            case IsKnown():
                cell = self.resolve(expr.name.name, expr.name.at)
                is_known = pl.lit(True) if cell is None else cell.value.is_not_null()
                return ~is_known if expr.negated else is_known
            case Compare():
                return self.comparison(expr)
            case Member():
                return self.membership(expr)
            case _:
                self.refuse(expr, "this is no condition", "compare a column, as in `status == 'paid'`")
                return pl.lit(None, pl.Boolean)

    def comparison(self, expr: Compare) -> pl.Expr:
        left, right, op = expr.left, expr.right, expr.op
        if isinstance(left, Constant) and isinstance(right, Name):
            left, right = right, left
            op = _SWAPPED.get(op, op)  # type: ignore[assignment]
        if isinstance(left, Name) and isinstance(right, Constant):
            if right.kind not in _ORDERED and op not in ("==", "!="):
                self.refuse(right, f"`{right.text}` has no order", "compare it by == or !=")
            return self.compared(left, right, _OPERATORS[op])
        if isinstance(left, Name) and isinstance(right, Name) and op in ("==", "!="):
            cells = [self.resolve(name.name, name.at) for name in (left, right)]
            texts = [pl.lit(None, pl.String) if cell is None else text_of(cell).value for cell in cells]
            return _OPERATORS[op](texts[0], texts[1])
        hint = "compare a column with a number, a day or a word in quotes; two columns by == or !="
        self.refuse(expr, "an import compares no such things", hint)
        return pl.lit(None, pl.Boolean)

    def membership(self, expr: Member) -> pl.Expr:
        if not isinstance(expr.item, Name) or isinstance(expr.among, Name):
            self.refuse(expr, "an import has no lists", "write a column and its values: `status in ['paid', 'late']`")
            return pl.lit(None, pl.Boolean)
        item = expr.item
        member = pl.any_horizontal([self.compared(item, each, pl.Expr.eq) for each in expr.among])
        return ~member if expr.negated else member

    def compared(self, name: Name, constant: Constant, operator: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> pl.Expr:
        cell = self.resolve(name.name, name.at)
        if cell is None:
            return pl.lit(None, pl.Boolean)
        side = self.operand(cell, constant)
        return pl.lit(None, pl.Boolean) if side is None else operator(*side)

    def operand(self, cell: Cell, constant: Constant) -> tuple[pl.Expr, pl.Expr] | None:
        """The cell and the constant as values of one type."""
        if constant.kind == "number" and not is_time(cell.dtype):
            return self.number(cell), pl.lit(Decimal(constant.text))
        if constant.kind == "money" and is_text(cell.dtype):
            return self.amount(cell, constant)
        if constant.kind in ("word", "bool") and not is_time(cell.dtype) and not cell.dtype.is_float():
            return text_of(cell).value, pl.lit(constant.text)
        if constant.kind == "date" and (is_text(cell.dtype) or is_time(cell.dtype)):
            conversion, value = date_of(cell, TimeForm()), pl.lit(date.fromisoformat(constant.text))
        elif constant.kind == "timestamp" and (is_text(cell.dtype) or is_time(cell.dtype)):
            conversion, value = time_of(cell, TimeForm()), pl.lit(datetime.fromisoformat(constant.text))
        else:
            noun = f"{cell.place} and `{constant.text}` cannot be compared"
            self.refuse(constant, noun, "compare a number with a number, a word with a word")
            return None
        self.checks += conversion.checks(conversion.value)
        return conversion.value, value

    def amount(self, cell: Cell, constant: Constant) -> tuple[pl.Expr, pl.Expr] | None:
        """The number of a cell such as `12.50 EUR`, if it is in the constant's currency."""
        if flaw := money_flaw(constant.text):
            self.refuse(constant, *flaw)
            return None
        number, currency = constant.text.split(" ")
        text = cell.value.cast(pl.String)
        value = text.str.extract(_AMOUNT, 1).cast(pl.Decimal(38, 6), strict=False)
        self.checks.append(cell.check(value.is_null(), "is no amount such as 12.50 EUR"))
        return pl.when(text.str.extract(_AMOUNT, 2) == currency).then(value), pl.lit(Decimal(number))

    def number(self, cell: Cell) -> pl.Expr:
        value = exact_number(cell)
        if cell.dtype.is_float():
            value = pl.when(cell.value.is_finite()).then(cell.value)
        self.checks.append(cell.check(value.is_null(), "is not a number"))
        return value

    def refuse(self, expr: Expr | Arithmetic, message: str, hint: str) -> None:
        self.report.add("R103", message, expr.at, hint)


def compile_condition(expr: Expr, resolve: Resolver, report: Report) -> RowCondition:
    """The condition as a column expression; `report` gets each name and comparison that is wrong."""
    compiler = _Compiler(resolve, report)
    return RowCondition(compiler.expression(expr), tuple(compiler.checks))
