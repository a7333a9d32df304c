"""Look up time zones, and convert between moments and days.

We use the pinned package `tzdata`, not the zones of the operating system. So you can replay a decision on another
machine, or years later, and get the same day.
"""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final
from zoneinfo import ZoneInfo

from engine.errors import IftahError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
UTC_NAME: Final = "UTC"
DAY: Final = 86_400  # seconds
LAST_DAY: Final = (datetime(2100, 12, 31, tzinfo=UTC) - EPOCH).days


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """Every IANA name, such as `Asia/Shanghai`. Raises IftahError if the package is not installed."""
    return frozenset(_database().joinpath("zones").read_text(encoding="utf-8").split())


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The time zone of a name in `names()`. Raises IftahError for any other name."""
    if name not in names():
        raise IftahError(f"`{name[:60]}` is not a time zone", hint="write an IANA name such as Asia/Shanghai")
    with _database().joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def day_in(name: str, moment: datetime) -> int:
    """The day of a moment in a zone, counted from 1970-01-01."""
    return moment.astimezone(zone(name)).toordinal() - EPOCH.toordinal()


def start_of(name: str, day: int) -> datetime:
    """The first moment of a day in a zone; the day is counted from 1970-01-01.

    If the clocks skip midnight, the moment of the skip.
    """
    return (EPOCH + timedelta(days=day)).replace(tzinfo=zone(name)).astimezone(UTC)


@lru_cache(maxsize=64)
def utc_offsets(name: str) -> tuple[tuple[int, int], ...]:
    """The offsets of a zone from UTC, in seconds, at the beginning of each day.

    Returns pairs of a first day and the offset from that day on. Days before 1970 have the offset of 1970, days after
    2100 the last offset of 2100. Every engine reads this one table.
    """
    seconds = ((day, day * DAY - int((start_of(name, day) - EPOCH).total_seconds())) for day in range(LAST_DAY + 1))
    offsets: list[tuple[int, int]] = []
    for day, offset in seconds:
        if not offsets or offsets[-1][1] != offset:
            offsets.append((day, offset))
    return tuple(offsets)


def start_second(name: str, day: int) -> int:
    """The first moment of a day in a zone, in seconds since 1970-01-01 UTC, by the table of `utc_offsets`."""
    table = utc_offsets(name)
    place = bisect_right(table, day, key=lambda pair: pair[0])
    return day * DAY - table[max(0, place - 1)][1]


def _database() -> Traversable:
    try:
        return resources.files("tzdata")
    except ModuleNotFoundError:
        raise IftahError("the package `tzdata` is not installed", hint="run `make env`") from None
