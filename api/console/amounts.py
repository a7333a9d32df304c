"""What people type into forms, as the API wants it: amounts of money, times and lists."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.render.currency import minor_digits

MAX_AMOUNT_CHARS: Final = 20


def minor_units(text: str, currency: str) -> int | None:
    """The amount `1,234.50` in minor units; None if it is no amount of the currency. Both widths of digits are fine."""
    plain = text.strip().replace(",", "").replace("\uff0c", "").replace(" ", "")
    try:
        value = Decimal(plain).scaleb(minor_digits(currency)) if 0 < len(plain) <= MAX_AMOUNT_CHARS else None
    except InvalidOperation:
        return None
    if value is None or not value.is_finite() or value != value.to_integral_value():
        return None
    return int(value)


def major_units(amount: int, currency: str) -> str:
    """The amount as a form shows it: `1234.50`."""
    digits = minor_digits(currency)
    return f"{Decimal(amount).scaleb(-digits):.{digits}f}"


def moment_text(text: str, zone: str) -> str | None:
    """The time of a field `datetime-local` with the zone's offset; None if it is no time."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).isoformat()
    except ValueError:
        return None


def local_text(at: datetime, zone: str) -> str:
    """A time as a field `datetime-local` shows it."""
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")


def field_value(text: str, kind: str) -> Any:
    """The value of a request's own field by its type: what is no number stays text, and the API says what is wrong."""
    if kind == "bool":
        return text == "true"
    try:
        return int(text) if kind in ("int", "money") else text
    except ValueError:
        return text


def lines(text: str) -> list[str]:
    """The lines that are not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]
