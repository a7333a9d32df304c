"""The flow of money through a person: the share that leaves again at once."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.catalog import MAX_MONEY
from graph.features.integer_math import (
    CURRENCIES,
    ONE_CURRENCY,
    SUMS,
    Frame,
    integer,
    minutes,
    ratio,
    total,
)
from graph.features.payments import last_year

HOURS_A_DAY: Final = 24  # hours
MAX_HOURLY: Final = MAX_MONEY // (
    366 * HOURS_A_DAY + 1
)  # we clip the money of an hour to this, so that no sum overflows


def pass_through(paid: Frame, received: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Compute `capacity.pass_through_share`, the part of the money received that was paid on: one row for each `person` who
    received in the last twelve months. Missing if the payments of the whole window have several currencies.

    Money received in an hour counts as passed on if it is paid in that hour or in the 24 hours after it. A payment
    counts for money of its own hour and of the 24 before. Receipts and payments may overlap in time, so each way of
    counting alone gives too much; we take the smaller one. We group by hours, not moments, so that the pairs are
    limited by the hours of a year, even for a person with a million payments. Cost: two groupings and two joins by day.
    """
    inflow = _hourly(_with_hour(last_year(received, as_of, zone)))
    days = nw.concat([inflow.with_columns(day=nw.col("hour") // HOURS_A_DAY + later) for later in (0, 1)])
    spent = _with_hour(last_year(paid, as_of, zone)).with_columns(day=nw.col("hour") // HOURS_A_DAY)
    near = _hourly(spent.join(days.select("person", "day").unique(), on=["person", "day"], how="semi"))
    outflow = near.select("person", day=nw.col("hour") // HOURS_A_DAY, left="hour", outgoing="money")
    pairs = days.select("person", "day", "hour", incoming="money").join(outflow, on=["person", "day"], how="inner")
    within = pairs.filter(nw.col("left") >= nw.col("hour"), nw.col("left") <= nw.col("hour") + HOURS_A_DAY)
    forth = _matched_money(within, "hour", "incoming", "outgoing").select("person", forth="covered")
    back = _matched_money(within, "left", "outgoing", "incoming").select("person", back="covered")
    less = nw.min_horizontal("forth", "back")
    passed = forth.join(back, on="person", how="inner").select("person", passed=less)
    total_inflow = inflow.group_by("person").agg(nw.col("money").sum().alias("incoming"))
    whole = total_inflow.with_columns(nw.col("incoming").cast(nw.Int64()))
    share = ratio(nw.coalesce("passed", integer(0)), nw.col("incoming"))
    return (
        whole.join(passed, on="person", how="left")
        .join(_currencies(paid, received), on="person", how="left")
        .select("person", nw.when(ONE_CURRENCY).then(share).alias("capacity.pass_through_share"))
    )


def _currencies(paid: Frame, received: Frame) -> Frame:
    """The first and last currency of the payments of each `person`."""
    both = nw.concat([paid.select("person", "currency"), received.select("person", "currency")])
    return both.group_by("person").agg(*CURRENCIES)


def _with_hour(payments: Frame) -> Frame:
    """Add the `hour` of the local clock, counted since 1900."""
    return payments.select("person", "millions", "rest", hour=minutes(nw.col("happened_at")) // 60)


def _hourly(payments: Frame) -> Frame:
    """Sum the `money` by `person` and `hour`."""
    sums = payments.group_by("person", "hour").agg(*SUMS)
    return sums.select("person", "hour", total(MAX_HOURLY).alias("money"))


def _matched_money(near: Frame, hour: str, money: str, other: str) -> Frame:
    """For each `person`, sum the part of the `money` of each `hour` that the `other` money near it covers, at most all
    of it.
    """
    hourly = near.group_by("person", hour).agg(nw.col(money).max(), nw.col(other).sum())
    least = nw.min_horizontal(nw.col(money), nw.col(other).cast(nw.Int64()))
    by_person = hourly.select("person", covered=least).group_by("person").agg(nw.col("covered").sum())
    return by_person.with_columns(nw.col("covered").cast(nw.Int64()))
