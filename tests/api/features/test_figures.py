"""Figures of a build: the bins of values, and the same bins in the next build."""

import polars as pl
from sqlalchemy import Engine

from api.features import figures
from api.features.figures import count_feature
from api.store.database import reading
from tests.api.refresh_town import append_events
from tests.api.town import NOW, build_features
from tests.graph.story import enrol, story


def test_few_values_have_a_bin_each() -> None:
    result = count_feature("f", pl.Series([0, 0, 3, None, 7, 3]))
    assert (result.people, result.missing) == (6, 1)
    assert dict(zip(result.names, result.counts, strict=True)) == {"..3": 2, "3..7": 2, "7..": 1}


def test_many_values_have_ten_bins_between_the_tails() -> None:
    result = count_feature("f", pl.Series(range(1000)))
    assert len(result.counts) == figures.BINS
    assert sum(result.counts) == 1000
    assert result.edges[0] == 9
    assert {b - a for a, b in zip(result.edges, result.edges[1:], strict=False)} == {98}


def test_no_bin_is_below_the_least_or_above_the_largest_value() -> None:
    result = count_feature("f", pl.Series([0] * 50 + [20 - n % 20 for n in range(50)]))
    assert result.counts[0]
    assert result.counts[-1]


def test_one_far_value_leaves_the_others_their_bins() -> None:
    result = count_feature("f", pl.Series([*range(500), 10**12]))
    assert max(result.counts) < 100


def test_the_next_count_uses_the_same_bins() -> None:
    first = count_feature("f", pl.Series(range(1000)))
    second = count_feature("f", pl.Series([5, 5000, None]), first)
    assert (second.edges, second.counts[0], second.counts[-1], second.missing) == (first.edges, 1, 1, 1)


def test_words_and_nobody() -> None:
    words = count_feature("f", pl.Series(["b", "a", "b", None]))
    assert dict(zip(words.names, words.counts, strict=True)) == {"a": 1, "b": 2}
    assert count_feature("f", pl.Series(["c"]), words).words == ("a", "b", "c")
    assert count_feature("f", pl.Series([True, False, None])).words == ("false", "true")
    assert count_feature("f", pl.Series([], dtype=pl.Int64)).counts == (0,)
    assert count_feature("f", pl.Series([None, None], dtype=pl.Int64)).missing == 2
    assert count_feature("f", pl.Series([None], dtype=pl.Boolean)).people == 1


def test_each_build_is_counted_and_the_earlier_ones_stay(database: Engine) -> None:
    append_events(database, story(enrol("ann", "bob")), NOW)
    first = build_features(database, NOW, "perks", NOW)
    append_events(database, story(enrol("cy")), NOW)
    second = build_features(database, NOW, "perks", NOW)
    with reading(database) as connection:
        newest, earlier = figures.newest(connection), figures.before(connection, second.id)
    assert newest
    assert earlier
    assert (newest[0], earlier[0]) == (second.id, first.id)
    assert {f.people for f in newest[1]} == {3}
    assert {f.people for f in earlier[1]} == {2}
    (level,) = (f for f in newest[1] if f.feature == "identity.level")
    assert sum(level.counts) + level.missing == 3
