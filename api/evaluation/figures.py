"""Figures with confidence intervals, and their format for a terminal of 80 columns."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from rich.table import Table

from engine.verify import metrics

PURPOSE: Final = "perks"  # we assume that people of the public data sets consent to this purpose
SEED: Final = 1999  # of the intervals and of every other random draw
Part = Table | str


class Measure(NamedTuple):
    """A figure and its 95 % interval by bootstrap."""

    value: float
    low: float
    high: float


def measure(statistic: metrics.Statistic, sample: metrics.Sample) -> Measure:
    """Compute a statistic of the scored people, with its interval. Raises Rejected as the statistic does."""
    low, high = metrics.bootstrap(sample.scores, sample.bad, statistic, seed=SEED)
    return Measure(statistic(sample.scores, sample.bad), low, high)


def with_interval(figure: Measure) -> str:
    """Format a figure as `0.943 (0.91-0.97)`."""
    return f"{figure.value:.3f} ({figure.low:.2f}-{figure.high:.2f})"


def table_of(title: str, columns: Iterable[str]) -> Table:
    """An empty table: the first column holds names, the others hold numbers."""
    table = Table(*columns, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    return table
