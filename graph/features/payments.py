"""The payments a feature looks at, seen from the payer and from the payee: the rows the money features are made from."""

from datetime import datetime
from typing import Final

import narwhals as nw

from graph.features.exact import Frame, month, month_of, months_before, split

WINDOW: Final = 24  # months before `as_of`
YEAR: Final = 12  # months before `as_of`, or full calendar months before that of `as_of`


def paid(events: Frame, as_of: datetime) -> Frame:
    """Payments made: `person` paid `party` an amount, split, of `currency` for `category` in `month`."""
    return _seen(events, as_of, "for_subject", "subject", "other")


def received(events: Frame, as_of: datetime) -> Frame:
    """Payments received: the same from the payee's side."""
    return _seen(events, as_of, "for_other", "other", "subject")


def _seen(events: Frame, as_of: datetime, side: str, person: str, party: str) -> Frame:
    at = nw.col("happened_at")
    start = months_before(as_of, WINDOW)
    return events.filter(nw.col("kind") == "payment.made", nw.col(side), at > start).select(
        "currency",
        "category",
        "happened_at",
        *split(nw.col("amount")),
        person=nw.col(person),
        party=nw.col(party),
        month=month(at),
    )


def lately(payments: Frame, as_of: datetime) -> Frame:
    """Those of the last twelve months, to the moment."""
    return payments.filter(nw.col("happened_at") > months_before(as_of, YEAR))


def in_full_months(as_of: datetime) -> nw.Expr:
    """Whether `month` is one of the last twelve that are over."""
    return nw.col("month").is_between(month_of(as_of) - YEAR, month_of(as_of) - 1)
