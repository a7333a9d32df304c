"""The features that `rules/features.yaml` declares, computed by definitions in Python: an oracle for the declarations.

They were the definitions before features could be declared. They know payments only, no refunds.
"""

from collections.abc import Collection
from datetime import UTC, datetime, tzinfo
from typing import Final

import narwhals as nw
import polars as pl

from api.releases.undeclared_features import UNDECLARED
from graph.evidence.vocabulary import STANDARD
from graph.features.definitions.obligations import credit_evidence
from graph.features.integer_math import Frame, integer
from graph.network.build import ties_in_force
from tests.graph.features.python_definitions import (
    behaviour,
    capacity,
    credit,
    flow,
    fraud,
    identity,
    nights,
    payments,
    relationships,
)

FORMER: Final = ("capacity.inflow_share", "capacity.payers")  # names of two of them in an earlier version
NAMES: Final = tuple(name for name in UNDECLARED if name not in FORMER)
ZEROS: Final = {  # 0 if the person consents to the class and has no evidence
    "behaviour": (
        *("capacity.income_months", "capacity.income_total", "capacity.income_regularity", "capacity.distinct_payers"),
        *("behaviour.payments", "behaviour.payment_total", "behaviour.active_months", "behaviour.payees"),
        *("behaviour.categories", "behaviour.out_counterparties", "behaviour.in_counterparties"),
        *("fraud.fan_in", "fraud.fan_out"),
    ),
    "credit": (
        *("credit.kept", "credit.missed", "credit.missed_12m", "credit.written_off_5y"),
        *("credit.orders_kept", "credit.orders_late"),
    ),
    "relationship": ("relationships.degree", "relationships.household", "relationships.vouches"),
}
MONEY: Final = {  # the amount and its currency, behind each sum
    "behaviour.payment_total": ("spent", "spent in"),
    "capacity.income_total": ("earned", "earned in"),
}


def python_features(
    view: pl.DataFrame,
    consents: pl.DataFrame,
    as_of: datetime,
    people: Collection[str] | None = None,
    zone: tzinfo = UTC,
) -> pl.DataFrame:
    """`person` and the features of `NAMES`: of everyone enrolled in the view, or of `people`; sorted by `person`."""
    frames = (nw.from_native(frame.lazy()) for frame in (view, consents))
    table: pl.DataFrame = python_expressions(*frames, as_of, people, zone).to_native().collect()
    return table.sort("person")


def python_expressions(
    events: Frame, consents: Frame, as_of: datetime, people: Collection[str] | None = None, zone: tzinfo = UTC
) -> Frame:
    """The same as one lazy frame, for any column engine."""
    enrolled = identity.identity(events, as_of)
    own, table = events, enrolled
    if people is not None:
        ids = sorted(people)
        own = events.filter(nw.col("subject").is_in(ids) | nw.col("other").is_in(ids))
        table = enrolled.filter(nw.col("person").is_in(ids))
    for part in (*_parts(own, enrolled, as_of, zone), _consent_zeros(consents)):
        table = table.join(part, on="person", how="left")
    derived = {
        "behaviour.payment_total": nw.col("spent"),
        "capacity.income_total": nw.col("earned"),
        "capacity.income_cover": capacity.income_cover(),
        "capacity.net_inflow_share": flow.net_inflow_share(),
        "capacity.balance_months": capacity.balance_months(),
    }
    return _finish(table.with_columns(**derived))


def _parts(own: Frame, enrolled: Frame, as_of: datetime, zone: tzinfo) -> tuple[Frame, ...]:
    outgoing, incoming = payments.payments_made(own, as_of, zone), payments.payments_received(own, as_of, zone)
    evidence = credit_evidence(own)
    return (
        behaviour.spending(outgoing, as_of),
        *behaviour.counterparties(outgoing, incoming, enrolled),
        nights.night_share(outgoing, as_of, zone),
        fraud.fan(incoming, as_of, zone, "fraud.fan_in"),
        fraud.fan(outgoing, as_of, zone, "fraud.fan_out"),
        capacity.income(incoming, as_of, zone, STANDARD.income),
        capacity.takings(incoming),
        capacity.spending_steadiness(outgoing, as_of, zone),
        capacity.balances(own, as_of, zone),
        credit.repayment_history(evidence, as_of, zone),
        credit.orders(evidence),
        relationships.ties(ties_in_force(own)),
    )


def _consent_zeros(consents: Frame) -> Frame:
    agrees = {c: nw.when(nw.col("data_class") == c).then(integer(0)) for c in ZEROS}
    return consents.group_by("person").agg(zero.max().alias(f"none of {c}") for c, zero in agrees.items())


def _finish(table: Frame) -> Frame:
    """Cast, fill 0 where the person consents, and clip to the bounds."""
    integers = table.with_columns(nw.col(*NAMES).cast(nw.Int64()))
    filled = integers.with_columns(
        *(nw.col(*names).fill_null(0) + nw.col(f"none of {c}") for c, names in ZEROS.items()),
    )
    one_currency = (
        nw.when(nw.col(amount).is_null() | ~nw.col(currency).is_null()).then(nw.col(name)).alias(name)
        for name, (amount, currency) in MONEY.items()
    )
    bounded = (nw.col(n).clip(UNDECLARED[n].type.low, UNDECLARED[n].type.high) for n in NAMES)
    return filled.with_columns(*one_currency).with_columns(*bounded).select("person", *NAMES)
