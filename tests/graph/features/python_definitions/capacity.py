"""Income, spending and balances: can the person afford an obligation?"""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.catalog import MAX_MONEY
from graph.evidence.calendar import months_before
from graph.features.integer_math import (
    CURRENCIES,
    ONE_CURRENCY,
    SUMS,
    Frame,
    distinct,
    indicator,
    integer,
    ratio,
    total,
)
from tests.graph.features.python_definitions.payments import WINDOW_MONTHS, YEAR_MONTHS, in_full_months

MAX_BALANCE: Final = 10**13  # minor units; we clip a reading to this, so that no sum overflows


def income(received: Frame, as_of: datetime, zone: tzinfo, categories: tuple[str, ...]) -> Frame:
    """Sum the payments of these categories, such as wages: one row for each `person` who received any."""
    regular = received.filter(nw.col("category").is_in(list(categories)))
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
        ratio(nw.col("full months"), integer(YEAR_MONTHS)).alias("capacity.income_regularity"),
    )


def takings(received: Frame) -> Frame:
    """Sum all money received: one row for each `person` who received. `takings`, `takings currency` (null: more than one
    currency).
    """
    by_person = received.group_by("person").agg(*CURRENCIES, *SUMS)
    return by_person.select(
        "person", total().alias("takings"), nw.when(ONE_CURRENCY).then(nw.col("currency")).alias("takings currency")
    )


def spending_steadiness(paid: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Divide mean by highest monthly spending: one row for each `person` who paid in the last twelve full months."""
    monthly = paid.filter(in_full_months(as_of, zone)).group_by("person", "month").agg(*CURRENCIES, *SUMS)
    monthly_totals = monthly.select(
        "person", "currency", "last currency", total(MAX_MONEY // YEAR_MONTHS).alias("spent")
    )
    by_person = monthly_totals.group_by("person").agg(
        nw.col("spent").sum().alias("all"),
        nw.col("spent").max().alias("highest"),
        nw.col("currency").min(),
        nw.col("last currency").max(),
    )
    share = ratio(nw.col("all").cast(nw.Int64()), nw.col("highest").cast(nw.Int64()) * YEAR_MONTHS)
    return by_person.select("person", nw.when(ONE_CURRENCY).then(share).alias("capacity.spending_steadiness"))


def balances(events: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Average the balances: one row for each `person` with a reading in the window. `balance` (the mean) and `balance currency`."""
    start = months_before(as_of, WINDOW_MONTHS, zone)
    readings = events.filter(nw.col("kind") == "account.balance", nw.col("for_subject"), nw.col("happened_at") > start)
    by_person = readings.group_by("subject").agg(
        nw.len().cast(nw.Int64()).alias("readings"),
        indicator(nw.col("amount") < 0).sum().alias("low"),
        nw.col("amount").clip(-MAX_BALANCE, MAX_BALANCE).sum().alias("sum"),
        *CURRENCIES,
    )
    mean = nw.col("sum").clip(lower_bound=0).cast(nw.Int64()) // nw.col("readings")
    return by_person.select(
        ratio(nw.col("low").cast(nw.Int64()), nw.col("readings")).alias("capacity.balance_low_share"),
        mean.alias("balance"),
        nw.when(ONE_CURRENCY).then(nw.col("currency")).alias("balance currency"),
        person="subject",
    )


def balance_months() -> nw.Expr:
    """Compute `capacity.balance_months` from mean balance and spending, if both are in the same single currency."""
    return nw.when(nw.col("balance currency") == nw.col("spent in")).then(
        ratio(nw.col("balance") * WINDOW_MONTHS, nw.col("spent"))
    )


def income_cover() -> nw.Expr:
    """Compute `capacity.income_cover` from takings and spending, if both are in the same single currency or there are
    no takings.
    """
    same_currency = nw.col("takings").is_null() | (nw.col("takings currency") == nw.col("spent in"))
    is_known = same_currency & ~nw.col("spent in").is_null()
    return nw.when(is_known).then(ratio(nw.coalesce(nw.col("takings"), integer(0)), nw.col("spent")))
