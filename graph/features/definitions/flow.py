"""The flow of money through a person: the share that leaves again at once, and the balance of money in and out."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.catalog import MAX_MONEY
from graph.features.integer_math import SUMS, Frame, integer, minutes, ratio, total
from graph.features.payments import last_year

HOURS_A_DAY: Final = 24  # hours
MAX_HOURLY: Final = MAX_MONEY // (
    366 * HOURS_A_DAY + 1
)  # we clip the money of an hour to this, so that no sum overflows


def pass_through(paid: Frame, received: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Sum the money that `came`, and the part that was `passed` on: one row for each `person` who received in the last
    twelve months.

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
    return total_inflow.join(passed, on="person", how="left").select(
        "person", nw.col("incoming").cast(nw.Int64()), "passed"
    )


def pass_through_share() -> nw.Expr:
    """Compute `capacity.pass_through_share` from money received and passed on, if takings and spending are in one
    currency.
    """
    share = ratio(nw.coalesce("passed", integer(0)), nw.col("incoming"))
    return nw.when(_is_one_currency()).then(share)


def net_inflow_share() -> nw.Expr:
    """Compute `capacity.net_inflow_share` from takings and spending, in one currency."""
    takings, spending = nw.coalesce("takings", integer(0)), nw.coalesce("spent", integer(0))
    return nw.when(_is_one_currency()).then(ratio(takings, takings + spending))


def _is_one_currency() -> nw.Expr:
    """Whether takings and spending are both in the same single currency, or one of them is empty."""
    taken_in = nw.coalesce("takings currency", nw.when(nw.col("takings").is_null()).then(nw.col("spent in")))
    spent_in = nw.coalesce("spent in", nw.when(nw.col("spent").is_null()).then(nw.col("takings currency")))
    return taken_in == spent_in


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
