"""Cells of a source -> moments and days, as column expressions. Pure."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import polars as pl

from api.evidence.imports.cells import Cell, Check, Conversion, is_time
from api.evidence.imports.number_cells import NumberForm, integer_of
from api.evidence.values import parse_times
from graph.evidence.events import UTC_MICROSECONDS

UNIX_FORMATS: Final = {"unix": 1_000_000, "unix_ms": 1_000, "unix_us": 1}  # microseconds in one


@dataclass(frozen=True)
class TimeForm:
    """How a time is written. `zone`: of times that do not say theirs; `ambiguous`: which of two moments, None: neither."""

    format: str | None = None
    zone: str | None = None
    ambiguous: str | None = None


def time_of(cell: Cell, form: TimeForm) -> Conversion:
    """The cell as a moment."""
    if form.format in UNIX_FORMATS:
        number = integer_of(cell, NumberForm(scale=Fraction(UNIX_FORMATS[form.format])))
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
