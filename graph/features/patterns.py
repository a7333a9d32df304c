"""The patterns of what they pay: whether they stay with those they pay, how regularly, at what hours, in what rhythm."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.calendar import months_before
from graph.features.exact import Frame, counted, integer, minutes, ratio
from graph.features.payments import YEAR, in_full_months, lately

HALF: Final = 6  # calendar months
REGULAR: Final = 6  # of twelve months: a bill that comes every other month is regular
NIGHT_ENDS: Final = 6  # it begins at 0 o'clock
LEAST_INTERVALS: Final = 5
MOST_INTERVALS: Final = 3 * 10**7  # times the square of the minutes of a year, it is within 64 bits


def habits(paid: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Whom they go on paying: one row per `person` who paid in the last year or the twelve full months.

    Each party once a month first, then each party, then the person: three groupings, each of fewer rows.
    """
    year, half = months_before(as_of, YEAR, zone), months_before(as_of, HALF, zone)
    at, full = nw.col("happened_at"), in_full_months(as_of, zone)
    monthly = (
        paid.filter((at > year) | full)
        .group_by("person", "party", "month")
        .agg(
            nw.len().cast(nw.Int64()).alias("payments"),
            counted((at > year) & (at <= half)).max().alias("earlier"),
            counted(at > half).max().alias("later"),
        )
    )
    by_party = (
        monthly.with_columns(full=counted(full))
        .with_columns(payments=nw.col("payments") * nw.col("full"))
        .group_by("person", "party")
        .agg(nw.col("payments", "full").sum(), nw.col("earlier", "later").max())
    )
    regular = nw.when(nw.col("full") >= REGULAR).then(nw.col("payments")).otherwise(integer(0))
    by_person = (
        by_party.with_columns(regular=regular, kept=nw.col("earlier") * nw.col("later"))
        .group_by("person")
        .agg(nw.col("payments", "regular", "earlier", "kept").sum())
        .with_columns(nw.col("payments", "regular", "earlier", "kept").cast(nw.Int64()))
    )
    return by_person.select(
        "person",
        ratio(nw.col("kept"), nw.col("earlier")).alias("behaviour.payees_kept"),
        ratio(nw.col("regular"), nw.col("payments")).alias("behaviour.regularity"),
    )


def rhythm(paid: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """At what hours and after what intervals they pay: one row per `person` who paid in the last twelve months."""
    at, shown = nw.col("happened_at"), nw.col("shown")
    timed = shown != shown.dt.truncate("1d")
    night = timed & (shown.dt.hour() < NIGHT_ENDS)
    paying = lately(paid, as_of, zone).select("person", timed=counted(timed), night=counted(night), at=minutes(at))
    gap = nw.col("at") - nw.col("at").shift(1).over("person", order_by="at")
    by_person = (
        paying.with_columns(square=gap * gap)
        .group_by("person")
        .agg(
            nw.col("timed", "night", "square").sum(),
            nw.len().alias("payments"),
            nw.col("at").min().alias("first"),
            nw.col("at").max().alias("last"),
        )
        .with_columns(nw.col("timed", "night", "square", "payments").cast(nw.Int64()))
    )
    intervals, length = nw.col("payments") - 1, nw.col("last") - nw.col("first")
    return by_person.select(
        "person",
        ratio(nw.col("night"), nw.col("timed")).alias("behaviour.night_share"),
        _burstiness(intervals, length, nw.col("square")).alias("behaviour.burstiness"),
    )


def _burstiness(intervals: nw.Expr, total: nw.Expr, squares: nw.Expr) -> nw.Expr:
    """(s - m) / (s + m) in hundredths, halves up, s and m being deviation and mean of `intervals` of that `total`.

    Both times the number of intervals: m is the total, and s the root of intervals x squares - total^2, which whole
    numbers hold. What follows is one root, one division and one rounding of IEEE 754, the same on every engine.
    """
    known = (intervals >= LEAST_INTERVALS) & (intervals <= MOST_INTERVALS) & (total > 0)
    spread = (intervals.clip(upper_bound=MOST_INTERVALS) * squares - total * total).cast(nw.Float64()).sqrt()
    mean = nw.when(known).then(total.cast(nw.Float64()))
    return ((spread - mean) * 100 / (spread + mean) + 0.5).floor().cast(nw.Int64())
