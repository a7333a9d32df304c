"""IBM AMLSim as payments: 20,000 synthetic accounts, their transfers over 149 days, and the accounts that were put on
rings.

Source: IBM AMLSim (Apache-2.0), a published sample of 200 cycles and 200 fan-ins: T. Suzumura and H. Kanezashi,
Anti-Money Laundering Datasets, 2021. Files `nodes.csv` and `transactions.csv` (or `.gz`), as published. Our choices:

- *Accounts* are the people (`account-7`). They enrol on day 0, the day before the first transfer, with identity level
  1. The data contain no consent: we assume it at that same moment, for `perks`, to identity and behaviour.
- A *transfer* is a payment on its day, at 00:00 UTC: the data have no time of day. They have no calendar either: day 0
  is 1 January 2017, AMLSim's usual first day. Nor do they have a currency: we read amounts as USD, in cents. Two equal
  transfers on one day are two. We leave out transfers from an account to itself (15), because a payment needs two
  parties.
- The *labels* are the accounts that the simulation put on a ring, whether or not the ring's payments were made: `acted`
  is the day on which an account paid as planned, and many never did.
- We do not use the initial balance as evidence (it limits the payments) nor, of course, the two label columns.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from graph.datasets.table import money, null_outside, parse, read, scaled_integer
from graph.evidence.events import UTC_MICROSECONDS, conform

FOLDER: Final = "amlsim"
CONTRIBUTOR: Final = "amlsim"
CURRENCY: Final = "USD"
DAY_ZERO: Final = datetime(2017, 1, 1, tzinfo=UTC)

_ACCOUNTS: Final = "nodes.csv"
_TRANSFERS: Final = "transactions.csv"
_LAST_DAY: Final = 36_500  # a century
_RINGED: Final = {"0": False, "1": True}


def events(folder: Path) -> pl.DataFrame:
    """Return all events of the data set in `folder`, in the columns of `graph.evidence.events.SCHEMA`, by time and then
    event_id.

    Amounts are in cents. Raises SourceError for a missing file or column, or an invalid value.
    """
    accounts = read(folder, _ACCOUNTS, ("nodeid",)).select(person=_account("nodeid"))
    parts = (*_people(accounts), _payments(folder))
    frame = pl.concat([conform(p.with_columns(contributor=pl.lit(CONTRIBUTOR))) for p in parts])
    return frame.sort("happened_at", "event_id")


def labels(folder: Path) -> pl.DataFrame:
    """Return the accounts put on a ring: `person`, `ringed`, `acted` (time of the planned payment; null: never made),
    in order of the file.
    """
    ringed = pl.col("isFraud").replace_strict(_RINGED, default=None, return_dtype=pl.Boolean)
    raw = read(folder, _ACCOUNTS, ("nodeid", "isFraud", "fraudStep"))
    accounts = parse(
        raw, _ACCOUNTS, isFraud=ringed, fraudStep=null_outside(scaled_integer("fraudStep", 0), -1, _LAST_DAY)
    )
    acted = pl.when(pl.col("fraudStep") >= 0).then(_day("fraudStep"))
    return accounts.select(person=_account("nodeid"), ringed="isFraud", acted=acted)


def _account(column: str) -> pl.Expr:
    return "account-" + pl.col(column)


def _day(column: str) -> pl.Expr:
    return pl.lit(DAY_ZERO).cast(UTC_MICROSECONDS) + pl.duration(days=column)


def _people(accounts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    base = accounts.select(subject="person", happened_at=pl.lit(DAY_ZERO).cast(UTC_MICROSECONDS))
    enrolled = base.with_columns(
        kind=pl.lit("person.enrolled"), event_id="enrol-" + pl.col("subject"), identity_level=1
    )
    consented = base.with_columns(
        kind=pl.lit("consent.granted"),
        event_id="consent-" + pl.col("subject"),
        purpose=pl.lit("perks"),
        classes=pl.lit("identity,behaviour"),
    )
    return enrolled, consented


def _payments(folder: Path) -> pl.DataFrame:
    raw = read(folder, _TRANSFERS, ("sourceNodeId", "targetNodeId", "value", "time"))
    transfers = parse(
        raw, _TRANSFERS, value=money("value"), time=null_outside(scaled_integer("time", 0), 0, _LAST_DAY)
    ).with_row_index("line", 1)
    return transfers.filter(pl.col("sourceNodeId") != pl.col("targetNodeId")).select(
        event_id=pl.format("transfer-{}", "line"),
        kind=pl.lit("payment.made"),
        subject=_account("sourceNodeId"),
        other=_account("targetNodeId"),
        happened_at=_day("time"),
        amount="value",
        currency=pl.lit(CURRENCY),
        category=pl.lit("transfer"),
        channel=pl.lit("transfer"),
    )
