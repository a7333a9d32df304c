"""Who stands by them: their own ties, now and half a year ago.

Positive only: no tie lowers anyone, and what a tied person does never counts.
"""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.build import ties_in_force
from graph.calendar import months_before
from graph.features.exact import Frame, counted, ratio

HALF_YEAR: Final = 6  # months


def ties(live: Frame) -> Frame:
    """Their own ties, of those in force: one row per `person` with any.

    A vouch counts for whom it is for: nobody gains by giving it.
    """
    return (
        _standing(live)
        .group_by("person")
        .agg(
            nw.col("party").n_unique().alias("relationships.degree"),
            counted(nw.col("tie") == "household").sum().alias("relationships.household"),
            counted(nw.col("tie") == "vouch").sum().alias("relationships.vouches"),
        )
    )


def kept(events: Frame, live: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Who stayed, of those tied six months before `as_of`: one row per `person` who had any then.

    `events` is a view as of now, so that what a person does not consent to any more counts neither then nor now.
    """
    then = ties_in_force(events.filter(nw.col("happened_at") <= months_before(as_of, HALF_YEAR, zone)))
    pair = ["person", "party"]
    now = _standing(live).select(pair).unique().with_columns(still=nw.lit(1))
    both = _standing(then).select(pair).unique().join(now, on=pair, how="left")
    found = both.group_by("person").agg(counted(nw.col("still") == 1).sum().alias("stayed"), nw.len().alias("had"))
    share = ratio(nw.col("stayed").cast(nw.Int64()), nw.col("had").cast(nw.Int64()))
    return found.select("person", share.alias("relationships.ties_kept"))


def _standing(live: Frame) -> Frame:
    """`party` stands by `person`, by a `tie`."""
    forth = live.filter(nw.col("tie") != "vouch").select("tie", person="a", party="b")
    return nw.concat([forth, live.select("tie", person="b", party="a")])
