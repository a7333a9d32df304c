"""Rings of payments. Global, and of the money layer only: these features and those of relationships do not affect each
other.
"""

from datetime import datetime, tzinfo
from typing import Final

import numpy as np
import polars as pl

from graph.algorithms.ranges import Bools, Ints
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
    counts = [
        _counts_in_currency(payments.filter(pl.col("currency").eq_missing(c))) for c in payments["currency"].unique()
    ]
    zeros = people.alias("person").to_frame().with_columns(pl.lit(0, pl.Int64).alias(NAMES[0]), left=pl.lit(False))
    total = pl.concat([*counts, zeros]).group_by("person").agg(pl.col(NAMES[0]).sum(), pl.col("left").any())
    return total.select("person", pl.when(~pl.col("left")).then(pl.col(NAMES[0])))


def _counts_in_currency(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `person`, the number of rings of each person in one currency, and whether we `left` the person out.

    Only payments between parties who both pay and are paid, and are no hubs, can be part of a cycle. Most payments are to merchants,
    who pay few people: we drop them before we number the parties that remain.
    """
    payer, payee = (_numbers(rows, party) for party in ("subject", "other"))
    size = int(max(payer.max(initial=0), payee.max(initial=0))) + 1
    is_hub = np.bincount(payer, minlength=size) + np.bincount(payee, minlength=size) > HUB_PAYMENTS
    circulating = rows["amount"].to_numpy() > 0
    circulating &= ~(is_hub[payer] | is_hub[payee])
    pays, is_paid = np.zeros(size, bool), np.zeros(size, bool)
    pays[payer[circulating]] = is_paid[payee[circulating]] = True
    between = pays & is_paid
    circulating &= between[payer] & between[payee]
    hubs = _parties_of(rows, is_hub[payer], is_hub[payee])
    flows = rows.filter(pl.Series(circulating))
    parties = pl.concat([flows["subject"], flows["other"]]).unique().sort().alias("person")
    payments = PaymentColumns(
        len(parties),
        positions(flows["subject"], parties),
        positions(flows["other"], parties),
        flows["happened_at"].dt.epoch("us").to_numpy(),
        flows["amount"].to_numpy(),
    )
    result = rings(payments, hub=None)
    counts = pl.Series(NAMES[0], result.counts()).cast(pl.Int64)
    table = parties.to_frame().with_columns(counts, left=pl.Series(result.excluded))
    excluded_hubs = hubs.to_frame().with_columns(pl.lit(0, pl.Int64).alias(NAMES[0]), left=pl.lit(True))
    return pl.concat([table.filter((pl.col(NAMES[0]) > 0) | pl.col("left")), excluded_hubs])


def _numbers(rows: pl.DataFrame, party: str) -> Ints:
    """The codes of the parties in a column, or numbers for their ids: equal ones in both columns."""
    if rows[party].dtype.is_integer():
        return rows[party].to_numpy()
    return positions(rows[party], pl.concat([rows["subject"], rows["other"]]).unique().sort())


def _parties_of(rows: pl.DataFrame, payers: Bools, payees: Bools) -> pl.Series:
    """The parties of these payments, each once."""
    marked = [rows["subject"].filter(pl.Series(payers)), rows["other"].filter(pl.Series(payees))]
    return pl.concat(marked).unique().alias("person")
