"""The clock, and times as the tables have them: microseconds since 1970-01-01 UTC.

A clock that leaps ahead does lasting harm: orders become overdue, answers expire, consents end. So we compare the wall
clock with a steady clock, which only counts seconds. We refuse a moment far beyond it until the wall clock is right.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.errors import Rejected
from graph.evidence.vocabulary import EARLIEST_EVENT_TIME

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_LEAP: Final = timedelta(days=1)  # we assume that no correction of the wall clock is larger while a process runs
# We assume that no two servers' clocks differ by more: a later stamp is from a wrong clock.
MAX_SERVER_SKEW: Final = timedelta(days=7)
# Seconds since the machine started. Those in which it slept count where the system can tell.
_STEADY_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def wall() -> datetime:
    """The time of the machine's clock, right or not. Use it only for display; for stored times use `now`."""
    return datetime.now(UTC)


def _seconds() -> float:
    return time.clock_gettime(_STEADY_CLOCK)


_anchor = (wall(), _seconds())  # a moment that we took for right, and the steady clock at that moment


def now() -> datetime:
    """The present moment, UTC. Raises Rejected (`clock_ahead`) while the wall clock is far ahead of the steady one."""
    at = wall()
    refuse_far_ahead(at)
    return at


def steady() -> datetime:
    """The present moment by the steady clock: counted from the start of this process, or from the last time given to `compare`."""
    at, seconds = _anchor
    return at + timedelta(seconds=_seconds() - seconds)


def compare(other: datetime) -> None:
    """Trust another machine's clock, such as the database server's, if ours is far ahead of it or leapt."""
    global _anchor
    if wall() > min(other, steady()) + MAX_LEAP:
        _anchor = (other, _seconds())


def refuse_far_ahead(at: datetime, newest: datetime | None = None) -> None:
    """Refuse a moment that is far beyond the steady clock and beyond `newest`, the last moment that was recorded.

    Raises Rejected: `clock_ahead`.
    """
    steady_now = steady()
    if at > steady_now + MAX_LEAP and (newest is None or at > newest + MAX_LEAP):
        days = round((at - steady_now) / timedelta(days=1))
        hint = "set this machine's clock right; if it is right now, restart the server"
        raise Rejected(f"the clock is {days:,} days ahead", where="the clock", hint=hint, code="clock_ahead")


def micros(moment: datetime) -> int:
    """The moment as the tables have it."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    """The moment as all other code has it."""
    return EPOCH + timedelta(microseconds=value)


def day(value: datetime) -> int:
    """The day of a moment, counted from 1970-01-01, UTC."""
    return (value - EPOCH).days


def iso(value: datetime) -> str:
    """ISO 8601 with a Z, to the microsecond only where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def add_days(value: datetime, *, days: int) -> datetime:
    """The moment so many days later."""
    return value + timedelta(days=days)


def parse_day(text: str, where: str) -> int:
    """A day as you write it, counted from 1970-01-01. Raises Rejected for an invalid day."""
    try:
        at = datetime.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        at = None
    if at is None:
        raise Rejected(f"`{text[:40]}` is not a day", where=where, hint="write 2026-01-31", code="bad_timestamp")
    return day(at.replace(tzinfo=UTC))


def parse_moment(text: str, where: str) -> datetime:
    """A moment as you write it: ISO 8601 with its zone. Raises Rejected for an invalid or future moment."""
    at = _parse(text, where)
    if not EARLIEST_EVENT_TIME <= at <= now():
        hint = f"from {EARLIEST_EVENT_TIME.year} to now"
        raise Rejected(f"`{text[:40]}` is out of range", where=where, hint=hint, code="bad_timestamp")
    return at


def parse_later(text: str, where: str) -> datetime:
    """A moment from now on, as you write it. Raises Rejected for an invalid or past moment."""
    at = _parse(text, where)
    if at <= now():
        raise Rejected(f"`{text[:40]}` is past", where=where, hint="name a later moment", code="bad_timestamp")
    return at


def _parse(text: str, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        hint = "write 2026-01-31T09:30:00Z"
        raise Rejected(f"`{text[:40]}` is not a moment", where=where, hint=hint, code="bad_timestamp") from None
    if at.tzinfo is None:
        problem = "is a day and not a moment" if _DAY.fullmatch(text) else "does not say its time zone"
        hint = f"write {at.isoformat()}Z if you mean UTC, or {at.isoformat()}+08:00"
        raise Rejected(f"`{text[:40]}` {problem}", where=where, hint=hint, code="bad_timestamp")
    return at.astimezone(UTC)
