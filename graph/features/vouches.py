"""What people say of each other, for and against, and how far to believe who says it.

Global: what counts is who says it, and what else they say. The one place where a vouch against someone (a doubt) is read; a
policy forbids that any feature of relationships takes points away.
"""

from typing import Final

import numpy as np
import polars as pl

from graph.build import numbers
from graph.features.rounded import rounded
from graph.signed import Ratings, fairness_and_goodness, weighted_mean

NAMES: Final = ("relationships.goodness", "relationships.fairness", "relationships.vouch_mean")
TEN: Final = 10  # the highest strength
SHARE: Final = 100  # hundredths of an even share of trust: more does not make a vouch weigh more
WALK: Final = "relationships.walk"


def said(told: pl.DataFrame) -> pl.DataFrame:
    """The vouches of `graph.build.told_rows`, for and against, in order; one of strength 0 says nothing."""
    return told.filter(pl.col("tie") == "vouch", pl.col("strength") != 0).sort("a", "b")


def vouches(said: pl.DataFrame, walk: pl.DataFrame) -> pl.DataFrame:
    """`person` and the features of `NAMES`: one row each who vouched for or against someone, or of whom someone did.

    `walk` has that feature of every rater. In `vouch_mean` a vouch weighs its rater's fairness times their walk, at most 1: whose vouches
    are unlike everyone's, or whom no trust reaches, counts little. Missing where trust comes from nobody.
    Cost: O(vouches) a round, under 50 rounds.
    """
    people = pl.concat([said["a"], said["b"]]).unique().sort().alias("person")
    rating = said["strength"].cast(pl.Float64).to_numpy() / TEN
    ratings = Ratings(len(people), numbers(said["a"], people), numbers(said["b"], people), rating)
    fairness, goodness = fairness_and_goodness(ratings)
    reach = people.to_frame().join(walk, on="person", how="left", maintain_order="left")[WALK]
    capped = reach.clip(0, SHARE).cast(pl.Float64).to_numpy() / SHARE
    mean = weighted_mean(ratings, np.nan_to_num(fairness) * capped)
    found = zip(NAMES, (goodness, fairness, mean), strict=True)
    return people.to_frame().with_columns(rounded(values, 2).alias(name) for name, values in found)
