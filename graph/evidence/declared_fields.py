"""Declared fields: those that no column of the ledger holds. An event has them in one column, `data`, as a JSON object.

A kind that you declare tomorrow thus needs no column of its own. Everything else reads typed columns: `unpack` makes them,
`pack` makes `data` of them. In `data`, a decimal is scaled by its digits, money is in minor units, a day is ISO text and a
moment is in microseconds since 1970. Keys are in order, so equal contents are equal texts.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import polars as pl

from graph.evidence.events import CORRECTABLE_COLUMNS, DATA, SCHEMA, UTC_MICROSECONDS, convert_value
from graph.evidence.vocabulary import STANDARD, EventField, EventVocabulary

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_STORED_TYPES: Final[dict[str, Any]] = {
    **dict.fromkeys(("int", "decimal", "money", "moment"), pl.Int64()),
    "bool": pl.Boolean(),
    **dict.fromkeys(("enum", "text", "party", "currency", "date"), pl.String()),
}
COLUMN_TYPES: Final[dict[str, Any]] = {**_STORED_TYPES, "date": pl.Date(), "moment": UTC_MICROSECONDS}
_QUOTED: Final = ("enum", "text", "party", "currency", "date")
_LARGEST: Final = 2**53 - 1  # beyond it, readers of JSON lose exactness


def unpack(events: pl.DataFrame, vocabulary: EventVocabulary) -> pl.DataFrame:
    """Add a typed column for each declared field, null where an event does not have it; keep `data`."""
    fields = vocabulary.extra_fields.values()
    if not fields:
        return events
    stored = pl.Struct({f.name: _STORED_TYPES[f.type] for f in fields})
    values = pl.col(DATA).str.json_decode(stored)
    return events.with_columns(_column(values.struct.field(f.name), f).alias(f.name) for f in fields)


def _column(stored: pl.Expr, field: EventField) -> pl.Expr:
    if field.type == "date":
        return stored.str.to_date("%Y-%m-%d")
    return stored.cast(UTC_MICROSECONDS) if field.type == "moment" else stored


def pack(events: pl.DataFrame, vocabulary: EventVocabulary) -> pl.DataFrame:
    """Replace the typed columns of declared fields, those of them that `events` has, by `data`."""
    names = [name for name in sorted(vocabulary.extra_fields) if name in events.columns]
    if not names:
        return events
    members = [_member(vocabulary.extra_fields[name]) for name in names]
    content = pl.concat_str(members, separator=",", ignore_nulls=True)
    packed = pl.when(pl.any_horizontal(pl.col(names).is_not_null())).then(
        pl.concat_str(pl.lit("{"), content, pl.lit("}"))
    )
    return events.with_columns(packed.alias(DATA)).drop(names)


def _member(field: EventField) -> pl.Expr:
    """One `"name":value` of the object; null without a value."""
    value = pl.col(field.name)
    if field.type in _QUOTED:
        text = value.cast(pl.String).alias(field.name)
        encoded = pl.struct(text).struct.json_encode()
        return pl.when(value.is_not_null()).then(encoded.str.slice(1, encoded.str.len_chars() - 2))
    number = value.dt.epoch("us") if field.type == "moment" else value
    return pl.lit(f"{json.dumps(field.name)}:") + number.cast(pl.String)


def correction_row(fields: Mapping[str, object], vocabulary: EventVocabulary = STANDARD) -> pl.DataFrame:
    """Return one row of `SCHEMA` types with the fields of a correction; other columns are null.

    Raises ValueError like `convert_fields`.
    """
    return pl.DataFrame([columns_of(convert_fields(fields, vocabulary), vocabulary)], schema=SCHEMA, orient="row")


def convert_fields(fields: Mapping[str, object], vocabulary: EventVocabulary = STANDARD) -> dict[str, object]:
    """Convert a correction's fields to the types of their columns, or to the form in `data`.

    Raises ValueError for a field that you cannot correct and for a value of the wrong type.
    """
    declared = vocabulary.extra_fields
    unknown = sorted(set(fields) - set(CORRECTABLE_COLUMNS) - set(declared))
    if unknown:
        names = ", ".join(f"`{f[:40]}`" for f in unknown)
        settable = ", ".join((*CORRECTABLE_COLUMNS, *declared))
        raise ValueError(f"`fields` sets {names}: a correction may set {settable}")
    return {c: stored_value(declared[c], v) if c in declared else convert_value(c, v) for c, v in fields.items()}


def columns_of(fields: Mapping[str, object], vocabulary: EventVocabulary) -> dict[str, object]:
    """Return the fields of an event or correction as columns: the declared ones together as `data`."""
    columns = {name: value for name, value in fields.items() if name in SCHEMA}
    data = {name: value for name, value in fields.items() if name in vocabulary.extra_fields}
    return {**columns, DATA: encode(data)} if data else columns


def encode(data: Mapping[str, object]) -> str:
    """Return declared fields, as `decode` gives them, as `data`."""
    return json.dumps(dict(sorted(data.items())), ensure_ascii=False, separators=(",", ":"))


def decode(data: str | None) -> dict[str, object]:
    """Return the declared fields in `data`, as stored."""
    fields: dict[str, object] = json.loads(data) if data else {}
    return fields


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event with its declared fields beside its columns, in place of `data`."""
    return {**{name: value for name, value in row.items() if name != DATA}, **decode(row.get(DATA))}


def merge(kind: pl.Expr, old: pl.Expr, new: pl.Expr, vocabulary: EventVocabulary) -> pl.Expr:
    """Return `data` after a correction: the fields of `new` that belong to the kind replace those of `old`.

    Corrections are few, so we go row by row.
    """
    rows = pl.struct(kind.cast(pl.String).alias("kind"), old.alias("old"), new.alias("new"))
    return rows.map_batches(lambda column: _merge_rows(column, vocabulary), return_dtype=pl.String)


def _merge_rows(rows: pl.Series, vocabulary: EventVocabulary) -> pl.Series:
    texts = (merge_data(row["kind"], row["old"], row["new"], vocabulary) for row in rows.to_list())
    return pl.Series(rows.name, list(texts), pl.String)


def merge_data(kind: str, old: str | None, new: str | None, vocabulary: EventVocabulary) -> str | None:
    """Return one `data` after a correction that sets the fields in `new`."""
    fields = vocabulary.kind(kind).fields
    settable = {name: value for name, value in decode(new).items() if name in fields}
    return encode(decode(old) | settable) if settable else old


def stored_value(field: EventField, value: object) -> object:
    """Convert a JSON value to the form in `data`. Raises ValueError for a value of the wrong type."""
    converted = _CONVERTERS[field.type](field, value)
    if converted is None:
        raise ValueError(f"`{field.name}` in `fields` has a value of the wrong type: it is {describe(field)}")
    return converted


def _whole(field: EventField, value: object) -> int | None:
    try:
        number = Decimal(str(value)).scaleb(field.digits)
    except InvalidOperation:
        return None
    plain = isinstance(value, int | float | str) and not isinstance(value, bool) and number.is_finite()
    return int(number) if plain and number == number.to_integral_value() and abs(number) <= _LARGEST else None


def _flag(_: EventField, value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(_: EventField, value: object) -> str | None:
    return value if isinstance(value, str) else None


def _day(_: EventField, value: object) -> str | None:
    try:
        return date.fromisoformat(str(value)).isoformat() if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _moment(_: EventField, value: object) -> int | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if at is None or at.tzinfo is None else (at - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None


_CONVERTERS: Final = {
    **dict.fromkeys(("int", "decimal", "money"), _whole),
    **dict.fromkeys(("enum", "text", "party", "currency"), _text),
    "bool": _flag,
    "date": _day,
    "moment": _moment,
}
_DESCRIPTIONS: Final = {
    "bool": "true or false",
    "int": "a whole number",
    "money": "a whole number of minor units",
    "text": "a text",
    "party": "the id of a party",
    "currency": "a currency such as CNY",
    "date": "a day such as 2024-03-01",
    "moment": "a time with its zone such as 2024-03-01T09:30:00Z",
}


def describe(field: EventField) -> str:
    """Return, as a phrase, which values the field takes."""
    if field.type == "decimal":
        return f"a number with at most {field.digits} digits after the point"
    return f"one of {', '.join(field.values)}" if field.type == "enum" else _DESCRIPTIONS[field.type]


def displayed(field: EventField, value: Any) -> object:
    """Return a value in `data` as people write it: decimals unscaled, times as ISO text."""
    if field.type == "decimal":
        return f"{Decimal(value).scaleb(-field.digits):f}"
    return (_EPOCH + value * _MICROSECOND).isoformat() if field.type == "moment" else value
