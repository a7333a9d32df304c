"""The town is plausible: under the shipped scorecard, shares by band, and promises that people in lower bands break more often."""

from functools import cache

import narwhals as nw
import polars as pl
import pytest

from api.features.builds import with_flags
from api.releases.catalogue import definitions_of, vocabulary_of
from engine.lang.engines import columnar
from engine.lang.model import timezones
from graph.datasets.town import END, town
from graph.features.pipeline import features
from tests.api.town import shipped_release

SHARES = {"poor": 5, "fair": 15, "good": 35, "excellent": 30, "outstanding": 15}  # percent of the people with a score
SEEDS = (1, 2, 7)


@cache
def scored_people(seed: int) -> pl.DataFrame:
    """The people with a score, and their features."""
    release = shipped_release()
    program = release.at(release.day(END))
    events = pl.concat(list(town(2_000, seed=seed).events())).with_columns(recorded_at="happened_at")
    values = features(
        events,
        END,
        END,
        "perks",
        zone=timezones.zone(release.timezone),
        vocabulary=vocabulary_of(release),
        definitions=definitions_of(program),
    )
    people = nw.from_native(with_flags(values, program, {}).lazy())
    scored: pl.LazyFrame = columnar.score(program, people, release.day(END), reasons=False).to_native()
    return scored.select("person", "score", "band").collect().drop_nulls("score").join(values, on="person")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_shares_by_band_are_near_those_of_an_ordinary_town(seed: int) -> None:
    people = scored_people(seed)
    share = {band: 100 * people.filter(pl.col("band") == band).height / people.height for band in SHARES}
    for band, percent in SHARES.items():
        assert abs(share[band] - percent) <= 5, share


@pytest.mark.parametrize("seed", SEEDS)
def test_people_break_fewer_promises_in_each_higher_band(seed: int) -> None:
    adverse, positive = ("credit.missed", "credit.orders_late"), ("credit.kept", "credit.orders_kept")
    sums = scored_people(seed).group_by("band").agg(pl.col(*adverse, *positive).fill_null(0).sum())
    rates = sums.select("band", rate=pl.sum_horizontal(*adverse) / pl.sum_horizontal(*adverse, *positive))
    by_band = dict(rates.iter_rows())
    in_order = [by_band[band] for band in SHARES]
    assert in_order == sorted(in_order, reverse=True), by_band
    assert in_order[0] > 4 * in_order[-1]
