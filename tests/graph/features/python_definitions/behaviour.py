"""Payments made: totals, numbers of counterparties, steadiness."""

from datetime import datetime

import narwhals as nw

from graph.features.integer_math import (
    CURRENCIES,
    ONE_CURRENCY,
    SUMS,
    Frame,
    days_between,
    distinct,
    indicator,
    total,
)


def spending(paid: Frame, as_of: datetime) -> Frame:
    """Return one row for each `person` with payments. Other features use `spent` and `spent in` (null: more than one
    currency).
    """
    by_person = paid.group_by("person").agg(
        nw.len().alias("behaviour.payments"),
        nw.col("month").n_unique().alias("behaviour.active_months"),
        distinct(nw.col("category")).alias("behaviour.categories"),
        nw.col("happened_at").max().alias("last"),
        *CURRENCIES,
        *SUMS,
    )
    return by_person.select(
        "person",
        "behaviour.payments",
        "behaviour.active_months",
        "behaviour.categories",
        days_between(nw.col("last"), nw.lit(as_of)).alias("behaviour.recency_days"),
        total().alias("spent"),
        nw.when(ONE_CURRENCY).then(nw.col("currency")).alias("spent in"),
    )


def counterparties(paid: Frame, received: Frame, enrolled: Frame) -> tuple[Frame, Frame]:
    """Count payees, one row for each `person` who paid, and payers, one row for each `person` who received.

    `enrolled` has the people of the whole view, as `person`: a party in it is a person.
    """
    out = paid.select("person", "party").unique()
    back = received.select("person", "party").unique()
    people = enrolled.select(human=nw.lit(1), party="person")
    payees = (
        out.join(people, on="party", how="left")
        .group_by("person")
        .agg(
            nw.len().alias("behaviour.payees"),
            indicator(nw.col("human") == 1).sum().alias("behaviour.out_counterparties"),
        )
    )
    payers = (
        back.join(people, on="party", how="left")
        .group_by("person")
        .agg(
            nw.len().alias("capacity.distinct_payers"),
            indicator(nw.col("human") == 1).sum().alias("behaviour.in_counterparties"),
        )
    )
    return payees, payers
