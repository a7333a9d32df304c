"""Local times computed from changes of the offset equal those of the zone, on every engine and in every year."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.lang.model.timezones import zone
from graph.evidence.calendar import latest_local_time, local_time, local_times, months_before, utc_offsets

# Summer time, half an hour of it, two of them, a day that was left out, clocks that changed for good, seconds of sun time.
NAMES = ("UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia")
ZONES = st.sampled_from((*NAMES, "Asia/Kathmandu", "Europe/London", "America/Sao_Paulo")).map(zone)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def as_if_utc(at: datetime, tz: object) -> datetime:
    return at.astimezone(tz).replace(tzinfo=UTC)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(ZONES, st.lists(MOMENTS, min_size=1, max_size=4), st.integers(-1, 1))
def test_local_times_follow_the_zone_and_its_changes(tz, moments, slip):
    first = min(moments)
    changes = [since for since, _ in utc_offsets(first, first + timedelta(days=800), tz)]
    times = [*moments, *(at + timedelta(microseconds=slip) for at in changes[1:])]
    column = pl.Series(times, dtype=pl.Datetime("us", "UTC"))
    assert local_times(column, tz).to_list() == [as_if_utc(at, tz) for at in times]


@pytest.mark.parametrize("name", NAMES)
def test_local_times_agree_on_each_column_engine(name):
    last = datetime(2024, 6, 15, tzinfo=UTC)
    first, tz = last - timedelta(days=730), zone(name)
    changes = [since for since, _ in utc_offsets(first, last, tz)]
    times = sorted({first, last, *(c + timedelta(microseconds=n) for c in changes[1:] for n in (-1, 0, 1))})
    frame = pl.DataFrame({"at": times}, schema={"at": pl.Datetime("us", "UTC")})
    columns = {"local_time": local_time(nw.col("at"), first, last, tz)}
    expected = [as_if_utc(at, tz) for at in times]
    assert nw.from_native(frame).with_columns(**columns)["local_time"].to_list() == expected
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("frame", frame.to_arrow())
        assert (
            nw.from_native(db.sql("FROM frame")).with_columns(**columns).to_native().pl()["local_time"].to_list()
            == expected
        )


@settings(max_examples=100, deadline=None)
@given(ZONES, MOMENTS, st.integers(0, 30))
@example(zone("Asia/Shanghai"), datetime(2024, 3, 30, 16, tzinfo=UTC), 1)  # 31 March there: 29 February
def test_months_before_a_moment_keep_the_local_time(tz, at, months):
    earlier, local = months_before(at, months, tz).astimezone(tz), at.astimezone(tz)
    assert (local.year - earlier.year) * 12 + local.month - earlier.month == months
    if not _has_change(earlier, tz):
        assert earlier.timetz().replace(tzinfo=None) == local.timetz().replace(tzinfo=None)
        assert earlier.day == min(local.day, monthrange(earlier.year, earlier.month)[1])


def _has_change(at: datetime, tz: object) -> bool:
    """Whether the clocks were changed within a day or so of it."""
    return len(utc_offsets(at.astimezone(UTC) - timedelta(days=2), at.astimezone(UTC), tz)) > 1  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(ZONES, MOMENTS, st.timedeltas(timedelta(0), timedelta(hours=30)))
def test_the_latest_local_time_never_decreases(tz, at, later):
    assert as_if_utc(at, tz) <= latest_local_time(at, tz) <= latest_local_time(at + later, tz)


def test_after_clocks_go_back_the_latest_local_time_stays():
    tz, change = zone("America/New_York"), datetime(2024, 11, 3, 6, tzinfo=UTC)
    assert latest_local_time(change, tz) == datetime(2024, 11, 3, 1, 59, 59, 999999, tzinfo=UTC)
    assert latest_local_time(change + timedelta(hours=1), tz) == datetime(2024, 11, 3, 2, tzinfo=UTC)
