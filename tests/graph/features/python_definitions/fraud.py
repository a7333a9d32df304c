"""Bursts of many parties within a week, as when money is collected or scattered. No scorecard reads these features."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.features.integer_math import Frame, integer, microseconds
from tests.graph.features.python_definitions.payments import last_year

WEEK: Final = 7 * 24 * 3600 * 10**6  # microseconds


def fan(payments: Frame, as_of: datetime, zone: tzinfo, name: str) -> Frame:
    """Compute, as `name`, the most distinct parties within any seven days of the last twelve months: one row for each
    `person`.

    Any seven days: from a moment up to, but without, the same moment a week later. A payment makes its party present
    for a week. Within one block of seven days, we merge the presences of a party into one: from the first payment until
    a week after the last. We merge it with the presence of the block before and with no other, because each presence
    ends within the next block. Then we sum arrivals and departures in order of time, departures first at one moment.
    Cost: O(payments log payments).
    """
    moments = last_year(payments, as_of, zone).select("person", "party", at=microseconds(nw.col("happened_at")))
    blocks = (
        moments.with_columns(block=nw.col("at") // WEEK)
        .group_by("person", "party", "block")
        .agg(nw.col("at").min().alias("first"), nw.col("at").max().alias("last"))
    )
    before = blocks.select("person", "party", block=nw.col("block") + 1, departure=nw.col("last") + WEEK)
    spans = blocks.join(before, on=["person", "party", "block"], how="left")
    arrivals = spans.select("person", moment=nw.max_horizontal("first", "departure") * 2 + 1, change=integer(1))
    departures = spans.select("person", moment=(nw.col("last") + WEEK) * 2, change=integer(-1))
    present = nw.col("change").cum_sum().over("person", order_by="moment").cast(nw.Int64())
    return (
        nw.concat([arrivals, departures]).with_columns(present.alias(name)).group_by("person").agg(nw.col(name).max())
    )
