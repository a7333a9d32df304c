"""Sums and ratios in whole numbers, the same on every column engine.

Engines disagree about the division and rounding of negative numbers and about what an overflowing sum does; nothing here
divides a negative, and sums are carried as millions and rest, so that no integer of 64 bits overflows.
"""

from typing import Any, Final

import narwhals as nw

from graph.catalog import MOST_MONEY
from graph.vocabulary import EARLIEST

Frame = nw.LazyFrame[Any]
MILLION: Final = 10**6
MINUTES_A_DAY: Final = 24 * 60


def integer(value: int) -> nw.Expr:
    """A constant of 64 bits."""
    return nw.lit(value, nw.Int64())


def counted(condition: nw.Expr) -> nw.Expr:
    """1 where it holds and 0 where it doesn't or is not known, to be summed."""
    return condition.fill_null(False).cast(nw.Int64())


def distinct(value: nw.Expr) -> nw.Expr:
    """The aggregation that counts different values, nulls not being one."""
    return value.n_unique().cast(nw.Int64()) - counted(value.is_null()).max().cast(nw.Int64())


def split(amount: nw.Expr) -> tuple[nw.Expr, nw.Expr]:
    """The columns `millions` and `rest` of amounts that are not negative; `SUMS` them, then call `total`."""
    return (amount // MILLION).alias("millions"), (amount % MILLION).alias("rest")


SUMS: Final = (nw.col("millions").sum(), nw.col("rest").sum())
CURRENCIES: Final = (nw.col("currency").min().alias("currency"), nw.col("currency").max().alias("last currency"))
ONE_CURRENCY: Final = nw.col("currency") == nw.col("last currency")


def total(most: int = MOST_MONEY) -> nw.Expr:
    """The exact sum, at most `most`, of the two sums."""
    millions = nw.col("millions").cast(nw.Int64()).clip(upper_bound=most // MILLION)
    return (millions * MILLION + nw.col("rest").cast(nw.Int64())).clip(upper_bound=most)


def ratio(part: nw.Expr, whole: nw.Expr, scale: int = 100) -> nw.Expr:
    """part / whole, times `scale`, halves rounded up; missing when `whole` is 0. Neither may be negative.

    Exact while 2 x scale x part + whole < 2**63.
    """
    divisor = nw.when(whole > 0).then(whole)
    return (part * (2 * scale) + whole) // (divisor * 2)


def days_between(start: nw.Expr, end: nw.Expr) -> nw.Expr:
    """Whole days, rounded down; `end` is not before `start`."""
    return (end - start).dt.total_minutes().cast(nw.Int64()) // MINUTES_A_DAY


def minutes(at: nw.Expr) -> nw.Expr:
    """Whole minutes since the earliest moment an event may have, rounded down."""
    return (at - nw.lit(EARLIEST)).dt.total_minutes().cast(nw.Int64())


def microseconds(at: nw.Expr) -> nw.Expr:
    """Microseconds since the earliest moment an event may have."""
    return (at - nw.lit(EARLIEST)).dt.total_microseconds().cast(nw.Int64())
