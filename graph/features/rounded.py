"""What algorithms over floats come to, rounded so that every platform gives the same."""

from typing import Final

import numpy as np
import polars as pl

from graph.ranges import Floats

SURE: Final = 9  # digits that algorithms converge well beyond, whatever the order of their sums


def rounded(values: Floats, digits: int) -> pl.Series:
    """Whole numbers of 10^-`digits`, halves up; NaN is null.

    Rounded to nine digits first: what is a half but for floating-point noise is then rounded up everywhere. Exact for values
    below 9 x 10^9 in size.
    """
    known = ~np.isnan(values)
    billionths = np.rint(np.where(known, values, 0) * 10**SURE).astype(np.int64)
    unit = 10 ** (SURE - digits)
    found = pl.Series((billionths + unit // 2) // unit)
    return pl.select(pl.when(pl.lit(pl.Series(known))).then(found)).to_series()
