"""The payments a feature looks at, seen from the payer and from the payee: the rows the money features are made from."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.calendar import month, month_of, months_before, on_clocks
from graph.features.exact import Frame, split

WINDOW: Final = 24  # months before `as_of`
YEAR: Final = 12  # months before `as_of`, or full calendar months before that of `as_of`


def paid(events: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Payments made: `person` paid `party` an amount, split, of `currency` for `category` in `month`, when clocks had `shown`."""
    return _seen(events, as_of, zone, "for_subject", "subject", "other")


def received(events: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Payments received: the same from the payee's side."""
    return _seen(events, as_of, zone, "for_other", "other", "subject")


def _seen(events: Frame, as_of: datetime, zone: tzinfo, side: str, person: str, party: str) -> Frame:
    at = nw.col("happened_at")
    start = months_before(as_of, WINDOW, zone)
    return (
        events.filter(nw.col("kind") == "payment.made", nw.col(side), at > start)
        .select(
            "currency",
            "category",
            "happened_at",
            *split(nw.col("amount")),
            person=nw.col(person),
            party=nw.col(party),
            shown=on_clocks(at, start, as_of, zone),
        )
        .with_columns(month=month(nw.col("shown")))
    )


def lately(payments: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Those of the last twelve months, to the moment."""
    return payments.filter(nw.col("happened_at") > months_before(as_of, YEAR, zone))


def in_full_months(as_of: datetime, zone: tzinfo) -> nw.Expr:
    """Whether `month` is one of the last twelve that are over."""
    this = month_of(as_of, zone)
    return nw.col("month").is_between(this - YEAR, this - 1)
