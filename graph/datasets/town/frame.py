"""Shared by the stages of the town: its time span, its random numbers, its rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.evidence.events import conform

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Column = pl.Series | NDArray[Any] | str | int

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
HOURS_AHEAD: Final = 8  # ahead of UTC, all year: the local time by which people shop and sleep
CHUNK: Final = 1_000_000  # maximal rows of a frame
CURRENCY: Final = "CNY"
SYSTEM, BANK, WALLET = "iftah", "bank-a", "wallet-b"  # contributors: this service itself, a bank, a wallet

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
class TimeSpan:
    """The period in which we observe the town: `edges[k]` to `edges[k + 1]` is its month `k`, in microseconds since
    1970, UTC.
    """

    edges: Ints

    @property
    def start(self) -> int:
        """The first moment."""
        return int(self.edges[0])

    @property
    def end(self) -> int:
        """The moment before which all events are."""
        return int(self.edges[-1])

    @property
    def days(self) -> int:
        """Number of whole days from start to end."""
        return (self.end - self.start) // DAY


def span(end: datetime, months: int) -> TimeSpan:
    """Return the `months` calendar months before `end`."""
    back = pl.DataFrame({"by": [f"-{months - k}mo" for k in range(months + 1)]})
    moment = pl.lit(end.astimezone(UTC)).dt.cast_time_unit("us").dt.offset_by(pl.col("by"))
    return TimeSpan(back.select(moment.dt.epoch("us")).to_series().to_numpy().astype(np.int64))


def generator(seed: int, stage: str, part: int = 0) -> np.random.Generator:
    """Return the random stream of a stage, so that more draws in one stage change no other."""
    return np.random.default_rng([seed, STAGES.index(stage), part])


def rows(kind: str, contributor: str, **columns: Column) -> pl.DataFrame:
    """Build event rows of one kind. `happened_at` is in microseconds since 1970; a text or number fills the whole
    column.
    """
    arrays = {n: c for n, c in columns.items() if not isinstance(c, str | int)}
    same = {n: pl.lit(c) for n, c in columns.items() if isinstance(c, str | int)}
    return conform(pl.DataFrame(arrays).with_columns(kind=pl.lit(kind), contributor=pl.lit(contributor), **same))


def numbered_ids(prefix: str, numbers: NDArray[Any]) -> pl.Series:
    """Return `prefix-1`, ...: at most 12 bytes, which Polars stores without an allocation each."""
    return pl.select(pl.concat_str(pl.lit(prefix + "-"), pl.Series(numbers).cast(pl.String))).to_series()


def parts(length: int, size: int = CHUNK) -> Iterator[slice]:
    """Yield slices that cover `length` rows, `size` at a time."""
    for first in range(0, length, size):
        yield slice(first, min(first + size, length))


def pick(values: tuple[str, ...], codes: NDArray[Any]) -> pl.Series:
    """Return the values at these positions in a short tuple."""
    return pl.Series(values).gather(codes)


def draw_weighted(rng: np.random.Generator, weights: tuple[float, ...], size: int) -> Ints:
    """Draw positions in `weights`, in proportion to the weights."""
    edges = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(edges, rng.random(size), side="right"), len(weights) - 1)


def dates(moments: Ints) -> pl.Series:
    """Return the days of moments, for `due`."""
    return pl.Series((moments // DAY).astype(np.int32)).cast(pl.Date)
