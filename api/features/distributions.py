"""Distributions: how the values of each feature lie in the newest build, for people who write rules.

We read so many people at most, in the order of their ids, once for each build: an author needs the shape, not the third digit.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from threading import Lock
from typing import Final

import polars as pl

from api.features.builds import Build, latest_build
from api.features.value_chunks import value_chunks
from api.store.database import Database
from engine.lang.model.program import Program
from engine.lang.model.types import Type, format_value

MAX_PEOPLE: Final = 20_000
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)  # no extremes: those are values of single people
SMALLEST_GROUP: Final = 20  # people with a value, or with a word, of whom we say anything
MAX_WORDS: Final = 5  # the most frequent ones of a feature that is a word
_MAX_BUILDS: Final = 4  # that we keep
_CACHE: Final[dict[tuple[str, int, str, tuple[str, ...]], "Distributions"]] = {}
_LOCK: Final = Lock()


@dataclass(frozen=True)
class ValueSpread:
    """The values of one feature. `quantiles` are those of `QUANTILES`; `shares` are the shares of frequent words in percent."""

    people: int
    missing: int
    quantiles: tuple[str, ...] = ()
    shares: tuple[tuple[str, int], ...] = ()


Distributions = Mapping[str, ValueSpread]


def distributions(database: Database, program: Program) -> Distributions:
    """The distributions of the features in the newest build that the program knows; none before the first build."""
    build = latest_build(database)
    if build is None:
        return {}
    flags = {pattern.flag for pattern in program.watch}
    types = {name: a.type for name, a in program.schema.items() if name not in flags}
    key = str(database.url), build.id, build.computed_at.isoformat(), tuple(sorted(types))
    with _LOCK:
        if key not in _CACHE:
            if len(_CACHE) >= _MAX_BUILDS:
                _CACHE.clear()
            _CACHE[key] = _compute(database, build, types)
        return _CACHE[key]


def _compute(database: Database, build: Build, types: Mapping[str, Type]) -> Distributions:
    with closing(value_chunks(database, build, types, MAX_PEOPLE)) as frames:
        frame = next(frames, None)
    if frame is None or not frame.height:
        return {}
    frame = frame.head(MAX_PEOPLE)
    return {name: _distribution(frame[name], type_) for name, type_ in types.items()}


def _distribution(column: pl.Series, type_: Type) -> ValueSpread:
    present = column.drop_nulls()
    missing = column.len() - present.len()
    if present.len() < SMALLEST_GROUP:
        return ValueSpread(column.len(), missing)
    if type_.numeric:
        numbers = [present.quantile(share, "nearest") for share in QUANTILES]
        texts = tuple(format_value(int(n), type_) for n in numbers if n is not None)
        return ValueSpread(column.len(), missing, texts)
    counts = (
        present.cast(pl.String)
        .value_counts(sort=True, name="count")
        .filter(pl.col("count") >= SMALLEST_GROUP)
        .head(MAX_WORDS)
    )
    words = counts.select(present.name, "count").rows()
    shares = tuple(
        (str(word).lower() if type_.kind == "bool" else str(word), round(100 * n / present.len())) for word, n in words
    )
    return ValueSpread(column.len(), missing, shares=shares)
