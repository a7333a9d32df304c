"""The features that need a whole graph, on the driver: from compressed edges, by the same algorithms as on one machine.

We collect the ties in force, and those payments of the last twelve months that can be part of a ring; for both, numbers stand for
people. The rest of the evidence stays on the cluster.
"""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

import narwhals as nw
import polars as pl

from graph.algorithms.rings import HUB_PAYMENTS, PaymentColumns, rings
from graph.catalog import FEATURES
from graph.evidence.calendar import months_before
from graph.features.definitions import position, structural_diversity, vouches
from graph.features.definitions import rings as ring_features
from graph.features.integer_math import Frame
from graph.network.build import positions, social_layer
from graph.spark.numbering import with_numbers
from graph.spark.view import collected

TIE_TYPE: Final = pl.Enum(["tie", "vouch"])  # in one byte
NOBODY: Final = -1  # stands for a person without ties: no number is negative
SOCIAL_NAMES: Final = (*position.NAMES, *structural_diversity.NAMES, *vouches.NAMES)
GRAPH_NAMES: Final = (*SOCIAL_NAMES, *ring_features.NAMES)


@dataclass(frozen=True)
class GraphFeatures:
    """Features by `number`, and those of a person whom the table lacks; values not yet cut by consent and bounds."""

    table: pl.DataFrame
    absent: dict[str, int | None]


def social_edges(ties: Frame, numbers: Frame) -> Frame:
    """The ties as numbers: `a`, `b`, `strength`, and whether it is a vouch."""
    edges = ties.select("a", "b", nw.col("strength").cast(nw.Int8()), vouch=nw.col("tie") == "vouch")
    return with_numbers(edges, numbers, "a", "b")


def social_features(ties: Frame, enrolled: Frame, numbers: Frame) -> GraphFeatures:
    """Compute the features of `SOCIAL_NAMES` on the driver.

    `ties` are those of `tie_ratings`; `enrolled` has `subject` and `identity_level`. Memory on the driver: 18 bytes a tie
    for the edges, and some 180 bytes a tie for the graphs.
    """
    edges = collected(social_edges(ties, numbers))
    tie = pl.when("vouch").then(pl.lit("vouch")).otherwise(pl.lit("tie")).cast(TIE_TYPE)
    rated = edges.select("a", "b", "strength", tie=tie)
    tie_ends = pl.concat([rated["a"], rated["b"]]).unique()
    levels = collected(with_numbers(tied_levels(enrolled, ties), numbers, "person"))
    layer = social_layer(rated.filter(pl.col("strength") > 0))
    people = pl.concat([tie_ends, pl.Series([NOBODY], dtype=pl.Int64)])
    near = structural_diversity.neighbourhood_features(layer)
    far = position.position_features(layer, levels, people)
    votes = vouches.vouch_features(vouches.select_vouches(rated), far.select("person", vouches.WALK_FEATURE))
    table = far.join(near, on="person", how="left").join(votes, on="person", how="left")
    table = table.with_columns(pl.col(*structural_diversity.NAMES).fill_null(0)).select("person", *SOCIAL_NAMES)
    absent = table.filter(pl.col("person") == NOBODY).row(0, named=True)
    return GraphFeatures(table.filter(pl.col("person") != NOBODY), {n: absent[n] for n in SOCIAL_NAMES})


def tied_levels(enrolled: Frame, ties: Frame) -> Frame:
    """The highest identity level of each person with ties."""
    ends = nw.concat([ties.select(person="a"), ties.select(person="b")]).unique()
    levels = enrolled.group_by("subject").agg(nw.col("identity_level").max())
    return levels.select("identity_level", person="subject").join(ends, on="person", how="semi")


def enrolled_rows(rows: Frame) -> Frame:
    """The enrolments that count."""
    return rows.filter(nw.col("kind") == "person.enrolled", nw.col("for_subject"))


def lending(edges: Frame) -> Frame:
    """Who lends trust to whom, one row a pair with its `weight`: a mutual tie both ways, a vouch only from its giver."""
    forth = edges.select("a", "b", "strength")
    back = edges.filter(nw.col("tie") != "vouch").select("strength", a="b", b="a").select("a", "b", "strength")
    weights = nw.concat([forth, back]).group_by("a", "b").agg(nw.col("strength").sum())
    return weights.select("a", "b", weight=nw.col("strength").cast(nw.Int64()))


def verified_seeds(levels: Frame) -> tuple[Frame, ...]:
    """The people at whom trust starts, best first: we take the first group that has somebody."""
    return tuple(levels.filter(nw.col("identity_level") == level) for level in position.VERIFIED_LEVELS)


def is_empty(frame: Frame) -> bool:
    """Whether a frame has no rows."""
    return collected(frame.head(1)).is_empty()


def ring_payments(rows: Frame, as_of: datetime, zone: tzinfo) -> tuple[Frame, Frame]:
    """Select the payments that can be part of a ring, and the hubs: `person` and `currency`.

    A ring needs parties who both pay and are paid. So we drop, on the cluster, the hubs and the payments to or from anyone who does
    only one of both: they are in no cycle. What remains is the same for the search.
    """
    start = months_before(as_of, ring_features.MONTHS, zone)
    columns = ("currency", "subject", "other", "happened_at", "amount")
    is_recent = (nw.col("kind") == ring_features.PAYMENT_KIND, nw.col("happened_at") > nw.lit(start))
    recent = rows.filter(*is_recent).select(*columns)
    ends = nw.concat([recent.select("currency", person="subject"), recent.select("currency", person="other")])
    counts = ends.group_by("currency", "person").agg(nw.len().alias("payments"))
    hubs = counts.filter(nw.col("payments") > HUB_PAYMENTS).select("currency", "person")
    flows = recent.filter(nw.col("amount") > 0)
    for party in ("subject", "other"):
        flows = flows.join(hubs.rename({"person": party}), on=["currency", party], how="anti")
    payers = flows.select("currency", other="subject").unique()
    payees = flows.select("currency", subject="other").unique()
    both = flows.join(payers, on=["currency", "other"], how="semi").join(payees, on=["currency", "subject"], how="semi")
    return both, hubs


def ring_counts(payments: Frame, hubs: Frame, numbers: Frame) -> pl.DataFrame:
    """Count rings on the driver, by `person`; null for an excluded person. Other people have none."""
    name = ring_features.NAMES[0]
    flows = collected(with_numbers(payments, numbers, "subject", "other"))
    excluded_hubs = collected(with_numbers(hubs, numbers, "person")).select("person")
    parts = [excluded_hubs.with_columns(pl.lit(0, pl.Int64).alias(name), left=pl.lit(True))]
    parts += [_counts_in_currency(part, name) for part in flows.partition_by("currency", include_key=False)]
    total = pl.concat(parts).group_by("person").agg(pl.col(name).sum(), pl.col("left").any())
    return total.select("person", pl.when(~pl.col("left")).then(pl.col(name)).alias(name))


def _counts_in_currency(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    parties = pl.concat([rows["subject"], rows["other"]]).unique().sort().alias("person")
    columns = PaymentColumns(
        len(parties),
        positions(rows["subject"], parties),
        positions(rows["other"], parties),
        rows["happened_at"].dt.epoch("us").to_numpy(),
        rows["amount"].to_numpy(),
    )
    result = rings(columns, hub=None)
    counts = pl.Series(name, result.counts()).cast(pl.Int64)
    return parties.to_frame().with_columns(counts, left=pl.Series(result.excluded))


def with_graph_features(table: Frame, features: Frame, consents: Frame, absent: dict[str, Any]) -> Frame:
    """Add graph features to a frame with `person`: `features` has some people's, and whether it `has_graph`.

    A person without consent to a feature's class has none; a value outside its bounds is cut.
    """
    lines = {f.name: f for f in FEATURES if f.name in absent}
    classes = sorted({str(f.data_class) for f in lines.values()})
    agreements = [nw.when(nw.col("data_class") == c).then(nw.lit(1)).max().alias(f"_agrees {c}") for c in classes]
    joined = table.join(features, on="person", how="left")
    joined = joined.join(consents.group_by("person").agg(*agreements), on="person", how="left")
    values = []
    for name, feature in lines.items():
        value = nw.when(nw.col("_has_graph").is_null()).then(nw.lit(absent[name], nw.Int64())).otherwise(nw.col(name))
        consenting = nw.when(nw.col(f"_agrees {feature.data_class}") == 1).then(value.cast(nw.Int64()))
        values.append(consenting.clip(feature.low, feature.high).alias(name))
    return joined.with_columns(*values).drop("_has_graph", *(f"_agrees {c}" for c in classes))
