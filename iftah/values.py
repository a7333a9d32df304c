"""Translate values and days from the form in which you write them to the form in which we hold them."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from engine.errors import Rejected
from engine.lang.model.program import Program, Release
from engine.lang.model.timezones import day_in, start_of
from engine.lang.model.types import EPOCH, Type, Value, format_value, value_of
from engine.lang.syntax.schema_types import suggestion

Plain = bool | int | str | Decimal | date | timedelta | None
PERSON: Final = "person"  # a column of a row of features, and no feature


def moment(release: Release, as_of: date | datetime | str) -> datetime:
    """The moment that is meant: of a day, its first moment on the clocks of the rules. Raises Rejected."""
    try:
        at = datetime.fromisoformat(as_of) if isinstance(as_of, str) and len(as_of) > len("2026-01-01") else as_of
        at = date.fromisoformat(at) if isinstance(at, str) else at
    except ValueError:
        hint = "write a day as 2026-01-31, or a moment with its zone as 2026-01-31T12:00:00Z"
        raise Rejected(f"`{as_of}` is no day", where="as_of", hint=hint, code="bad_timestamp") from None
    if not isinstance(at, datetime):
        return start_of(release.timezone, at.toordinal() - EPOCH.toordinal())
    if at.tzinfo is None:
        raise Rejected("the moment has no time zone", where="as_of", hint="add one, such as UTC", code="bad_timestamp")
    return at


def program_of(release: Release, at: datetime) -> tuple[Program, int]:
    """The rules in force at a moment, and its day as they count days."""
    day = day_in(release.timezone, at)
    return release.at(day), day


def engine_values(program: Program, values: Mapping[str, object]) -> dict[str, Value]:
    """The values as the engine holds them, without those that are None. Raises Rejected for a name or a value that does not fit."""
    result = dict[str, Value]()
    for name, value in values.items():
        if name == PERSON:
            continue
        attribute = program.schema.get(name)
        if attribute is None:
            hint = suggestion(name[:60], program.schema)
            raise Rejected(f"unknown feature `{name[:60]}`", where="values", hint=hint, code="unknown_feature")
        if value is not None:
            result[name] = _engine_value(name, value, attribute.type)
    return result


def _engine_value(name: str, value: object, type_: Type) -> Value:
    text = _text(value, type_)
    result = None if text is None else value_of(text, type_)
    if result is not None:
        return result
    hint = 'a float is not exact: write Decimal("0.85") or "0.85"' if isinstance(value, float) else "see iftah.FEATURES"
    raise Rejected(
        f"the value of `{name}` is not {type_}, or out of bounds", where="values", hint=hint, code="bad_value"
    )


def _text(value: object, type_: Type) -> str | None:
    """The value as you write it in a rule file, or None if it cannot be a value."""
    match value:
        case bool():
            return str(value).lower() if type_.kind == "bool" else None
        case int() if type_.kind == "money":
            return format_value(value, type_)
        case int():
            return f"{value}d" if type_.kind == "duration" else str(value)
        case Decimal():
            return f"{value:f}" if value.is_finite() else None
        case timedelta():
            return f"{value.days}d" if value == timedelta(days=value.days) else None
        case date():
            return value.isoformat()
        case str():
            return value
    return None
