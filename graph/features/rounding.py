"""Round floating-point results so that every platform gives the same value."""

from typing import Final

import numpy as np
import polars as pl

from graph.algorithms.ranges import Floats

RELIABLE_DIGITS: Final = 9  # algorithms converge well beyond these digits, in any order of their sums


def round_half_up(values: Floats, digits: int) -> pl.Series:
    """Return integers in units of 10^-`digits`, halves up; NaN becomes null.

    We round to nine digits first, so that a half with floating-point noise is rounded up on every platform. Exact for
    magnitudes below 9 x 10^9.
    """
    is_number = ~np.isnan(values)
    billionths = np.rint(np.where(is_number, values, 0) * 10**RELIABLE_DIGITS).astype(np.int64)
    unit = 10 ** (RELIABLE_DIGITS - digits)
    scaled = pl.Series((billionths + unit // 2) // unit)
    return pl.select(pl.when(pl.lit(pl.Series(is_number))).then(scaled)).to_series()
