"""Global features: those that need the evidence of everyone."""

from collections.abc import Collection
from datetime import UTC, datetime, tzinfo
from typing import Final

import polars as pl

from graph.catalog import FEATURES
from graph.features.definitions import position, rings, vouches
from graph.features.local_features import StageCallback, filter_consenting, ignore_stage
from graph.network.build import SocialLayer, social_layer

GLOBAL_NAMES: Final = (*position.NAMES, *vouches.NAMES, *rings.NAMES)  # need the evidence of everyone
GLOBAL_CLASSES: Final = (None, "identity", "relationship")  # of evidence that features of a whole layer need


def compute_global(
    view: pl.DataFrame,
    as_of: datetime,
    consents: pl.DataFrame,
    people: pl.Series,
    tie_ratings: pl.DataFrame,
    feature_names: Collection[str],
    on_stage: StageCallback = ignore_stage,
    zone: tzinfo = UTC,
    layer: SocialLayer | None = None,
) -> pl.DataFrame:
    """Compute the global features of `people`: `person` and at least those features of scope global that are in
    `feature_names`. Pass `layer` (that of the ties in force) if you have it already.
    """
    table = people.to_frame()
    if any(name in feature_names for name in (*position.NAMES, *vouches.NAMES)):
        table = table.join(
            filter_consenting(_social_features(view, people, tie_ratings, on_stage, layer), consents),
            on="person",
            how="left",
        )
    if any(name in feature_names for name in rings.NAMES):
        payments = rings.recent_payments(view, as_of, zone)
        table = table.join(ring_features(payments, people, consents), on="person", how="left")
        on_stage("global features: rings of payments")
    return _within_bounds(table)


def ring_features(payments: pl.DataFrame, people: pl.Series, consents: pl.DataFrame) -> pl.DataFrame:
    """Compute `person` and `fraud.rings` of those of `people` who consent, from `rings.recent_payments`."""
    return _within_bounds(filter_consenting(rings.ring_counts(payments, people), consents))


def _within_bounds(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col(f.name).clip(f.low, f.high) for f in FEATURES if f.name in table.columns)


def _social_features(
    view: pl.DataFrame, people: pl.Series, tie_ratings: pl.DataFrame, on_stage: StageCallback, layer: SocialLayer | None
) -> pl.DataFrame:
    """Compute the features of the whole social layer, and of the vouches, for `people`."""
    vouch_rows = vouches.select_vouches(tie_ratings)
    has_votes = people.is_in(pl.concat([vouch_rows["a"], vouch_rows["b"]]).implode()).any()
    raters = vouch_rows["a"].unique() if has_votes else vouch_rows["a"].clear()
    social = layer or social_layer(tie_ratings.filter(pl.col("strength") > 0))
    positions = position.position_features(social, _levels(view), pl.concat([people, raters]).unique())
    on_stage("global features: core, trust and walk over the social layer")
    ratings = vouches.vouch_features(
        vouch_rows if has_votes else vouch_rows.clear(), positions.select("person", vouches.WALK_FEATURE)
    )
    on_stage("global features: fairness and goodness of vouches")
    return positions.join(ratings, on="person", how="left")


def _levels(view: pl.DataFrame) -> pl.DataFrame:
    """Return `person` and `identity_level`: the highest level proved."""
    enrolled = view.filter(pl.col("kind") == "person.enrolled", pl.col("for_subject"))
    return enrolled.group_by(person="subject").agg(pl.col("identity_level").max())
