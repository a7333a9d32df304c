"""Compute days and months by the clocks of one time zone, with the same result on every column engine.

Each column engine ships its own time-zone database of a different year. So we take the offsets from the zone that you
pass, and an engine only adds them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

import narwhals as nw
import polars as pl

from graph.evidence.months import month_of as month_of
from graph.evidence.months import months_before as months_before

DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)
MICROSECOND: Final = timedelta(microseconds=1)
OffsetPeriod = tuple[datetime, timedelta]  # moment from which this offset from UTC applies, and the offset


def month(local: nw.Expr) -> nw.Expr:
    """Return the calendar month of a local time (`local_time`), counted from year 0. On DuckDB, set the session's time
    zone to UTC.
    """
    return local.dt.year().cast(nw.Int64()) * 12 + local.dt.month().cast(nw.Int64())


def local_time(at: nw.Expr, first: datetime, last: datetime, zone: tzinfo) -> nw.Expr:
    """Return the local time in `zone` of a moment between `first` and `last`, as if it were UTC.

    Cost: the logarithm of the changes of the offset between `first` and `last`, in comparisons.
    """
    periods = utc_offsets(first, last, zone)
    if len(periods) == 1:
        return at + nw.lit(periods[0][1]) if periods[0][1] else at
    return at + _offset_at(at, periods)


def _offset_at(at: nw.Expr, periods: tuple[OffsetPeriod, ...]) -> nw.Expr:
    """Return the offset of a moment, by bisection: a chain of hundreds of cases would be too deep for the engines."""
    if len(periods) == 1:
        return nw.lit(periods[0][1])
    half = len(periods) // 2
    later = at >= nw.lit(periods[half][0])
    return nw.when(later).then(_offset_at(at, periods[half:])).otherwise(_offset_at(at, periods[:half]))


def local_times(at: pl.Series, zone: tzinfo) -> pl.Series:
    """Return the local time in `zone` of each moment, as if it were UTC. Cost: O(moments x log of the changes)."""
    moments = at.drop_nulls()
    if moments.is_empty():
        return at
    first, last = moments.min(), moments.max()
    assert isinstance(first, datetime)  # noqa: S101 - a column of times
    assert isinstance(last, datetime)  # noqa: S101
    parts = utc_offsets(first, last, zone)
    since, ahead = (pl.Series(values) for values in zip(*parts, strict=True))
    return at + ahead.gather(since.search_sorted(at.fill_null(first), "right") - 1)


def latest_local_time(at: datetime, zone: tzinfo) -> datetime:
    """Return the latest local time that the clocks of `zone` have shown by `at`, as if it were UTC: they may have been
    set back since.
    """
    (_, before), *changes = utc_offsets(at - DAY, at, zone)
    candidates = [at + _utc_offset(at, zone)]
    for since, ahead in changes:
        candidates.append(since + before - MICROSECOND)
        before = ahead
    return max(candidates)


def years_passed(at: pl.Series, years: int, as_of: datetime, zone: tzinfo) -> pl.Series:
    """Return whether so many calendar years of `zone` have passed by `as_of` since each moment; null stays null. A year
    after 29 February is 28 February.
    """
    return local_times(at, zone).dt.offset_by(f"{years}y") <= latest_local_time(as_of, zone)


def utc_offsets(first: datetime, last: datetime, zone: tzinfo) -> tuple[OffsetPeriod, ...]:
    """Return the offsets from UTC between `first` and `last`. The first period begins at `first`, each other at a
    change of the offset.
    """
    changes = (c for year in range(first.year, last.year + 1) for c in _changes(year, zone))
    return ((first, _utc_offset(first, zone)), *((since, ahead) for since, ahead in changes if first < since <= last))


@lru_cache(maxsize=4096)
def _changes(year: int, zone: tzinfo) -> tuple[OffsetPeriod, ...]:
    """Find the changes of the offset in one year of UTC, to the second. Assumes that no change is undone within a day."""
    return tuple(_iter_changes(datetime(year, 1, 1, tzinfo=UTC), zone))


def _iter_changes(start: datetime, zone: tzinfo) -> Iterator[OffsetPeriod]:
    day, offset = start, _utc_offset(start - SECOND, zone) if start.year > 1 else _utc_offset(start, zone)
    while day.year == start.year:
        end = day + DAY - SECOND
        if (end_offset := _utc_offset(end, zone)) != offset:
            yield _find_change(day - SECOND, end, zone), end_offset
            offset = end_offset
        if end.month == 12 and end.day == 31:
            return
        day += DAY


def _find_change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first second that has the offset of `after`, by bisection; `before` has another offset."""
    new_offset = _utc_offset(after, zone)
    while after - before > SECOND:
        middle = before + (after - before) // SECOND // 2 * SECOND
        before, after = (before, middle) if _utc_offset(middle, zone) == new_offset else (middle, after)
    return after


def _utc_offset(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)
