"""The clock, and times as the tables hold them: microseconds since 1970-01-01 UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

from engine.errors import Refused
from graph.vocabulary import EARLIEST

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The present moment, UTC."""
    return datetime.now(UTC)


def micros(moment: datetime) -> int:
    """As the tables hold it."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    """As everybody else holds it."""
    return EPOCH + timedelta(microseconds=value)


def day(value: datetime) -> int:
    """The day of a moment, counted from 1970-01-01, UTC."""
    return (value - EPOCH).days


def iso(value: datetime) -> str:
    """ISO 8601 with a Z, to the microsecond only where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def later(value: datetime, *, days: int) -> datetime:
    """So many days on."""
    return value + timedelta(days=days)


def parsed(text: str, where: str) -> datetime:
    """A moment as a person writes it: ISO 8601, UTC unless it says otherwise. Raises Refused for none, or one to come."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        hint = "write 2026-01-31 or 2026-01-31T09:30:00Z"
        raise Refused(f"`{text[:40]}` is not a moment", where=where, hint=hint, code="bad_moment") from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if not EARLIEST <= found <= now():
        hint = f"from {EARLIEST.year} to now"
        raise Refused(f"`{text[:40]}` is out of range", where=where, hint=hint, code="bad_moment")
    return found
