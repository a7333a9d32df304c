"""Figures with their intervals, and how a terminal of 80 columns shows them."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from rich.table import Table

from engine import metrics

PURPOSE: Final = "perks"  # what people of the public data sets are taken to have consented to
SEED: Final = 1999  # of the intervals, and of whatever else is drawn
Part = Table | str


class Measure(NamedTuple):
    """A figure and its 95 % interval, from drawing those it is about again."""

    value: float
    low: float
    high: float


def measure(statistic: metrics.Statistic, known: metrics.Sample) -> Measure:
    """A statistic of those who have a score. Raises Refused as the statistic does."""
    low, high = metrics.bootstrap(known.scores, known.bad, statistic, seed=SEED)
    return Measure(statistic(known.scores, known.bad), low, high)


def spanned(m: Measure) -> str:
    """As `0.943 (0.91-0.97)`."""
    return f"{m.value:.3f} ({m.low:.2f}-{m.high:.2f})"


def table_of(title: str, columns: Iterable[str]) -> Table:
    """An empty table: the first column names, the others are numbers."""
    table = Table(*columns, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    return table
