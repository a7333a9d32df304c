"""How many people of each build lie in each bin of the score and of each characteristic, for the drift of the population.

We count when we score a build, because the next build deletes the features. The counts name nobody. A row that is refreshed later
counts as it was in the build.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import polars as pl
from sqlalchemy import Connection, delete, insert, select

from api.store.clock import micros, moment
from api.store.tables import BUILDS, POPULATION_BINS
from engine.lang.model.program import Characteristic, Program

SCORE_MEASURE, BAND_MEASURE, POINTS_PREFIX = "score", "band", "points:"
MISSING, UNSCORABLE = "missing", "unscorable"  # bins
SCORE_WIDTH: Final = 25  # points of a bin of the score
Counts = Mapping[str, int]


@dataclass(frozen=True)
class PopulationCounts:
    """The people of a build by bin, for each measure."""

    build: int
    computed_at: datetime
    release: str
    people: int
    bins: Mapping[str, Counts]


def count_people(program: Program, values: pl.DataFrame, scores: pl.DataFrame) -> dict[str, Counts]:
    """Count people by measure and bin. `values`: a column for each feature; `scores`: `score` and `band`, null where there is none."""
    return dict(_counts(program, values, scores))


def store(connection: Connection, build: int, release: str, counts: Mapping[str, Counts]) -> None:
    """Keep the counts of a build, in place of earlier ones."""
    rows = [
        {"build": build, "measure": measure, "bin": bin_, "release": release, "people": people}
        for measure, counts_of_bins in counts.items()
        for bin_, people in counts_of_bins.items()
    ]
    connection.execute(delete(POPULATION_BINS).where(POPULATION_BINS.c.build == build))
    if rows:
        connection.execute(insert(POPULATION_BINS), rows)


def newest(connection: Connection) -> PopulationCounts | None:
    """The newest build that has counts."""
    return _first(connection, descending=True)


def reference_of(connection: Connection, population: PopulationCounts, age: timedelta) -> PopulationCounts | None:
    """The newest build that is older than the population by at least `age`; or else the oldest of all earlier ones."""
    before = micros(population.computed_at - age)
    old_enough = BUILDS.c.computed_at <= before
    is_earlier = BUILDS.c.id < population.build
    return _first(connection, is_earlier & old_enough, descending=True) or _first(
        connection, is_earlier, descending=False
    )


def bin_names(characteristic: Characteristic) -> tuple[str, ...]:
    """The bins of a characteristic in order: `..1`, `1..6`, `24..`, and `missing`."""
    cuts = characteristic.cuts
    inner = (f"{low}..{high}" for low, high in pairwise(cuts))
    return (f"..{cuts[0]}", *inner, f"{cuts[-1]}..", MISSING)


def _first(connection: Connection, condition: object = True, *, descending: bool) -> PopulationCounts | None:
    has_counts = select(POPULATION_BINS.c.bin).where(POPULATION_BINS.c.build == BUILDS.c.id).exists()
    query = select(BUILDS.c.id, BUILDS.c.computed_at, BUILDS.c.people).where(has_counts)
    if condition is not True:
        query = query.where(condition)  # type: ignore[arg-type]
    build = connection.execute(query.order_by(BUILDS.c.id.desc() if descending else BUILDS.c.id).limit(1)).first()
    if build is None:
        return None
    rows = connection.execute(select(POPULATION_BINS).where(POPULATION_BINS.c.build == build.id)).all()
    bins = defaultdict[str, dict[str, int]](dict)
    for row in rows:
        bins[row.measure][row.bin] = row.people
    return PopulationCounts(build.id, moment(build.computed_at), rows[0].release, build.people, bins)


def _counts(program: Program, values: pl.DataFrame, scores: pl.DataFrame) -> Iterator[tuple[str, Counts]]:
    lowest = program.scorecard.lowest
    bins = (pl.col("score") - lowest) // SCORE_WIDTH * SCORE_WIDTH + lowest
    yield SCORE_MEASURE, _count(scores.select(bins.cast(pl.String).fill_null(UNSCORABLE))["score"])
    yield BAND_MEASURE, _count(scores["band"].fill_null(UNSCORABLE))
    for item in program.scorecard.items:
        if isinstance(item, Characteristic):
            names = pl.Series(bin_names(item), dtype=pl.String)
            numbers = pl.Series(item.cuts, dtype=pl.Int64).search_sorted(
                values[item.feature].fill_null(0), side="right"
            )
            bins_of_people = pl.Series(names.gather(numbers)).zip_with(
                values[item.feature].is_not_null(), pl.Series([MISSING]).new_from_index(0, values.height)
            )
            yield POINTS_PREFIX + item.id, _count(bins_of_people)


def _count(bins: pl.Series) -> Counts:
    counts = bins.value_counts(name="people")
    return dict(zip(counts[bins.name], counts["people"], strict=True))
