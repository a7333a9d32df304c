"""The flow of money through them: how much of what comes in leaves again at once, and the balance of in and out."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.catalog import MOST_MONEY
from graph.features.exact import SUMS, Frame, integer, minutes, ratio, total
from graph.features.payments import lately

DAY: Final = 24  # hours
MOST_HOURLY: Final = MOST_MONEY // (366 * DAY + 1)  # more in an hour is taken as that, so that no sum overflows


def passed_on(paid: Frame, received: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """What `came`, and what of it was `passed` on: one row per `person` who received in the last twelve months.

    Money of an hour of receipt is passed on by what is paid in that hour and the 24 after it; a payment is of money of
    its hour and the 24 before. What one receipt and one payment account for may overlap with others', so each way
    of counting alone says too much; the less of the two is taken. Hours, not moments, bound the pairs that are looked
    at by the hours of a year, whoever receives and pays a million times. Cost: two groupings and two joins by day.
    """
    came = _hourly(_with_hour(lately(received, as_of, zone)))
    days = nw.concat([came.with_columns(day=nw.col("hour") // DAY + later) for later in (0, 1)])
    spent = _with_hour(lately(paid, as_of, zone)).with_columns(day=nw.col("hour") // DAY)
    near = _hourly(spent.join(days.select("person", "day").unique(), on=["person", "day"], how="semi"))
    went = near.select("person", day=nw.col("hour") // DAY, left="hour", went="money")
    pairs = days.select("person", "day", "hour", came="money").join(went, on=["person", "day"], how="inner")
    within = pairs.filter(nw.col("left") >= nw.col("hour"), nw.col("left") <= nw.col("hour") + DAY)
    forth = _covered(within, "hour", "came", "went").select("person", forth="covered")
    back = _covered(within, "left", "went", "came").select("person", back="covered")
    less = nw.min_horizontal("forth", "back")
    passed = forth.join(back, on="person", how="inner").select("person", passed=less)
    everything = came.group_by("person").agg(nw.col("money").sum().alias("came"))
    return everything.join(passed, on="person", how="left").select("person", nw.col("came").cast(nw.Int64()), "passed")


def share_passed_on() -> nw.Expr:
    """`capacity.passed_on` from what came and what was passed on; takings and spending are of one currency."""
    share = ratio(nw.coalesce("passed", integer(0)), nw.col("came"))
    return nw.when(_of_one_currency()).then(share)


def inflow_share() -> nw.Expr:
    """`capacity.inflow_share` from takings and spending, of one currency."""
    taken, spent = nw.coalesce("taken", integer(0)), nw.coalesce("spent", integer(0))
    return nw.when(_of_one_currency()).then(ratio(taken, taken + spent))


def _of_one_currency() -> nw.Expr:
    """Whether takings and spending are both of one currency, the same, or one of them nothing."""
    taken_in = nw.coalesce("taken in", nw.when(nw.col("taken").is_null()).then(nw.col("spent in")))
    spent_in = nw.coalesce("spent in", nw.when(nw.col("spent").is_null()).then(nw.col("taken in")))
    return taken_in == spent_in


def _with_hour(payments: Frame) -> Frame:
    """With the `hour` of the clock, counted since 1900."""
    return payments.select("person", "millions", "rest", hour=minutes(nw.col("happened_at")) // 60)


def _hourly(payments: Frame) -> Frame:
    """By `person` and `hour`: the `money`."""
    sums = payments.group_by("person", "hour").agg(*SUMS)
    return sums.select("person", "hour", total(MOST_HOURLY).alias("money"))


def _covered(near: Frame, hour: str, money: str, other: str) -> Frame:
    """By `person`: of the `money` of each `hour`, what the `other` money near it amounts to, at most all of it."""
    hourly = near.group_by("person", hour).agg(nw.col(money).max(), nw.col(other).sum())
    least = nw.min_horizontal(nw.col(money), nw.col(other).cast(nw.Int64()))
    by_person = hourly.select("person", covered=least).group_by("person").agg(nw.col("covered").sum())
    return by_person.with_columns(nw.col("covered").cast(nw.Int64()))
