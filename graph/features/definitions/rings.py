"""Rings of payments. Global, and of the money layer only: these features and those of relationships do not affect each
other.
"""

from datetime import datetime, tzinfo
from typing import Final

import polars as pl

from graph.algorithms.rings import PaymentColumns, rings
from graph.evidence.calendar import months_before
from graph.network.build import positions

NAMES: Final = ("fraud.rings",)
PAYMENT_KIND: Final = "payment.made"
MONTHS: Final = 12


def ring_counts(view: pl.DataFrame, as_of: datetime, people: pl.Series, zone: tzinfo) -> pl.DataFrame:
    """Return `person` and `fraud.rings` for `people`, from payments of the last twelve months; null for excluded
    people.

    A ring has one currency: we search each currency separately. See `graph.algorithms.rings.rings`.
    """
    recent = view.filter(pl.col("kind") == PAYMENT_KIND, pl.col("happened_at") > months_before(as_of, MONTHS, zone))
    payments = recent.select("currency", "subject", "other", "happened_at", "amount")
    parties = pl.concat([payments["subject"], payments["other"]]).unique().sort().alias("person")
    counts = [_counts_in_currency(part, parties) for part in payments.partition_by("currency", include_key=False)]
    zeros = people.alias("person").to_frame().with_columns(pl.lit(0, pl.Int64).alias(NAMES[0]), left=pl.lit(False))
    total = pl.concat([*counts, zeros]).group_by("person").agg(pl.col(NAMES[0]).sum(), pl.col("left").any())
    return total.select("person", pl.when(~pl.col("left")).then(pl.col(NAMES[0])))


def _counts_in_currency(rows: pl.DataFrame, parties: pl.Series) -> pl.DataFrame:
    """Return the number of rings of each person in one currency, and whether the person was excluded."""
    payments = PaymentColumns(
        len(parties),
        positions(rows["subject"], parties),
        positions(rows["other"], parties),
        rows["happened_at"].dt.epoch("us").to_numpy(),
        rows["amount"].to_numpy(),
    )
    result = rings(payments)
    counts = pl.Series(NAMES[0], result.counts()).cast(pl.Int64)
    table = parties.to_frame().with_columns(counts, left=pl.Series(result.excluded))
    return table.filter((pl.col(NAMES[0]) > 0) | pl.col("left"))
