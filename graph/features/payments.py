"""Select payments by payer and by payee: the rows from which we compute the patterns of payments."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.evidence.calendar import local_time, month, month_of, months_before
from graph.features.integer_math import Frame, split

WINDOW_MONTHS: Final = 24  # months before `as_of`
YEAR_MONTHS: Final = 12  # months before `as_of`, or full calendar months before that of `as_of`


def payments_made(events: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Select payments made: `person` paid `party` an amount (split) of `currency`, in `month`."""
    return _payments_of_side(events, as_of, zone, "for_subject", "subject", "other")


def payments_received(events: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Select payments received: the same columns from the payee's side."""
    return _payments_of_side(events, as_of, zone, "for_other", "other", "subject")


def _payments_of_side(events: Frame, as_of: datetime, zone: tzinfo, side: str, person: str, party: str) -> Frame:
    at = nw.col("happened_at")
    start = months_before(as_of, WINDOW_MONTHS, zone)
    return events.filter(nw.col("kind") == "payment.made", nw.col(side), at > start).select(
        "currency",
        "happened_at",
        *split(nw.col("amount")),
        person=nw.col(person),
        party=nw.col(party),
        month=month(local_time(at, start, as_of, zone)),
    )


def last_year(payments: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Keep the payments of the last twelve months, to the microsecond."""
    return payments.filter(nw.col("happened_at") > months_before(as_of, YEAR_MONTHS, zone))


def in_full_months(as_of: datetime, zone: tzinfo) -> nw.Expr:
    """Whether `month` is one of the last twelve complete months."""
    this_month = month_of(as_of, zone)
    return nw.col("month").is_between(this_month - YEAR_MONTHS, this_month - 1)
