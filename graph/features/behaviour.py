"""What they pay, to how many, how steadily; the parties at the other end of their payments."""

from datetime import datetime

import narwhals as nw

from graph.features.exact import CURRENCIES, ONE_CURRENCY, SUMS, Frame, counted, days_between, distinct, ratio, total


def spending(paid: Frame, as_of: datetime) -> Frame:
    """One row per `person` who paid. `spent` and `spent in` (null: in more than one currency) are for other features."""
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
    """Whom they paid, one row per `person` who paid; and who paid them, one row per `person` who received.

    `enrolled` has the people of the whole view, `person`: a party that is one of them is a person.
    """
    out = paid.select("person", "party").unique()
    back = received.select("person", "party").unique()
    people = enrolled.select(human=nw.lit(1), party="person")
    known = out.join(back.with_columns(mutual=nw.lit(1)), on=["person", "party"], how="left")
    payees = (
        known.join(people, on="party", how="left")
        .group_by("person")
        .agg(
            nw.len().alias("behaviour.payees"),
            counted(nw.col("mutual") == 1).sum().alias("mutual"),
            counted(nw.col("human") == 1).sum().alias("behaviour.out_counterparties"),
        )
    )
    payers = (
        back.join(people, on="party", how="left")
        .group_by("person")
        .agg(
            nw.len().alias("capacity.payers"),
            counted(nw.col("human") == 1).sum().alias("behaviour.in_counterparties"),
        )
    )
    share = ratio(nw.col("mutual").cast(nw.Int64()), nw.col("behaviour.payees").cast(nw.Int64()))
    return payees.with_columns(share.alias("behaviour.reciprocity")), payers
