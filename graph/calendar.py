"""Calendar: days and months as the clocks of one time zone show them, the same on every column engine.

Each column engine has a time-zone database of its own, of its own year. So the offsets come from the zone that the caller
gives, and an engine only adds them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

import narwhals as nw
import polars as pl

DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)
MICROSECOND: Final = timedelta(microseconds=1)
Stretch = tuple[datetime, timedelta]  # from when on the clocks are so far ahead of UTC


def months_before(at: datetime, months: int, zone: tzinfo = UTC) -> datetime:
    """The same moment of the month so many months ago on the clocks of `zone`, or that of the month's last day where it has no
    such day.
    """
    here = at.astimezone(zone)
    year, month0 = divmod(here.year * 12 + here.month - 1 - months, 12)
    for day in (here.day, 30, 29, 28):
        try:
            then = here.replace(year=year, month=month0 + 1, day=min(day, here.day), fold=0)
            return then.astimezone(UTC)
        except ValueError:
            continue
    raise AssertionError("every month has a 28th")


def month_of(at: datetime, zone: tzinfo = UTC) -> int:
    """The calendar month of a moment on the clocks of `zone`, since year 0."""
    here = at.astimezone(zone)
    return here.year * 12 + here.month


def month(shown: nw.Expr) -> nw.Expr:
    """The calendar month of what clocks show (`on_clocks`), since year 0. DuckDB takes the session's time zone: set it to UTC."""
    return shown.dt.year().cast(nw.Int64()) * 12 + shown.dt.month().cast(nw.Int64())


def on_clocks(at: nw.Expr, first: datetime, last: datetime, zone: tzinfo) -> nw.Expr:
    """What the clocks of `zone` show at a moment from `first` to `last`, as if it were UTC.

    Cost: a comparison for each change of the clocks from first to last.
    """
    begin, *changes = stretches(first, last, zone)
    if not changes:
        return at + nw.lit(begin[1]) if begin[1] else at
    ahead = nw.lit(begin[1])
    for since, offset in changes:
        ahead = nw.when(at >= nw.lit(since)).then(nw.lit(offset)).otherwise(ahead)
    return at + ahead


def shown(at: pl.Series, zone: tzinfo) -> pl.Series:
    """What the clocks of `zone` show at each moment, as if it were UTC. Cost: O(moments x log of the changes)."""
    known = at.drop_nulls()
    if known.is_empty():
        return at
    first, last = known.min(), known.max()
    assert isinstance(first, datetime)  # noqa: S101 - a column of times
    assert isinstance(last, datetime)  # noqa: S101
    parts = stretches(first, last, zone)
    since, ahead = (pl.Series(values) for values in zip(*parts, strict=True))
    return at + ahead.gather(since.search_sorted(at.fill_null(first), "right") - 1)


def latest_shown(at: datetime, zone: tzinfo) -> datetime:
    """The latest that the clocks of `zone` have shown by then, as if it were UTC: they may have been put back since."""
    (_, before), *changes = stretches(at - DAY, at, zone)
    showing = [at + _ahead(at, zone)]
    for since, ahead in changes:
        showing.append(since + before - MICROSECOND)
        before = ahead
    return max(showing)


def stretches(first: datetime, last: datetime, zone: tzinfo) -> tuple[Stretch, ...]:
    """How far the clocks are ahead of UTC, from `first` until `last`: the first stretch begins at `first`, each other at a change."""
    changes = (c for year in range(first.year, last.year + 1) for c in _changes(year, zone))
    return ((first, _ahead(first, zone)), *((since, ahead) for since, ahead in changes if first < since <= last))


@lru_cache(maxsize=4096)
def _changes(year: int, zone: tzinfo) -> tuple[Stretch, ...]:
    """The changes of a year of UTC, each found to the second: none is undone within a day."""
    return tuple(_between(datetime(year, 1, 1, tzinfo=UTC), zone))


def _between(start: datetime, zone: tzinfo) -> Iterator[Stretch]:
    day, offset = start, _ahead(start - SECOND, zone) if start.year > 1 else _ahead(start, zone)
    while day.year == start.year:
        end = day + DAY - SECOND
        if (now := _ahead(end, zone)) != offset:
            yield _turn(day - SECOND, end, zone), now
            offset = now
        if end.month == 12 and end.day == 31:
            return
        day += DAY


def _turn(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first second that has the offset of `after`, which that of `before` is not."""
    wanted = _ahead(after, zone)
    while after - before > SECOND:
        middle = before + (after - before) // SECOND // 2 * SECOND
        before, after = (before, middle) if _ahead(middle, zone) == wanted else (middle, after)
    return after


def _ahead(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)
