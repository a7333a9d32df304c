"""A person's own ties, of half a year ago, that are still in force.

Positive only: no tie lowers a score, and the behaviour of a tied person never counts.
"""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.evidence.calendar import months_before
from graph.features.integer_math import Frame, indicator, ratio
from graph.network.build import ties_in_force

HALF_YEAR: Final = 6  # months


def tie_retention(events: Frame, live: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Compute the share of ties of six months before `as_of` that are still in force: one row for each `person` who had
    any then.

    `events` is a view as of now. So evidence without present consent counts neither then nor now.
    """
    earlier = ties_in_force(events.filter(nw.col("happened_at") <= months_before(as_of, HALF_YEAR, zone)))
    pair = ["person", "party"]
    current = supporting_ties(live).select(pair).unique().with_columns(still=nw.lit(1))
    pairs = supporting_ties(earlier).select(pair).unique().join(current, on=pair, how="left")
    counts = pairs.group_by("person").agg(indicator(nw.col("still") == 1).sum().alias("stayed"), nw.len().alias("had"))
    share = ratio(nw.col("stayed").cast(nw.Int64()), nw.col("had").cast(nw.Int64()))
    return counts.select("person", share.alias("relationships.ties_kept"))


def supporting_ties(live: Frame) -> Frame:
    """Return pairs of `person` and a `party` that supports the person by a `tie`."""
    forth = live.filter(nw.col("tie") != "vouch").select("tie", person="a", party="b")
    return nw.concat([forth, live.select("tie", person="b", party="a")])
