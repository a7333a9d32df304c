"""Sums and ratios of integers, identical on every column engine.

Engines differ in how they divide and round negative numbers and in how a sum overflows. So we never divide a negative
number, and we carry sums as millions and rest, which keeps every integer within 64 bits.
"""

from typing import Any, Final

import narwhals as nw

from graph.catalog import MAX_MONEY
from graph.evidence.vocabulary import EARLIEST_EVENT_TIME

Frame = nw.LazyFrame[Any]
MILLION: Final = 10**6
MINUTES_A_DAY: Final = 24 * 60


def integer(value: int) -> nw.Expr:
    """Return a 64-bit constant."""
    return nw.lit(value, nw.Int64())


def indicator(condition: nw.Expr) -> nw.Expr:
    """Return 1 where the condition holds, 0 where it does not or is unknown. You can sum the result."""
    return condition.fill_null(False).cast(nw.Int64())


def distinct(value: nw.Expr) -> nw.Expr:
    """Count distinct values without nulls (an aggregation)."""
    return value.n_unique().cast(nw.Int64()) - indicator(value.is_null()).max().cast(nw.Int64())


def split(amount: nw.Expr) -> tuple[nw.Expr, nw.Expr]:
    """Split non-negative amounts into `millions` and `rest`; aggregate them by `SUMS`, then call `total`."""
    return (amount // MILLION).alias("millions"), (amount % MILLION).alias("rest")


SUMS: Final = (nw.col("millions").sum(), nw.col("rest").sum())
CURRENCIES: Final = (nw.col("currency").min().alias("currency"), nw.col("currency").max().alias("last currency"))
ONE_CURRENCY: Final = nw.col("currency") == nw.col("last currency")


def total(limit: int = MAX_MONEY) -> nw.Expr:
    """Combine both sums to the exact total, at most `limit`."""
    millions = nw.col("millions").cast(nw.Int64()).clip(upper_bound=limit // MILLION)
    return (millions * MILLION + nw.col("rest").cast(nw.Int64())).clip(upper_bound=limit)


def ratio(part: nw.Expr, whole: nw.Expr, scale: int = 100) -> nw.Expr:
    """Return part / whole times `scale`, halves rounded up; missing if `whole` is 0. Neither may be negative.

    Exact while 2 x scale x part + whole < 2**63.
    """
    divisor = nw.when(whole > 0).then(whole)
    return (part * (2 * scale) + whole) // (divisor * 2)


def days_between(start: nw.Expr, end: nw.Expr) -> nw.Expr:
    """Return whole days, rounded down; `end` must not be before `start`."""
    return (end - start).dt.total_minutes().cast(nw.Int64()) // MINUTES_A_DAY


def minutes(at: nw.Expr) -> nw.Expr:
    """Return whole minutes since the earliest time of any event, rounded down."""
    return (at - nw.lit(EARLIEST_EVENT_TIME)).dt.total_minutes().cast(nw.Int64())


def microseconds(at: nw.Expr) -> nw.Expr:
    """Return microseconds since the earliest time of any event."""
    return (at - nw.lit(EARLIEST_EVENT_TIME)).dt.total_microseconds().cast(nw.Int64())
