"""Bursts of many parties at once, as money is collected and scattered. Apart from reputation: no score reads them."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.features.exact import Frame, integer, microseconds
from graph.features.payments import lately

WEEK: Final = 7 * 24 * 3600 * 10**6  # microseconds


def fan(payments: Frame, as_of: datetime, zone: tzinfo, name: str) -> Frame:
    """As `name`, the most different parties within any seven days of the last twelve months: one row per `person`.

    Any seven days: from a moment to, and without, the same moment a week later. A payment makes its party present until
    a week has gone by. Within one block of seven days the presences of a party are one, from the first payment until a
    week after the last; it is joined to that of the block before, and to no other, since it ends within the next block.
    Comings and goings are then summed in order of time, goings first at one moment. Cost: O(payments log payments).
    """
    at = lately(payments, as_of, zone).select("person", "party", at=microseconds(nw.col("happened_at")))
    blocks = (
        at.with_columns(block=nw.col("at") // WEEK)
        .group_by("person", "party", "block")
        .agg(nw.col("at").min().alias("first"), nw.col("at").max().alias("last"))
    )
    before = blocks.select("person", "party", block=nw.col("block") + 1, gone=nw.col("last") + WEEK)
    spans = blocks.join(before, on=["person", "party", "block"], how="left")
    come = spans.select("person", moment=nw.max_horizontal("first", "gone") * 2 + 1, change=integer(1))
    go = spans.select("person", moment=(nw.col("last") + WEEK) * 2, change=integer(-1))
    present = nw.col("change").cum_sum().over("person", order_by="moment").cast(nw.Int64())
    return nw.concat([come, go]).with_columns(present.alias(name)).group_by("person").agg(nw.col(name).max())
