"""The clock, and times as the tables hold them: microseconds since 1970-01-01 UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

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


def iso(value: datetime) -> str:
    """ISO 8601 with a Z, to the microsecond only where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def later(value: datetime, *, days: int) -> datetime:
    """So many days on."""
    return value + timedelta(days=days)
