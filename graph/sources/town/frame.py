"""What every stage of the town uses: the time it spans, its random numbers, its rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.events import conform

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Column = pl.Series | NDArray[Any] | str | int

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
HOURS_AHEAD: Final = 8  # of UTC, all year: the clock by which the town shops and sleeps
CHUNK: Final = 1_000_000  # rows a frame holds at most
CURRENCY: Final = "CNY"
HOUSE, BANK, WALLET = "iftah", "bank-a", "wallet-b"  # who tells: the service itself, a bank, a wallet

STAGES: Final = (
    "people",
    "enrolment",
    "ties",
    "income",
    "rings",
    "transfers",
    "spending",
    "credit",
    "orders",
    "objections",
)


@dataclass(frozen=True)
class Span:
    """The time the town is observed: `edges[k]` to `edges[k + 1]` is its month `k`, in microseconds since 1970, UTC."""

    edges: Ints

    @property
    def start(self) -> int:
        """The first moment."""
        return int(self.edges[0])

    @property
    def end(self) -> int:
        """The moment before which everything happens."""
        return int(self.edges[-1])

    @property
    def days(self) -> int:
        """Whole days from start to end."""
        return (self.end - self.start) // DAY


def span(end: datetime, months: int) -> Span:
    """The `months` calendar months before `end`."""
    back = pl.DataFrame({"by": [f"-{months - k}mo" for k in range(months + 1)]})
    moment = pl.lit(end.astimezone(UTC)).dt.cast_time_unit("us").dt.offset_by(pl.col("by"))
    return Span(back.select(moment.dt.epoch("us")).to_series().to_numpy().astype(np.int64))


def generator(seed: int, stage: str, part: int = 0) -> np.random.Generator:
    """A stage's own stream, so that one stage drawing more changes no other."""
    return np.random.default_rng([seed, STAGES.index(stage), part])


def rows(kind: str, contributor: str, **columns: Column) -> pl.DataFrame:
    """Event rows of one kind. `happened_at` in microseconds since 1970; a text or number stands for the whole column."""
    arrays = {n: c for n, c in columns.items() if not isinstance(c, str | int)}
    same = {n: pl.lit(c) for n, c in columns.items() if isinstance(c, str | int)}
    return conform(pl.DataFrame(arrays).with_columns(kind=pl.lit(kind), contributor=pl.lit(contributor), **same))


def numbered(prefix: str, numbers: NDArray[Any]) -> pl.Series:
    """`prefix-1`, ...: at most 12 bytes, which Polars keeps without an allocation each."""
    return pl.select(pl.concat_str(pl.lit(prefix + "-"), pl.Series(numbers).cast(pl.String))).to_series()


def parts(length: int, most: int = CHUNK) -> Iterator[slice]:
    """Slices that cover `length` rows, `most` at a time."""
    for first in range(0, length, most):
        yield slice(first, min(first + most, length))


def picked(values: tuple[str, ...], codes: NDArray[Any]) -> pl.Series:
    """The values by their place in a short tuple."""
    return pl.Series(values).gather(codes)


def drawn(rng: np.random.Generator, weights: tuple[float, ...], size: int) -> Ints:
    """Places in `weights`, drawn in proportion to them."""
    edges = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(edges, rng.random(size), side="right"), len(weights) - 1)


def dates(moments: Ints) -> pl.Series:
    """The days of moments, for `due`."""
    return pl.Series((moments // DAY).astype(np.int32)).cast(pl.Date)
