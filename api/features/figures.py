"""Figures of a build: for each feature, how many people lie in each bin of its values, and how many have none.

We count when we build, because the next build deletes the features. The counts name nobody. Builds of one catalogue share their
bins, so that you can compare them. A row that is refreshed later counts as it was in the build.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import polars as pl
from sqlalchemy import Connection, delete, func, insert, select

from api.store.tables import BUILDS, FEATURE_FIGURES

MAX_VALUES: Final = 12  # with so many different values at most, each has a bin of its own
BINS: Final = 12  # otherwise: ten of equal width between two percentiles, and one at each end
TAIL: Final = 0.01  # the share of people at each end


@dataclass(frozen=True)
class FeatureFigures:
    """The distribution of one feature. `counts` has one number more than `edges`: below the first edge, from each edge to the
    next, from the last on. Of a feature with words as values, `words` names the bins, and `edges` is empty.
    """

    feature: str
    people: int
    missing: int
    edges: tuple[int, ...]
    counts: tuple[int, ...]
    words: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The bins as texts that you can compare: `..5`, `5..9`, `9..`, or the words."""
        if self.words:
            return self.words
        bounds = ("", *map(str, self.edges), "")
        return tuple(f"{low}..{high}" for low, high in pairwise(bounds))


def store(connection: Connection, build: int, rows: pl.DataFrame, names: Sequence[str]) -> None:
    """Count the people of a build. `rows` has a column for each of `names`. Cost: one pass over each column."""
    earlier = {figures.feature: figures for figures in _of_same_catalogue(connection, build)}
    values = [
        {"build": build, "feature": f.feature, "figures": json.dumps(asdict(f))}
        for f in (count_feature(name, rows[name], earlier.get(name)) for name in names if name in rows.columns)
    ]
    connection.execute(delete(FEATURE_FIGURES).where(FEATURE_FIGURES.c.build == build))
    if values:
        connection.execute(insert(FEATURE_FIGURES), values)


def count_feature(name: str, column: pl.Series, earlier: FeatureFigures | None = None) -> FeatureFigures:
    """Count the values of a column in bins: those of `earlier`, or new ones."""
    present = column.drop_nulls()
    missing = len(column) - len(present)
    if column.dtype.is_integer():
        edges = earlier.edges if earlier is not None else tuple(_edges(present))
        bins = np.searchsorted(np.array(edges, dtype=np.int64), present.to_numpy(), side="right")
        counts = np.bincount(bins, minlength=len(edges) + 1)
        return FeatureFigures(name, len(column), missing, edges, tuple(int(n) for n in counts))
    by_word = dict(present.cast(pl.String).value_counts().iter_rows())
    words = tuple(sorted({*by_word, *(earlier.words if earlier else ())})) or ("",)
    return FeatureFigures(name, len(column), missing, (), tuple(by_word.get(word, 0) for word in words), words)


def newest(connection: Connection) -> tuple[int, list[FeatureFigures]] | None:
    """The newest build that was counted, and its figures; None before the first."""
    build = connection.execute(select(func.max(FEATURE_FIGURES.c.build))).scalar()
    return None if build is None else (int(build), _of_build(connection, int(build)))


def before(connection: Connection, build: int) -> tuple[int, list[FeatureFigures]] | None:
    """The counted build before another, and its figures."""
    query = select(func.max(FEATURE_FIGURES.c.build)).where(FEATURE_FIGURES.c.build < build)
    earlier = connection.execute(query).scalar()
    return None if earlier is None else (int(earlier), _of_build(connection, int(earlier)))


def _of_same_catalogue(connection: Connection, build: int) -> list[FeatureFigures]:
    """The figures of the last counted build of the same catalogue."""
    catalogue = select(BUILDS.c.catalogue).where(BUILDS.c.id == build).scalar_subquery()
    same = select(BUILDS.c.id).where(BUILDS.c.catalogue == catalogue, BUILDS.c.id < build)
    query = select(func.max(FEATURE_FIGURES.c.build)).where(FEATURE_FIGURES.c.build.in_(same))
    earlier = connection.execute(query).scalar()
    return [] if earlier is None else _of_build(connection, int(earlier))


def _of_build(connection: Connection, build: int) -> list[FeatureFigures]:
    query = (
        select(FEATURE_FIGURES.c.figures).where(FEATURE_FIGURES.c.build == build).order_by(FEATURE_FIGURES.c.feature)
    )
    return [_figures(json.loads(text)) for text in connection.execute(query).scalars()]


def _figures(stored: Mapping[str, Any]) -> FeatureFigures:
    lists = {name: tuple(stored[name]) for name in ("edges", "counts", "words")}
    return FeatureFigures(stored["feature"], stored["people"], stored["missing"], **lists)


def _edges(present: pl.Series) -> Iterator[int]:
    """The first values of the bins, but for the lowest bin."""
    if present.is_empty():
        return
    distinct = present.unique().sort()
    if len(distinct) <= MAX_VALUES:
        yield from (int(value) for value in distinct[1:])
        return
    low, high = (int(present.quantile(share, "lower") or 0) for share in (TAIL, 1 - TAIL))
    width = max(1, -(-(high - low) // (BINS - 2)))
    least, most = int(distinct[0]), int(distinct[-1])
    yield from (edge for edge in range(low, low + width * (BINS - 1), width) if least < edge <= most)
