"""Vouches for and against people, weighted by the trust in the voucher.

Global: a vouch counts by its giver and by the giver's other vouches. We read vouches against a person (doubts) nowhere
else, and a policy forbids that any feature of relationships takes points away.
"""

from typing import Final

import numpy as np
import polars as pl

from graph.algorithms.signed_trust import Ratings, fairness_and_goodness, weighted_mean
from graph.features.rounding import round_half_up
from graph.network.build import positions

NAMES: Final = ("relationships.goodness", "relationships.fairness", "relationships.vouch_mean")
MAX_STRENGTH: Final = 10  # highest strength
EVEN_SHARE: Final = 100  # an even share of trust in hundredths: a larger share gives a vouch no more weight
WALK_FEATURE: Final = "relationships.walk_trust"


def select_vouches(tie_ratings: pl.DataFrame) -> pl.DataFrame:
    """Select vouches for and against from `graph.network.build.tie_rating_rows`, in order; a strength of 0 counts as no
    vouch.
    """
    return tie_ratings.filter(pl.col("tie") == "vouch", pl.col("strength") != 0).sort("a", "b")


def vouch_features(vouch_rows: pl.DataFrame, walk: pl.DataFrame) -> pl.DataFrame:
    """Return `person` and the features of `NAMES`: one row for each person who gave or received a vouch.

    `walk` has the feature `relationships.walk_trust` of every voucher. In `vouch_mean` the weight of a vouch is its
    giver's fairness times their walk trust, at most 1. So a vouch counts little if its giver disagrees with everyone or
    has no trust. Missing if trust starts at nobody. Cost: O(vouches) a round, under 50 rounds.
    """
    people = pl.concat([vouch_rows["a"], vouch_rows["b"]]).unique().sort().alias("person")
    rating = vouch_rows["strength"].cast(pl.Float64).to_numpy() / MAX_STRENGTH
    ratings = Ratings(len(people), positions(vouch_rows["a"], people), positions(vouch_rows["b"], people), rating)
    fairness, goodness = fairness_and_goodness(ratings)
    reach = people.to_frame().join(walk, on="person", how="left", maintain_order="left")[WALK_FEATURE]
    capped = reach.clip(0, EVEN_SHARE).cast(pl.Float64).to_numpy() / EVEN_SHARE
    mean = weighted_mean(ratings, np.nan_to_num(fairness) * capped)
    columns = zip(NAMES, (goodness, fairness, mean), strict=True)
    return people.to_frame().with_columns(round_half_up(values, 2).alias(name) for name, values in columns)
