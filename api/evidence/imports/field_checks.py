"""One field of an event, as a map fills it -> its conversion, or every problem of it with its place. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

import polars as pl

from api.evidence.imports.cells import Cell, Conversion, is_number, is_text, is_time
from api.evidence.imports.columns import SourceColumns
from api.evidence.imports.event_targets import FieldTarget
from api.evidence.imports.map_tree import LINE, FieldSource, TextTemplate
from api.evidence.imports.number_cells import NumberForm, integer_of, money_of, text_of
from api.evidence.imports.time_cells import UNIX_FORMATS, TimeForm, date_of, says_zone, time_of
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.syntax.expression_tree import Word
from engine.lang.syntax.schema_types import suggestion

_SAMPLE_TIME: Final = datetime(2024, 11, 23, 14, 5, 6)
_FORMAT_HINT: Final = "name year, month and day, as in %d/%m/%Y %H:%M:%S, or write unix, unix_ms or unix_us"
_ZONE_HINT: Final = "add `zone: Asia/Shanghai`, or `timezone:` for the whole map"
_NOUNS: Final = {
    "text": "a text",
    "integer": "a whole number",
    "time": "a time",
    "date": "a day",
    "bool": "true or false",
}
# The keys that understand a cell, and the types of fields for which they have a meaning.
_MEANINGFUL: Final = {
    "scale": ("integer",),
    "multiplied_by": ("integer",),
    "negate": ("integer",),
    "rounding": ("integer",),
    "format": ("time", "date"),
    "zone": ("time", "date"),
    "ambiguous": ("time", "date"),
}


@dataclass(frozen=True)
class FieldContext:
    """What a field is compiled with: the columns of the source, the map's zone, and the event's currencies by their field."""

    columns: SourceColumns
    timezone: str | None
    currencies: dict[str, pl.Expr]
    report: Report


def compile_field(target: FieldTarget, line: FieldSource, context: FieldContext) -> Conversion | None:
    """The conversion of a field; None with every reason in the report."""
    before = len(context.report.problems)
    _check_keys(target, line, context.report)
    _check_values(target, line, context.report)
    if len(context.report.problems) > before:
        return None
    if line.template is not None:
        conversion = _template(target, line.template, context)
    elif line.value is not None:
        conversion = _constant(target, line, line.value, context)
    else:
        cell = _cell(line, context)
        conversion = None if cell is None else _convert(target, line, cell, context)
    return conversion if len(context.report.problems) == before else None


def _check_keys(target: FieldTarget, line: FieldSource, report: Report) -> None:
    """Report keys that mean nothing for the field."""
    for key, types in _MEANINGFUL.items():
        value = getattr(line, key)
        if value and target.type not in types:
            message = f"`{key}` means nothing for `{target.name}`, which is {_NOUNS[target.type]}"
            report.add("R013", message, getattr(value, "at", line.at), "leave it out")
    only_columns = {
        "lookup": line.lookup,
        "otherwise": line.otherwise,
        "missing": line.missing,
        "multiplied_by": line.multiplied_by,
    }
    for key, value in only_columns.items():
        if value and line.column is None:
            report.add("R013", f"`{key}` needs a `column`", line.at, "leave it out, or name the column")
    if line.otherwise is not None and not line.lookup:
        report.add("R013", "`otherwise` needs a `lookup`", line.otherwise.at, "for empty cells, write `missing`")


def _check_values(target: FieldTarget, line: FieldSource, report: Report) -> None:
    """Report constants that the field cannot have."""
    constants = [line.value, line.otherwise, line.missing, *(to for _, to in line.lookup)]
    for word in constants if target.values else ():
        if word is not None and word.text not in target.values:
            report.add(
                "R013", f"`{word.text[:60]}` is no {target.name}", word.at, _value_hint(word.text, target.values)
            )


def _value_hint(text: str, values: Collection[str]) -> str:
    return suggestion(text, values) or (
        "use a code of ISO 4217 such as CNY" if "CNY" in values else "see docs/events.md"
    )


def _template(target: FieldTarget, template: TextTemplate, context: FieldContext) -> Conversion | None:
    if target.type != "text":
        message = f"a template makes a text, and `{target.name}` is {_NOUNS[target.type]}"
        context.report.add("R103", message, template.at, "name one `column`")
        return None
    pieces: list[pl.Expr] = []
    conversions: list[Conversion] = []
    for part in template.parts:
        if isinstance(part, str):
            pieces.append(pl.lit(part))
        elif part.text == LINE:
            pieces.append(pl.col(LINE).cast(pl.String))
        elif (cell := _text_cell(part, target, context)) is not None:
            conversions.append(text_of(cell))
            pieces.append(conversions[-1].value)
    value = pl.concat_str(pieces) if pieces else pl.lit(None, pl.String)
    return Conversion(value, lambda _: tuple(check for each in conversions for check in each.checks(each.value)))


def _text_cell(name: Word, target: FieldTarget, context: FieldContext) -> Cell | None:
    cell = context.columns.cell(name.text, name.at, context.report)
    if cell is not None and not _fits("text", cell.dtype):
        _refuse_type(target, cell, name.at, context.report)
        return None
    return cell


def _constant(target: FieldTarget, line: FieldSource, word: Word, context: FieldContext) -> Conversion | None:
    """The constant of every row, converted once."""
    cell = Cell(pl.lit(word.text), pl.String(), "the map")
    conversion = _convert(target, replace(line, column=word), cell, context)
    if conversion is None:
        return None
    row = pl.DataFrame({"": [0]}).select(conversion.value.alias("value"))
    if row["value"].null_count():
        report, noun = context.report, _NOUNS[target.type]
        report.add("R013", f"`{word.text[:60]}` is not {noun}", word.at, f"`{target.name}` needs {noun}")
        return None
    return Conversion(pl.lit(row["value"][0], row.schema["value"]))


def _cell(line: FieldSource, context: FieldContext) -> Cell | None:
    """The cell of the column, looked up in the table."""
    assert line.column is not None  # noqa: S101 - the grammar lets nothing else come here
    cell = context.columns.cell(line.column.text, line.column.at, context.report)
    if cell is None or not (line.lookup or line.missing):
        return cell
    if not _fits("text", cell.dtype):
        context.report.add("R103", f"{cell.place} has no texts to look up", line.column.at, "leave `lookup` out")
        return None
    return _look_up(line, cell)


def _look_up(line: FieldSource, cell: Cell) -> Cell:
    text = text_of(cell).value
    if line.lookup:
        default = pl.lit(None, pl.String) if line.otherwise is None else pl.lit(line.otherwise.text)
        table = {word.text: to.text for word, to in line.lookup}
        text = pl.when(text.is_not_null()).then(text.replace_strict(table, default=default, return_dtype=pl.String))
    if line.missing is not None:
        text = pl.when(cell.value.is_null()).then(pl.lit(line.missing.text)).otherwise(text)
    return Cell(text, pl.String(), cell.place)


def _convert(target: FieldTarget, line: FieldSource, cell: Cell, context: FieldContext) -> Conversion | None:
    at = line.column.at if line.column else line.at
    if not _fits(target.type, cell.dtype) and not (line.format and is_number(cell.dtype)):
        _refuse_type(target, cell, at, context.report)
        return None
    if target.type == "integer":
        conversion = _integer(target, line, cell, context)
    elif target.type in ("time", "date"):
        conversion = _time(target, line, cell, context)
    elif target.type == "bool":
        conversion = _flag(cell)
    else:
        conversion = text_of(cell)
    if conversion is None or not line.lookup or line.column is None:
        return conversion
    return _with_lookup_check(line, conversion, context)


def _with_lookup_check(line: FieldSource, conversion: Conversion, context: FieldContext) -> Conversion:
    """The conversion, with a word that the table does not have as a misfit."""
    assert line.column is not None  # noqa: S101
    cell = context.columns.cell(line.column.text, line.column.at, context.report)
    if cell is None:
        return conversion
    text, words = text_of(cell).value, [word.text for word, _ in line.lookup]
    unknown = ~text.is_in(words) if line.otherwise is None else pl.lit(False)
    check = cell.check(unknown, "is not in the map's `lookup`: add it, or `otherwise`")
    return Conversion(conversion.value, lambda result: (check, *conversion.checks(result)))


def _fits(type_: str, dtype: Any) -> bool:
    """Whether cells of a column's type may be values of a field's type."""
    if is_text(dtype):
        return True
    if type_ in ("time", "date"):
        return is_time(dtype)
    return (
        is_number(dtype)
        or (type_ == "text" and dtype in (pl.Boolean, pl.Date))
        or (type_ == "bool" and dtype == pl.Boolean)
    )


def _refuse_type(target: FieldTarget, cell: Cell, at: SourceSpan, report: Report) -> None:
    noun = str(cell.dtype).partition("(")[0].lower()
    message = f"{cell.place} has the type {noun}, and `{target.name}` is {_NOUNS[target.type]}"
    hint = "name its `format`: unix, unix_ms or unix_us" if is_number(cell.dtype) else "name another column"
    report.add("R103", message, at, hint)


def _flag(cell: Cell) -> Conversion:
    text = text_of(cell).value
    check = cell.check(~text.is_in(["true", "false"]), "is not true or false: add a `lookup`")
    return Conversion(pl.when(text.is_in(["true", "false"])).then(text == "true"), lambda _: (check,))


def _integer(target: FieldTarget, line: FieldSource, cell: Cell, context: FieldContext) -> Conversion | None:
    factor = (
        context.columns.cell(line.multiplied_by.text, line.multiplied_by.at, context.report)
        if line.multiplied_by
        else None
    )
    form = NumberForm(None, factor, line.negate, line.rounding.text if line.rounding else None)
    if not isinstance(line.scale, Word):
        scale = (Fraction(line.scale.text) if line.scale else 1) * Fraction(10**target.digits)
        return integer_of(cell, form if scale == 1 else replace(form, scale=scale))
    currency = context.currencies.get(target.name)
    if not target.currency or currency is None:
        message = f"`{target.name}` has no currency whose minor units could be its scale"
        field = target.currency or "currency"
        context.report.add("R013", message, line.scale.at, f"set `{field}`, or write a number such as 100")
        return None
    return money_of(cell, currency, form)


def _time(target: FieldTarget, line: FieldSource, cell: Cell, context: FieldContext) -> Conversion | None:
    zone = line.zone.text if line.zone else context.timezone
    format_text = line.format.text if line.format else None
    ambiguous = line.ambiguous.text if line.ambiguous else None
    form = TimeForm(format_text, zone, ambiguous)
    if line.format is not None and not _format_is_good(line.format, context.report):
        return None
    if target.type == "date":
        return date_of(cell, form)
    if zone is None and _needs_zone(cell, format_text):
        at = line.format.at if line.format else line.column.at if line.column else line.at
        context.report.add("R013", f"the times of {cell.place} do not say their time zone", at, _ZONE_HINT)
        return None
    return time_of(cell, form)


def _needs_zone(cell: Cell, format_text: str | None) -> bool:
    if format_text is not None and is_text(cell.dtype):
        return format_text not in UNIX_FORMATS and not says_zone(format_text)
    return is_time(cell.dtype) and getattr(cell.dtype, "time_zone", None) is None


def _format_is_good(word: Word, report: Report) -> bool:
    """Whether a time written in the format can be read again to its day; otherwise report it."""
    if word.text in UNIX_FORMATS:
        return True
    try:
        moments = pl.Series([_SAMPLE_TIME]).dt.replace_time_zone("UTC")
        texts = moments.dt.strftime(word.text)
        day = texts.str.to_datetime(word.text, time_unit="us", strict=False).dt.date()[0]
    except (pl.exceptions.PolarsError, ValueError):
        day = None
    if day == _SAMPLE_TIME.date() and "%Z" not in word.text:
        return True
    report.add("R013", f"`{word.text[:60]}` is not a format of a time", word.at, _FORMAT_HINT)
    return False
