"""What is worked out from changes of the clocks is what the zone itself says, on every engine and in every year."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.lang.timezones import zone
from graph.calendar import latest_shown, months_before, on_clocks, shown, stretches

# Summer time, half an hour of it, two of them, a day that was left out, clocks that changed for good, seconds of sun time.
NAMES = ("UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia")
ZONES = st.sampled_from((*NAMES, "Asia/Kathmandu", "Europe/London", "America/Sao_Paulo")).map(zone)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def as_if_utc(at: datetime, there: object) -> datetime:
    return at.astimezone(there).replace(tzinfo=UTC)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(ZONES, st.lists(MOMENTS, min_size=1, max_size=4), st.integers(-1, 1))
def test_clocks_show_what_the_zone_says_also_about_their_changes(there, moments, slip):
    first = min(moments)
    changes = [since for since, _ in stretches(first, first + timedelta(days=800), there)]
    every = [*moments, *(at + timedelta(microseconds=slip) for at in changes[1:])]
    column = pl.Series(every, dtype=pl.Datetime("us", "UTC"))
    assert shown(column, there).to_list() == [as_if_utc(at, there) for at in every]


@pytest.mark.parametrize("name", NAMES)
def test_they_do_so_on_each_column_engine(name):
    last = datetime(2024, 6, 15, tzinfo=UTC)
    first, there = last - timedelta(days=730), zone(name)
    changes = [since for since, _ in stretches(first, last, there)]
    every = sorted({first, last, *(c + timedelta(microseconds=n) for c in changes[1:] for n in (-1, 0, 1))})
    frame = pl.DataFrame({"at": every}, schema={"at": pl.Datetime("us", "UTC")})
    what = {"shown": on_clocks(nw.col("at"), first, last, there)}
    expected = [as_if_utc(at, there) for at in every]
    assert nw.from_native(frame).with_columns(**what)["shown"].to_list() == expected
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("frame", frame.to_arrow())
        assert nw.from_native(db.sql("FROM frame")).with_columns(**what).to_native().pl()["shown"].to_list() == expected


@settings(max_examples=100, deadline=None)
@given(ZONES, MOMENTS, st.integers(0, 30))
@example(zone("Asia/Shanghai"), datetime(2024, 3, 30, 16, tzinfo=UTC), 1)  # 31 March there: 29 February
def test_so_many_months_before_clocks_showed_the_same_of_another_month(there, at, months):
    then, here = months_before(at, months, there).astimezone(there), at.astimezone(there)
    assert (here.year - then.year) * 12 + here.month - then.month == months
    if not _changed(then, there):
        assert then.timetz().replace(tzinfo=None) == here.timetz().replace(tzinfo=None)
        assert then.day == min(here.day, monthrange(then.year, then.month)[1])


def _changed(at: datetime, there: object) -> bool:
    """Whether the clocks were changed within a day or so of it."""
    return len(stretches(at.astimezone(UTC) - timedelta(days=2), at.astimezone(UTC), there)) > 1  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(ZONES, MOMENTS, st.timedeltas(timedelta(0), timedelta(hours=30)))
def test_the_latest_that_clocks_have_shown_never_goes_back(there, at, later):
    assert as_if_utc(at, there) <= latest_shown(at, there) <= latest_shown(at + later, there)


def test_clocks_that_were_put_back_have_shown_the_hour_already():
    there, change = zone("America/New_York"), datetime(2024, 11, 3, 6, tzinfo=UTC)
    assert latest_shown(change, there) == datetime(2024, 11, 3, 1, 59, 59, 999999, tzinfo=UTC)
    assert latest_shown(change + timedelta(hours=1), there) == datetime(2024, 11, 3, 2, tzinfo=UTC)
