"""IBM AMLSim: 20,000 made-up accounts, their transfers over 149 days, and who was put on a ring, as payments.

Source: IBM AMLSim (Apache-2.0), a published sample of 200 cycles and 200 fan-ins: T. Suzumura and H. Kanezashi, Anti-Money
Laundering Datasets, 2021. Files `nodes.csv` and `transactions.csv` (or `.gz`), as published. What was decided:

- *Accounts* are the people (`account-7`). They enrol on day 0, the day before the first transfer, with identity level 1. The
  data know no consent: we assume it at that same moment, for `perks`, to identity and behaviour.
- A *transfer* is a payment on its day, at 00:00 UTC: the data have no time of day. They have no calendar either: day 0
  is 1 January 2017, AMLSim's usual first day; nor a currency: amounts are read as USD, in cents. Two equal transfers of one
  day are two. Transfers from an account to itself (15) are left out: a payment needs two parties.
- The *labels* are the accounts that the simulation put on a ring, whether or not the ring's payments came about:
  `acted` is the day on which an account paid as told, and many never did.
- Not used as evidence: the initial balance (it bounds what is paid) and, of course, both label columns.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from graph.events import UTC_MICROSECONDS, conform
from graph.sources.table import money, parse, read, scaled, within

FOLDER: Final = "amlsim"
CONTRIBUTOR: Final = "amlsim"
CURRENCY: Final = "USD"
FIRST_DAY: Final = datetime(2017, 1, 1, tzinfo=UTC)

_ACCOUNTS: Final = "nodes.csv"
_TRANSFERS: Final = "transactions.csv"
_LAST_DAY: Final = 36_500  # a century
_RINGED: Final = {"0": False, "1": True}


def events(folder: Path) -> pl.DataFrame:
    """All events of the data set in `folder`, in the columns of `graph.events.SCHEMA`, by time and then event_id.

    Amounts are in cents. Raises SourceError for a missing file or column, or a value that is not what it should be.
    """
    accounts = read(folder, _ACCOUNTS, ("nodeid",)).select(person=_account("nodeid"))
    parts = (*_people(accounts), _payments(folder))
    told = pl.concat([conform(p.with_columns(contributor=pl.lit(CONTRIBUTOR))) for p in parts])
    return told.sort("happened_at", "event_id")


def labels(folder: Path) -> pl.DataFrame:
    """Who was put on a ring: `person`, `ringed`, `acted` (when they paid as told; null: they never did), as in the file."""
    ringed = pl.col("isFraud").replace_strict(_RINGED, default=None, return_dtype=pl.Boolean)
    read_ = read(folder, _ACCOUNTS, ("nodeid", "isFraud", "fraudStep"))
    known = parse(read_, _ACCOUNTS, isFraud=ringed, fraudStep=within(scaled("fraudStep", 0), -1, _LAST_DAY))
    acted = pl.when(pl.col("fraudStep") >= 0).then(_day("fraudStep"))
    return known.select(person=_account("nodeid"), ringed="isFraud", acted=acted)


def _account(column: str) -> pl.Expr:
    return "account-" + pl.col(column)


def _day(column: str) -> pl.Expr:
    return pl.lit(FIRST_DAY).cast(UTC_MICROSECONDS) + pl.duration(days=column)


def _people(accounts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    here = accounts.select(subject="person", happened_at=pl.lit(FIRST_DAY).cast(UTC_MICROSECONDS))
    enrolled = here.with_columns(
        kind=pl.lit("person.enrolled"), event_id="enrol-" + pl.col("subject"), identity_level=1
    )
    consented = here.with_columns(
        kind=pl.lit("consent.granted"),
        event_id="consent-" + pl.col("subject"),
        purpose=pl.lit("perks"),
        classes=pl.lit("identity,behaviour"),
    )
    return enrolled, consented


def _payments(folder: Path) -> pl.DataFrame:
    read_ = read(folder, _TRANSFERS, ("sourceNodeId", "targetNodeId", "value", "time"))
    made = parse(read_, _TRANSFERS, value=money("value"), time=within(scaled("time", 0), 0, _LAST_DAY)).with_row_index(
        "line", 1
    )
    return made.filter(pl.col("sourceNodeId") != pl.col("targetNodeId")).select(
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
