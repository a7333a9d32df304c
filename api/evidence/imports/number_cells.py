"""Cells of a source -> whole numbers, amounts and ids, as column expressions. Pure.

A number is exact, or a map says how to round it.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from operator import mul
from typing import Final

import polars as pl

from api.evidence.imports.cells import Cell, Check, Conversion, is_text
from graph.evidence.currencies import CURRENCY_DIGITS

DIGIT_SCALES: Final = {code: 10**digits for code, digits in CURRENCY_DIGITS.items()}
ROUNDINGS: Final = ("half_up", "down")
_DIGITS: Final = 12  # after the point
_EXACT: Final = pl.Decimal(38, _DIGITS)
_HALF: Final = Decimal("0.5")
_LEAST: Final = Decimal(1).scaleb(-_DIGITS)
_FURTHER_DIGITS: Final = rf"(\.[0-9]{{{_DIGITS}}})([0-9]+)\s*$"
_FACTOR_DIGITS: Final = _DIGITS // 2  # a product of two such numbers is exact
_MAX_NUMBER: Final = 10**16  # times the largest scale still fits `_EXACT`
_MAX_FLOAT: Final = 2**53  # beyond it a float is no exact integer
_FLOAT_LOSS: Final = 1e-12  # relative: some thousand times what one rounding of a float loses
_CURRENCY_HINT: Final = "`, which is not a currency of ISO 4217: use a code such as CNY"


@dataclass(frozen=True)
class NumberForm:
    """How a number becomes a whole one: times `scale`, times the cell of `factor`, with its sign turned, rounded."""

    scale: Fraction | None = None
    factor: Cell | None = None
    is_negated: bool = False
    rounding: str | None = None

    @property
    def sign(self) -> int:
        """-1 if the sign is turned, else 1."""
        return -1 if self.is_negated else 1


_AS_IT_IS: Final = NumberForm()


def text_of(cell: Cell) -> Conversion:
    """The cell as a text: an id. A number must be whole."""
    if cell.dtype.is_float() or cell.dtype.is_decimal():
        number = integer_of(cell)
        return Conversion(number.value.cast(pl.String), number.checks)
    return Conversion(cell.value.cast(pl.String))


def integer_of(cell: Cell, form: NumberForm = _AS_IT_IS) -> Conversion:
    """The cell as a whole number."""
    if form == _AS_IT_IS and not cell.dtype.is_float() and not cell.dtype.is_decimal():
        value = cell.value.cast(pl.Int64, strict=False)
        return Conversion(value, lambda result: (cell.check(result.is_null(), "is not a whole number"),))
    scale = form.scale or Fraction(1)
    wording = f"times {float(scale):g} " if scale != 1 else ""
    return _product(cell, form, pl.lit(Decimal(scale.numerator) / Decimal(scale.denominator)), wording)


def money_of(cell: Cell, currency: pl.Expr, form: NumberForm = _AS_IT_IS) -> Conversion:
    """The cell, an amount in whole units, in the minor units of its currency."""
    scale = currency.replace_strict(DIGIT_SCALES, default=None, return_dtype=pl.Int64)
    unknown = pl.concat_str([pl.lit("has the currency `"), currency.fill_null(""), pl.lit(_CURRENCY_HINT)])
    product = _product(cell, form, scale, "in the currency's minor units ")

    def checks(result: pl.Expr) -> tuple[Check, ...]:
        fitting = ((misfit & scale.is_not_null(), text) for misfit, text in product.checks(result))
        return *fitting, cell.check(scale.is_null(), unknown)

    return Conversion(product.value, checks)


def _product(cell: Cell, form: NumberForm, scale: pl.Expr, wording: str) -> Conversion:
    """The cell times the factor and the scale, as a whole number. `wording`: of the scale, for messages."""
    cells = (cell,) if form.factor is None else (cell, form.factor)
    signed_scale = scale * form.sign if form.is_negated else scale
    if form.rounding is None and any(each.dtype.is_float() for each in cells):
        numbers = [_finite(each) for each in cells]
        value = _whole_of_float(reduce(mul, numbers), signed_scale)
    else:
        numbers = [_cut(each, form.is_negated) if form.rounding else exact_number(each) for each in cells]
        product = numbers[0] if len(cells) == 1 else _decimal_product(*numbers, rounds=form.rounding is not None)
        value = _whole(product * signed_scale, form.rounding)
    factors = "" if form.factor is None else f"times {form.factor.place} "

    def checks(result: pl.Expr) -> tuple[Check, ...]:
        misfits = tuple(
            each.check(number.is_null(), "is not a number") for each, number in zip(cells, numbers, strict=True)
        )
        readable = pl.all_horizontal(number.is_not_null() for number in numbers)
        return *misfits, cell.check(readable & result.is_null(), f"{factors}{wording}is not a whole number")

    return Conversion(value, checks)


def exact_number(cell: Cell) -> pl.Expr:
    """The cell as a decimal; null where it is no number, or has more digits than a decimal."""
    number = cell.value.cast(_EXACT, strict=False)
    fits = number.abs() <= _MAX_NUMBER
    if is_text(cell.dtype):
        fits &= ~cell.value.cast(pl.String).str.contains(rf"{_FURTHER_DIGITS}|[eE]")
    return pl.when(fits).then(number)


def _finite(cell: Cell) -> pl.Expr:
    number = cell.value.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _cut(cell: Cell, is_negated: bool) -> pl.Expr:
    """The cell as a decimal, without further digits, so that rounding it (once its sign is turned, if it is) gives the whole number
    that rounding all of its digits would give: the decimal is at or just below it.
    """
    if not is_text(cell.dtype):
        return exact_number(cell)
    text = cell.value.cast(pl.String)
    number = exact_number(replace(cell, value=text.str.replace(_FURTHER_DIGITS, "$1"), dtype=pl.String()))
    is_cut = text.str.extract(_FURTHER_DIGITS, 2).str.contains("[1-9]").fill_null(False)
    is_above = is_cut & (text.str.contains(r"^\s*-") != is_negated)
    return pl.when(is_above).then(number + _LEAST if is_negated else number - _LEAST).otherwise(number)


def _decimal_product(left: pl.Expr, right: pl.Expr, *, rounds: bool) -> pl.Expr:
    """The product; null if it is too large or, unless it is rounded later, if it may have more digits than a decimal."""
    size = left.cast(pl.Float64).abs() * right.cast(pl.Float64).abs()
    fits = size <= _MAX_NUMBER
    if not rounds:
        short = pl.Decimal(38, _FACTOR_DIGITS)
        fits &= (left.cast(short, strict=False) == left) & (right.cast(short, strict=False) == right)
    return left * pl.when(fits).then(right)


def _whole(product: pl.Expr, rounding: str | None) -> pl.Expr:
    """The product as a whole number: rounded, or null where it is none."""
    if rounding is not None:
        product = (product + pl.lit(_HALF)).floor() if rounding == "half_up" else product.floor()
    whole = product.cast(pl.Int64, strict=False)
    return pl.when(whole.cast(_EXACT) == product).then(whole)


def _whole_of_float(number: pl.Expr, scale: pl.Expr) -> pl.Expr:
    """The float times the scale, if that is a whole number up to the last digits, which floats lose: 1.1 times 100 is 110."""
    product = number * scale.cast(pl.Float64)
    whole = product.round()
    near = (product - whole).abs() <= whole.abs() * _FLOAT_LOSS
    return pl.when(number.is_finite() & near & (whole.abs() < _MAX_FLOAT)).then(whole.cast(pl.Int64, strict=False))
