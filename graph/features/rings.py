"""Money that goes round. Global, of the money layer alone: it changes no feature of relationships, and they do not change it."""

from datetime import datetime, tzinfo
from typing import Final

import polars as pl

from graph.build import numbers
from graph.calendar import months_before
from graph.rings import Payments, rings

NAMES: Final = ("fraud.rings",)
MONTHS: Final = 12


def on_rings(view: pl.DataFrame, as_of: datetime, asked: pl.Series, zone: tzinfo) -> pl.DataFrame:
    """`person` and `fraud.rings` of those `asked` for: of payments of the last twelve months; null for who was left out.

    A ring is of one currency; those of different currencies are told apart. See `graph.rings.rings`.
    """
    made = view.filter(pl.col("kind") == "payment.made", pl.col("happened_at") > months_before(as_of, MONTHS, zone))
    paid = made.select("currency", "subject", "other", "happened_at", "amount")
    parties = pl.concat([paid["subject"], paid["other"]]).unique().sort().alias("person")
    counts = [_counts(part, parties) for part in paid.partition_by("currency", include_key=False)]
    nothing = asked.alias("person").to_frame().with_columns(pl.lit(0, pl.Int64).alias(NAMES[0]), left=pl.lit(False))
    total = pl.concat([*counts, nothing]).group_by("person").agg(pl.col(NAMES[0]).sum(), pl.col("left").any())
    return total.select("person", pl.when(~pl.col("left")).then(pl.col(NAMES[0])))


def _counts(paid: pl.DataFrame, parties: pl.Series) -> pl.DataFrame:
    """Of one currency: who is on how many rings, or `left` out."""
    payments = Payments(
        len(parties),
        numbers(paid["subject"], parties),
        numbers(paid["other"], parties),
        paid["happened_at"].dt.epoch("us").to_numpy(),
        paid["amount"].to_numpy(),
    )
    found = rings(payments)
    counts = pl.Series(NAMES[0], found.counts()).cast(pl.Int64)
    table = parties.to_frame().with_columns(counts, left=pl.Series(found.left_out))
    return table.filter((pl.col(NAMES[0]) > 0) | pl.col("left"))
