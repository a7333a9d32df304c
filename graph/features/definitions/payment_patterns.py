"""Patterns of payments: loyalty to payees, regularity and rhythm."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.evidence.calendar import months_before
from graph.features.integer_math import Frame, indicator, integer, minutes, ratio
from graph.features.payments import YEAR_MONTHS, in_full_months, last_year

HALF_YEAR_MONTHS: Final = 6  # calendar months
REGULAR_MONTHS: Final = 6  # of twelve months: includes a bill that is due every other month
MIN_INTERVALS: Final = 5
MAX_INTERVALS: Final = 3 * 10**7  # times the squared minutes of a year, this stays within 64 bits


def habits(paid: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Find repeated payees: one row for each `person` who paid in the last year or the twelve full months.

    We group three times, each time into fewer rows: by party and month, by party, by person.
    """
    year, half = months_before(as_of, YEAR_MONTHS, zone), months_before(as_of, HALF_YEAR_MONTHS, zone)
    at, full = nw.col("happened_at"), in_full_months(as_of, zone)
    monthly = (
        paid.filter((at > year) | full)
        .group_by("person", "party", "month")
        .agg(
            nw.len().cast(nw.Int64()).alias("payments"),
            indicator((at > year) & (at <= half)).max().alias("earlier"),
            indicator(at > half).max().alias("later"),
        )
    )
    by_party = (
        monthly.with_columns(full=indicator(full))
        .with_columns(payments=nw.col("payments") * nw.col("full"))
        .group_by("person", "party")
        .agg(nw.col("payments", "full").sum(), nw.col("earlier", "later").max())
    )
    regular = nw.when(nw.col("full") >= REGULAR_MONTHS).then(nw.col("payments")).otherwise(integer(0))
    by_person = (
        by_party.with_columns(regular=regular, retained=nw.col("earlier") * nw.col("later"))
        .group_by("person")
        .agg(nw.col("payments", "regular", "earlier", "retained").sum())
        .with_columns(nw.col("payments", "regular", "earlier", "retained").cast(nw.Int64()))
    )
    return by_person.select(
        "person",
        ratio(nw.col("retained"), nw.col("earlier")).alias("behaviour.payee_retention"),
        ratio(nw.col("regular"), nw.col("payments")).alias("behaviour.regularity"),
    )


def burstiness(paid: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Compute the rhythm of payments: one row for each `person` who paid in the last twelve months."""
    payments = last_year(paid, as_of, zone).select("person", at=minutes(nw.col("happened_at")))
    gap = nw.col("at") - nw.col("at").shift(1).over("person", order_by="at")
    by_person = (
        payments.with_columns(square=gap * gap)
        .group_by("person")
        .agg(
            nw.col("square").sum(),
            nw.len().alias("payments"),
            nw.col("at").min().alias("first"),
            nw.col("at").max().alias("last"),
        )
        .with_columns(nw.col("square", "payments").cast(nw.Int64()))
    )
    intervals, length = nw.col("payments") - 1, nw.col("last") - nw.col("first")
    return by_person.select("person", _burstiness(intervals, length, nw.col("square")).alias("behaviour.burstiness"))


def _burstiness(intervals: nw.Expr, total: nw.Expr, squares: nw.Expr) -> nw.Expr:
    """Return (s - m) / (s + m) in hundredths, halves up. s is the deviation and m the mean of `intervals` intervals
    with sum `total`.

    We multiply both by the number of intervals: m becomes the total, and s the root of intervals x squares - total^2,
    which integers hold exactly. Then one root, one division and one rounding of IEEE 754 follow, which are the same on
    every engine.
    """
    is_known = (intervals >= MIN_INTERVALS) & (intervals <= MAX_INTERVALS) & (total > 0)
    deviation = (intervals.clip(upper_bound=MAX_INTERVALS) * squares - total * total).cast(nw.Float64()).sqrt()
    mean = nw.when(is_known).then(total.cast(nw.Float64()))
    return ((deviation - mean) * 100 / (deviation + mean) + 0.5).floor().cast(nw.Int64())
