"""Rings of payments. Global, and of the money layer only: these features and those of relationships do not affect each
other.
"""

from datetime import datetime, tzinfo
from typing import Final

import polars as pl

from graph.algorithms.rings import HUB_PAYMENTS, PaymentColumns, rings
from graph.evidence.calendar import months_before
from graph.network.build import positions

NAMES: Final = ("fraud.rings",)
PAYMENT_KIND: Final = "payment.made"
MONTHS: Final = 12


def recent_payments(view: pl.DataFrame, as_of: datetime, zone: tzinfo) -> pl.DataFrame:
    """Select the payments in which we search rings: those of the last twelve months, in the columns that we read."""
    recent = view.filter(pl.col("kind") == PAYMENT_KIND, pl.col("happened_at") > months_before(as_of, MONTHS, zone))
    return recent.select("currency", "subject", "other", "happened_at", "amount")


def ring_counts(payments: pl.DataFrame, people: pl.Series) -> pl.DataFrame:
    """Return `person` and `fraud.rings` for `people`, from `recent_payments`; null for excluded people.

    A ring has one currency: we search each currency separately. See `graph.algorithms.rings.rings`.
    """
    hubs, flows = _between_payers_and_payees(payments)
    excluded_hubs = hubs.select("person", pl.lit(0, pl.Int64).alias(NAMES[0]), left=pl.lit(True))
    counts = [excluded_hubs]
    for part in flows.partition_by("currency", include_key=False):
        parties = pl.concat([part["subject"], part["other"]]).unique().sort().alias("person")
        counts.append(_counts_in_currency(part, parties))
    zeros = people.alias("person").to_frame().with_columns(pl.lit(0, pl.Int64).alias(NAMES[0]), left=pl.lit(False))
    total = pl.concat([*counts, zeros]).group_by("person").agg(pl.col(NAMES[0]).sum(), pl.col("left").any())
    return total.select("person", pl.when(~pl.col("left")).then(pl.col(NAMES[0])))


def _between_payers_and_payees(payments: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the hubs (`currency`, `person`), and the payments between parties who both pay and are paid.

    No other payment is part of a cycle. Hubs take no part, whatever they are paid. Most payments are to merchants, who pay few: we
    number only the parties that remain.
    """
    parties = ("subject", "other")
    by_party = [payments.lazy().group_by("currency", person=party).len() for party in parties]
    sums = pl.concat(by_party).group_by("currency", "person").agg(pl.col("len").sum())
    hubs = sums.filter(pl.col("len") > HUB_PAYMENTS).select("currency", "person").collect()
    flows = payments.lazy().filter(pl.col("amount") > 0)
    for party in parties:
        flows = flows.join(hubs.lazy(), left_on=["currency", party], right_on=["currency", "person"], how="anti")
    payers, payees = (flows.select("currency", person=party).unique().collect().lazy() for party in parties)
    both = payers.join(payees, on=["currency", "person"], how="semi").collect().lazy()
    for party in parties:
        flows = flows.join(both, left_on=["currency", party], right_on=["currency", "person"], how="semi")
    return hubs, flows.collect()


def _counts_in_currency(rows: pl.DataFrame, parties: pl.Series) -> pl.DataFrame:
    """Return the number of rings of each person in one currency, and whether the person was excluded."""
    payments = PaymentColumns(
        len(parties),
        positions(rows["subject"], parties),
        positions(rows["other"], parties),
        rows["happened_at"].dt.epoch("us").to_numpy(),
        rows["amount"].to_numpy(),
    )
    result = rings(payments, hub=None)
    counts = pl.Series(NAMES[0], result.counts()).cast(pl.Int64)
    table = parties.to_frame().with_columns(counts, left=pl.Series(result.excluded))
    return table.filter((pl.col(NAMES[0]) > 0) | pl.col("left"))
