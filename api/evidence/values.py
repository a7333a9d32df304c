"""Rows as a file has them -> rows in the types of `graph.evidence.events.SCHEMA`; we report misfits row by row."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Final, NamedTuple

import polars as pl

from graph.evidence.declared_fields import COLUMN_TYPES, describe, pack
from graph.evidence.events import SCHEMA
from graph.evidence.vocabulary import STANDARD, EventField, EventVocabulary

MEANING: Final = {
    "String": "a text",
    "Int64": "a whole number",
    "Date": "a day such as 2024-03-01",
    str(pl.Datetime("us", "UTC")): "a time with its zone such as 2024-03-01T09:30:00Z",
}
_FORMATS: Final = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M%#z")
_ISO: Final = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$"
_DAY: Final = r"^\d{4}-\d\d-\d\d$"
# A time that lacks only its zone.
_LOCAL: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?", re.ASCII)
_DAY_LETTERS: Final = len("2024-03-01")
_AS_DAY: Final = pl.when(pl.col("day").str.contains(_DAY)).then(pl.col("day")).str.to_date("%Y-%m-%d", strict=False)


class BadRow(NamedTuple):
    """A row that could not be read: its line, why, and the row as far as it was understood."""

    line: int
    reason: str
    row: object


def row_content(texts: pl.DataFrame, row: int) -> dict[str, Any]:
    """The values of a row, as a file of refused rows can hold them: JSON has no NaN and no infinity."""
    values = ((c, v) for c, v in texts.row(row, named=True).items() if v is not None)
    return {c: str(v) if isinstance(v, float) and not isfinite(v) else v for c, v in values}


@dataclass(frozen=True)
class EventBatch:
    """Rows of a file. `events`: typed columns of SCHEMA, only those the file has; `lines`: where each row begins, from 1
    (Parquet: the number of the row); `texts`: the rows as written. `position` of `total`: bytes, for Parquet rows.

    `rows`: the row of `texts` and `lines` that each event is from; None: its own. `label` begins each reason. `first_only`: an
    event whose id has been recorded with other content is a duplicate.
    """

    events: pl.DataFrame
    lines: pl.Series
    texts: pl.DataFrame
    bad_rows: list[BadRow]
    position: int
    total: int
    broken: str | None = None
    rows: pl.Series | None = None
    label: str = ""
    first_only: bool = False


def parse_batch(
    texts: pl.DataFrame, lines: pl.Series, position: int, total: int, vocabulary: EventVocabulary = STANDARD
) -> EventBatch:
    """Each column in its type, the declared fields in one; a row with a value that does not fit leaves `events` for
    `bad_rows`.
    """
    declared = vocabulary.extra_fields
    events = pl.DataFrame(
        [_convert_declared(texts[c], declared[c]) if c in declared else _convert(texts[c]) for c in texts.columns]
    )
    misfit_columns = [c for c in texts.columns if events[c].null_count() > texts[c].null_count()]
    if not misfit_columns:
        return EventBatch(pack(events, vocabulary), lines, texts, [], position, total)
    bad = pl.DataFrame([(events[c].is_null() & texts[c].is_not_null()).alias(c) for c in misfit_columns])
    rows = bad.select(pl.any_horizontal(pl.all())).to_series()
    bad_rows = [
        BadRow(
            line,
            _misfits([c for c, misfit in zip(misfit_columns, flags, strict=True) if misfit], row, declared),
            {c: value for c, value in row.items() if value is not None},
        )
        for line, flags, row in zip(
            lines.filter(rows), bad.filter(rows).rows(), texts.filter(rows).iter_rows(named=True), strict=True
        )
    ]
    good = pack(events.filter(~rows), vocabulary)
    return EventBatch(good, lines.filter(~rows), texts.filter(~rows), bad_rows, position, total)


def _misfits(columns: list[str], row: dict[str, Any], declared: Mapping[str, EventField]) -> str:
    """The problems of these columns of a row, in one line."""
    return "; ".join(f"`{c}` `{str(row[c])[:40]}` {_misfit(c, str(row[c]), declared)}" for c in columns)


def _misfit(column: str, text: str, declared: Mapping[str, EventField]) -> str:
    field = declared.get(column)
    dtype = COLUMN_TYPES[field.type] if field else SCHEMA[column]
    if isinstance(dtype, pl.Datetime) and _LOCAL.fullmatch(text):
        with suppress(ValueError):
            at = datetime.fromisoformat(text).isoformat()
            problem = "does not say its time zone" if len(text) > _DAY_LETTERS else "is a day and not a time"
            return f"{problem}: write {at}Z if it is UTC, or its offset as in {at}+08:00"
    return f"is not {describe(field) if field else MEANING[str(dtype)]}"


def _convert(column: pl.Series, dtype: Any = None) -> pl.Series:
    """The column in this type, or in SCHEMA's; null where a value does not fit it exactly."""
    dtype = SCHEMA[column.name] if dtype is None else dtype
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String and isinstance(dtype, pl.Datetime):
        return parse_times(column)
    if column.dtype == pl.String and dtype == pl.Date:
        return pl.DataFrame({"day": column}).select(_AS_DAY.alias(column.name)).to_series()
    if column.dtype.is_float():
        whole = column.cast(pl.Int64, strict=False)
        return whole.set(whole.cast(pl.Float64) != column.cast(pl.Float64), None)
    return column.cast(dtype, strict=False)


def _convert_declared(column: pl.Series, field: EventField) -> pl.Series:
    """The column in the type of a declared field; null where a value does not fit it exactly."""
    if field.type == "decimal":
        return _scale(column, field.digits)
    if field.type == "bool":
        words = column.cast(pl.String)
        return pl.select(pl.when(words.is_in(["true", "false"])).then(words == "true").alias(column.name)).to_series()
    return _convert(column, COLUMN_TYPES[field.type])


def _scale(column: pl.Series, digits: int) -> pl.Series:
    """Decimals as integers: `4.5` with two digits is 450. Null for a number with more digits."""
    text = column.cast(pl.String)
    whole = pl.when(text.str.contains(rf"^-?\d{{1,15}}(\.\d{{1,{max(digits, 1)}}})?0*$")).then(text)
    scaled = whole.str.to_decimal(scale=digits) * 10**digits
    return pl.select(scaled.cast(pl.Int64, strict=False).alias(column.name)).to_series()


def parse_times(text: pl.Series) -> pl.Series:
    """ISO 8601, with Z or an offset. The usual form first; we try the others only on the rest."""
    times = text.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", strict=False).dt.replace_time_zone("UTC")
    if times.null_count() == text.null_count():
        return times
    rest = text.is_not_null() & times.is_null()
    return times.scatter(rest.arg_true(), _parse_other_times(text.filter(rest)))


def _parse_other_times(text: pl.Series) -> pl.Series:
    iso = pl.col("at").str.to_uppercase().str.replace(" ", "T", literal=True)
    plain = pl.when(iso.str.contains(_ISO)).then(iso.str.strip_suffix("Z"))
    candidates = []
    for form in _FORMATS:
        time = plain.str.to_datetime(form, time_unit="us", strict=False)
        candidates.append(time if "z" in form else time.dt.replace_time_zone("UTC"))
    return pl.DataFrame({"at": text}).select(pl.coalesce(candidates)).to_series()
