"""What comes in, what goes out, what is left: can they carry what they promise."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.calendar import months_before
from graph.catalog import MOST_MONEY
from graph.features.exact import (
    CURRENCIES,
    ONE_CURRENCY,
    SUMS,
    Frame,
    counted,
    distinct,
    integer,
    ratio,
    total,
)
from graph.features.payments import WINDOW, YEAR, in_full_months
from graph.vocabulary import INCOME

MOST_BALANCE: Final = 10**13  # minor units; a reading beyond is taken as that, so that no sum overflows


def income(received: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Wages, pensions and benefits: one row per `person` who received any."""
    regular = received.filter(nw.col("category").is_in(list(INCOME)))
    full = nw.when(in_full_months(as_of, zone)).then(nw.col("month"))
    by_person = (
        regular.with_columns(full.alias("full month"))
        .group_by("person")
        .agg(
            nw.col("month").n_unique().alias("capacity.income_months"),
            distinct(nw.col("full month")).alias("full months"),
            *CURRENCIES,
            *SUMS,
        )
    )
    return by_person.select(
        "person",
        "capacity.income_months",
        total().alias("earned"),
        nw.when(ONE_CURRENCY).then(nw.col("currency")).alias("earned in"),
        ratio(nw.col("full months"), integer(YEAR)).alias("capacity.income_regularity"),
    )


def takings(received: Frame) -> Frame:
    """All that came in: one row per `person` who received. `taken`, `taken in` (null: in more than one currency)."""
    by_person = received.group_by("person").agg(*CURRENCIES, *SUMS)
    return by_person.select(
        "person", total().alias("taken"), nw.when(ONE_CURRENCY).then(nw.col("currency")).alias("taken in")
    )


def steadiness(paid: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Mean over highest monthly spending: one row per `person` who paid in the last twelve full months."""
    monthly = paid.filter(in_full_months(as_of, zone)).group_by("person", "month").agg(*CURRENCIES, *SUMS)
    spent = monthly.select("person", "currency", "last currency", total(MOST_MONEY // YEAR).alias("spent"))
    by_person = spent.group_by("person").agg(
        nw.col("spent").sum().alias("all"),
        nw.col("spent").max().alias("highest"),
        nw.col("currency").min(),
        nw.col("last currency").max(),
    )
    share = ratio(nw.col("all").cast(nw.Int64()), nw.col("highest").cast(nw.Int64()) * YEAR)
    return by_person.select("person", nw.when(ONE_CURRENCY).then(share).alias("capacity.spending_steadiness"))


def balances(events: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """What the accounts hold: one row per `person` with a reading in the window. `held`: the mean, `held in`."""
    start = months_before(as_of, WINDOW, zone)
    read = events.filter(nw.col("kind") == "account.balance", nw.col("for_subject"), nw.col("happened_at") > start)
    by_person = read.group_by("subject").agg(
        nw.len().cast(nw.Int64()).alias("readings"),
        counted(nw.col("amount") < 0).sum().alias("low"),
        nw.col("amount").clip(-MOST_BALANCE, MOST_BALANCE).sum().alias("sum"),
        *CURRENCIES,
    )
    mean = nw.col("sum").clip(lower_bound=0).cast(nw.Int64()) // nw.col("readings")
    return by_person.select(
        ratio(nw.col("low").cast(nw.Int64()), nw.col("readings")).alias("capacity.balance_low_share"),
        mean.alias("held"),
        nw.when(ONE_CURRENCY).then(nw.col("currency")).alias("held in"),
        person="subject",
    )


def months_held() -> nw.Expr:
    """`capacity.balance_months` from the mean balance and the spending: both of one currency, the same."""
    return nw.when(nw.col("held in") == nw.col("spent in")).then(ratio(nw.col("held") * WINDOW, nw.col("spent")))


def cover() -> nw.Expr:
    """`capacity.income_cover` from takings and spending: both of one currency, the same, or nothing taken."""
    alike = nw.col("taken").is_null() | (nw.col("taken in") == nw.col("spent in"))
    known = alike & ~nw.col("spent in").is_null()
    return nw.when(known).then(ratio(nw.coalesce(nw.col("taken"), integer(0)), nw.col("spent")))
