"""Cells of a source -> values of an event's fields, as column expressions. Pure.

We guess nothing and round nothing: a cell that is not exactly a value of the field is a misfit, and its row is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import polars as pl

from api.evidence.values import parse_times
from graph.evidence.currencies import CURRENCY_DIGITS
from graph.evidence.events import UTC_MICROSECONDS

Check = tuple[pl.Expr, pl.Expr]  # whether a row has a misfit (null: no), and the message
MAX_SHOWN: Final = 40  # characters of a cell that a message repeats
_EXACT: Final = pl.Decimal(38, 12)
_MAX_NUMBER: Final = 10**16  # times the largest scale still fits `_EXACT`
_MAX_FLOAT: Final = 2**53  # beyond it a float is no exact integer
_FLOAT_LOSS: Final = 1e-12  # relative: some thousand times what one rounding of a float loses
UNIX_FORMATS: Final = {"unix": 1_000_000, "unix_ms": 1_000, "unix_us": 1}  # microseconds in one
DIGIT_SCALES: Final = {code: 10**digits for code, digits in CURRENCY_DIGITS.items()}


@dataclass(frozen=True)
class SourceColumn:
    """A column of a source: its name there, its type, and its name in our frames."""

    name: str
    dtype: Any
    key: str


@dataclass(frozen=True)
class Cell:
    """A cell of each row: its expression and type, and where it stands, for messages."""

    value: pl.Expr
    dtype: Any
    place: str

    @property
    def quoted(self) -> pl.Expr:
        """The cell and its place, as a message repeats them."""
        text = self.value.cast(pl.String).str.slice(0, MAX_SHOWN)
        return pl.concat_str([pl.lit("`"), text, pl.lit(f"` in {self.place}")])

    def check(self, misfit: pl.Expr, problem: str | pl.Expr) -> Check:
        """The check that finds the problem of this cell where `misfit` holds."""
        end = pl.lit(problem) if isinstance(problem, str) else problem
        return self.value.is_not_null() & misfit, pl.concat_str([self.quoted, pl.lit(" "), end])


@dataclass(frozen=True)
class Conversion:
    """The value of a field, null where the cell is empty or does not fit; and, from the value's column, the misfits."""

    value: pl.Expr
    checks: Callable[[pl.Expr], tuple[Check, ...]] = lambda _: ()


@dataclass(frozen=True)
class TimeForm:
    """How a time is written. `zone`: of times that do not say theirs; `ambiguous`: which of two moments, None: neither."""

    format: str | None = None
    zone: str | None = None
    ambiguous: str | None = None


def cell_of(column: SourceColumn) -> Cell:
    """The cell of a column."""
    return Cell(pl.col(column.key), column.dtype, f"`{column.name[:MAX_SHOWN]}`")


def is_text(dtype: Any) -> bool:
    """Whether a column holds texts, or nothing at all."""
    return dtype in (pl.String, pl.Categorical, pl.Null) or isinstance(dtype, pl.Enum)


def is_number(dtype: Any) -> bool:
    """Whether a column holds numbers."""
    return bool(dtype.is_numeric())


def is_time(dtype: Any) -> bool:
    """Whether a column holds days or moments."""
    return dtype == pl.Date or isinstance(dtype, pl.Datetime)


# --- texts and whole numbers ---------------------------------------------------------------------------------------


def text_of(cell: Cell) -> Conversion:
    """The cell as a text: an id. A number must be whole."""
    if cell.dtype.is_float() or cell.dtype.is_decimal():
        number = integer_of(cell)
        return Conversion(number.value.cast(pl.String), number.checks)
    return Conversion(cell.value.cast(pl.String))


def integer_of(cell: Cell, scale: Fraction | None = None) -> Conversion:
    """The cell, times `scale` if any, as a whole number."""
    if cell.dtype.is_float():
        return _integer_of_float(cell, scale or Fraction(1))
    if scale is None and not cell.dtype.is_decimal():
        value = cell.value.cast(pl.Int64, strict=False)
        return Conversion(value, lambda result: (cell.check(result.is_null(), "is not a whole number"),))
    number = exact_number(cell)
    factor = scale or Fraction(1)
    product = number * pl.lit(Decimal(factor.numerator) / Decimal(factor.denominator))
    return Conversion(_whole(product), lambda result: _number_checks(cell, number, result, _times(scale)))


def money_of(cell: Cell, currency: pl.Expr) -> Conversion:
    """The cell, an amount in whole units, in the minor units of its currency."""
    scale = currency.replace_strict(DIGIT_SCALES, default=None, return_dtype=pl.Int64)
    unknown = pl.concat_str([pl.lit("has the currency `"), currency.fill_null(""), pl.lit(_CURRENCY_HINT)])
    if cell.dtype.is_float():
        number, value = _finite(cell), _whole_of_float(cell.value, scale, pl.lit(1))
    else:
        number = exact_number(cell)
        value = _whole(number * scale)

    def checks(result: pl.Expr) -> tuple[Check, ...]:
        fitting = _number_checks(cell, number, result, "in the currency's minor units ")
        return *((misfit & scale.is_not_null(), text) for misfit, text in fitting), cell.check(scale.is_null(), unknown)

    return Conversion(value, checks)


_CURRENCY_HINT: Final = "`, which is not a currency of ISO 4217: use a code such as CNY"


def exact_number(cell: Cell) -> pl.Expr:
    """The cell as a decimal; null where it is no number, or has more digits than a decimal."""
    number = cell.value.cast(_EXACT, strict=False)
    fits = number.abs() <= _MAX_NUMBER
    if is_text(cell.dtype):
        fits &= ~cell.value.cast(pl.String).str.contains(r"\.[0-9]{13}|[eE]")
    return pl.when(fits).then(number)


def _whole(product: pl.Expr) -> pl.Expr:
    whole = product.cast(pl.Int64, strict=False)
    return pl.when(whole.cast(_EXACT) == product).then(whole)


def _number_checks(cell: Cell, number: pl.Expr, result: pl.Expr, scaling: str) -> tuple[Check, ...]:
    return (
        cell.check(number.is_null(), "is not a number"),
        cell.check(number.is_not_null() & result.is_null(), f"{scaling}is not a whole number"),
    )


def _times(scale: Fraction | None) -> str:
    return f"times {float(scale):g} " if scale else ""


def _finite(cell: Cell) -> pl.Expr:
    return pl.when(cell.value.is_finite()).then(cell.value)


def _integer_of_float(cell: Cell, scale: Fraction) -> Conversion:
    value = _whole_of_float(cell.value, pl.lit(scale.numerator), pl.lit(scale.denominator))
    scaling = _times(scale) if scale != 1 else ""
    return Conversion(value, lambda result: _number_checks(cell, _finite(cell), result, scaling))


def _whole_of_float(number: pl.Expr, numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """The float times a fraction, if that is a whole number up to the last digits, which floats lose: 1.1 times 100 is 110."""
    product = number.cast(pl.Float64) * numerator / denominator
    whole = product.round()
    near = (product - whole).abs() <= whole.abs() * _FLOAT_LOSS
    return pl.when(number.is_finite() & near & (whole.abs() < _MAX_FLOAT)).then(whole.cast(pl.Int64, strict=False))


# --- times ---------------------------------------------------------------------------------------------------------


def time_of(cell: Cell, form: TimeForm) -> Conversion:
    """The cell as a moment."""
    if form.format in UNIX_FORMATS:
        number = integer_of(cell, Fraction(UNIX_FORMATS[form.format]))
        return Conversion(number.value.cast(UTC_MICROSECONDS), number.checks)
    if isinstance(cell.dtype, pl.Datetime) and cell.dtype.time_zone is not None:
        return Conversion(cell.value.cast(UTC_MICROSECONDS))
    if is_time(cell.dtype):
        local = cell.value.cast(pl.Datetime("us"))
        return Conversion(_in_zone(local, form), lambda result: (cell.check(result.is_null(), _no_such_time(form)),))
    if form.format is not None and says_zone(form.format):
        moment = _parsed(cell, form.format).dt.convert_time_zone("UTC")
        return Conversion(moment, lambda result: (cell.check(result.is_null(), _mismatch(form.format)),))
    return _local_time_of(cell, form) if form.format or form.zone else _iso_time_of(cell)


def _iso_time_of(cell: Cell) -> Conversion:
    value = cell.value.cast(pl.String).map_batches(parse_times, return_dtype=UTC_MICROSECONDS)
    problem = "is not a time with its zone such as 2024-03-01T09:30:00Z: name its `format`, and its `zone`"
    return Conversion(value, lambda result: (cell.check(result.is_null(), problem),))


def _local_time_of(cell: Cell, form: TimeForm) -> Conversion:
    """A time that does not say its zone; without a format, in ISO 8601, where it may."""
    local = _parsed(cell, form.format) if form.format else _parsed_iso(cell)
    moment = _in_zone(local, form)
    if not form.format:
        moment = pl.coalesce(moment, cell.value.cast(pl.String).map_batches(parse_times, return_dtype=UTC_MICROSECONDS))

    def checks(result: pl.Expr) -> tuple[Check, ...]:
        return (
            cell.check(local.is_null() & result.is_null(), _mismatch(form.format)),
            cell.check(local.is_not_null() & result.is_null(), _no_such_time(form)),
        )

    return Conversion(moment, checks)


def says_zone(format_text: str) -> bool:
    """Whether times of this format say their zone."""
    return "%z" in format_text or "%:z" in format_text or "%#z" in format_text or "%+" in format_text


def _parsed(cell: Cell, format_text: str) -> pl.Expr:
    return cell.value.cast(pl.String).str.to_datetime(format_text, time_unit="us", strict=False)


def _parsed_iso(cell: Cell) -> pl.Expr:
    text = cell.value.cast(pl.String).str.replace(" ", "T", literal=True)
    return pl.coalesce(
        text.str.to_datetime(each, time_unit="us", strict=False) for each in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
    )


def _in_zone(local: pl.Expr, form: TimeForm) -> pl.Expr:
    choice: Any = form.ambiguous or "null"
    zoned = local.dt.replace_time_zone(form.zone or "UTC", ambiguous=choice, non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _mismatch(format_text: str | None) -> str:
    return f"does not match the format `{format_text}`" if format_text else "is not a time such as 2024-03-01T09:30:00"


def _no_such_time(form: TimeForm) -> str:
    return f"occurs twice or never in {form.zone}, where clocks change: write its offset, or say `ambiguous`"


def date_of(cell: Cell, form: TimeForm) -> Conversion:
    """The cell as a day: of a moment, the day in its zone."""
    if cell.dtype == pl.Date:
        return Conversion(cell.value)
    if isinstance(cell.dtype, pl.Datetime):
        local = cell.value if cell.dtype.time_zone is None else cell.value.dt.convert_time_zone(form.zone or "UTC")
        return Conversion(local.dt.date())
    if form.format is None:
        text = cell.value.cast(pl.String)
        value = pl.when(text.str.contains(r"^\d{4}-\d\d-\d\d$")).then(text).str.to_date("%Y-%m-%d", strict=False)
        return Conversion(value, lambda result: (cell.check(result.is_null(), "is not a day such as 2024-03-01"),))
    if form.format in UNIX_FORMATS or says_zone(form.format):
        moment = time_of(cell, form)
        return Conversion(moment.value.dt.convert_time_zone(form.zone or "UTC").dt.date(), moment.checks)
    value = _parsed(cell, form.format).dt.date()
    return Conversion(value, lambda result: (cell.check(result.is_null(), _mismatch(form.format)),))
