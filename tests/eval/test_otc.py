"""Evaluate vouches by two honest protocols: by hand on a small group, and on Bitcoin OTC's ratings."""

from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rich.console import Console

from api.evaluation.otc import (
    SCORE_COLUMNS,
    TRUST_FEATURES,
    before_labellers,
    evaluate,
    first_label_times,
    protocol_of_table,
    report_parts,
    score_table,
    without_labellers,
)
from engine.errors import Rejected
from engine.verify.metrics import auc
from graph.datasets import bitcoin_otc as source
from tests.graph.story import enrol, moment, story

# The founder and c vouch for each other: c is a labeller. c and a vouch for each other too, but a is no labeller.
# a is for x and against y before c says the same. b is against x after that, and for z, whom no labeller rates.
EVENTS = story(f"""
    {enrol("otc-1", "a", "b", "c", "x", "y", "z", level=0)}
    2011-01-01 tie.formed otc-1 > c tie=vouch strength=10
    2011-01-01 tie.formed c > otc-1 tie=vouch strength=10
    2011-01-01 tie.formed c > a tie=vouch strength=10
    2011-01-01 tie.formed a > c tie=vouch strength=10
    2011-02-01 tie.formed a > x tie=vouch strength=10
    2011-02-02 tie.formed a > y tie=vouch strength=-10
    2011-03-01 tie.formed c > x tie=vouch strength=8
    2011-03-01 tie.formed c > y tie=vouch strength=-8
    2011-04-01 tie.formed b > x tie=vouch strength=-10
    2011-04-01 tie.formed b > z tie=vouch strength=3
""")
LABELS = pl.DataFrame([("x", True), ("y", False)], schema=["person", "trusted"], orient="row")


@pytest.fixture(scope="module")
def events(otc_folder: Path) -> pl.DataFrame:
    return source.events(otc_folder).with_columns(recorded_at="happened_at")


@pytest.fixture(scope="module")
def labels(otc_folder: Path) -> pl.DataFrame:
    return source.labels(otc_folder)


def test_each_person_is_scored_as_of_the_microsecond_before_a_labellers_first_rating() -> None:
    assert first_label_times(EVENTS, LABELS).rows() == [
        ("x", moment("2011-02-28T23:59:59.999999")),
        ("y", moment("2011-02-28T23:59:59.999999")),
    ]


def test_without_the_labellers_ratings_those_of_everybody_else_count() -> None:
    rows = without_labellers(EVENTS, LABELS)
    assert rows.select("person", "mean rating", "sum of ratings").rows() == [("x", 0, 0), ("y", -10, -10)]
    # a is as far from x's goodness as b on the other side; y has a alone: g(y) = -f(a).
    assert rows["fair mean"].to_list()[1] == pytest.approx(-1)
    assert not set(rows.columns) & set(TRUST_FEATURES)


def test_before_the_first_label_only_a_had_rated_and_trust_reached_a() -> None:
    rows = before_labellers(EVENTS, LABELS)
    assert rows.select("person", "mean rating", "sum of ratings").rows() == [("x", 10, 10), ("y", -10, -10)]
    # No rater contradicts a, so its fairness is 1. Goodness is 1 and -1; we shrink it by a neutral rating to half.
    assert rows["relationships.goodness"].to_list() == [100, -100]
    assert rows["fair mean"].to_list() == pytest.approx([1, -1])
    assert rows["fair mean, shrunk"].to_list() == pytest.approx([0.5, -0.5])
    # Walk from the founder, over founder - c - a, in two steps: 1, 0, 0; 0, 1, 0; 1/2, 0, 1/2. The mean of the last two, by
    # weights 10, 20, 10 of 40, is 1 for each. So we count a's ratings in full.
    assert rows["relationships.vouch_mean"].to_list() == [50, -50]
    assert rows["relationships.walk_trust"].to_list() == [0, 0]  # x and y vouch for no one
    assert rows["relationships.trust"].to_list()[0] > rows["relationships.trust"].to_list()[1] == 0


def test_trust_features_are_missing_for_the_founder() -> None:
    events = story(f"""
        {enrol("otc-1", "a", "c", level=0)}
        2011-01-01 tie.formed otc-1 > c tie=vouch strength=10
        2011-01-15 tie.formed a > otc-1 tie=vouch strength=9
        2011-01-20 tie.formed c > otc-1 tie=vouch strength=10
    """)
    founder = before_labellers(events, pl.DataFrame({"person": ["otc-1"], "trusted": [True]}))
    assert founder["mean rating"].to_list() == [9]
    assert founder.select(TRUST_FEATURES).row(0) == (None, None, None)


def test_two_processes_give_the_same_result_as_one() -> None:
    assert_frame_equal(before_labellers(EVENTS, LABELS, workers=2), before_labellers(EVENTS, LABELS))


def test_figures_need_both_kinds_of_people() -> None:
    with pytest.raises(Rejected, match="goods and bads are both needed"):
        evaluate(EVENTS, LABELS.head(1))


def test_the_output_fits_a_terminal_and_explains_the_circular_figure() -> None:
    console = Console(width=80, file=StringIO())
    for part in report_parts(evaluate(EVENTS, LABELS)):
        console.print(part, soft_wrap=isinstance(part, str))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert all(name in text for name in SCORE_COLUMNS)
    assert "circular, as the labels were made from some of them" in text


def test_the_baselines_equal_those_of_the_data_sets_notes(events: pl.DataFrame, labels: pl.DataFrame) -> None:
    summary = protocol_of_table(
        without_labellers(events, labels).select("trusted", "mean rating", "relationships.goodness")
    )
    assert (summary.people, summary.trusted) == (267, 128)
    by_name = {line.name: line.auc.value for line in summary.rows}
    assert round(by_name["mean rating"], 3) == 0.943
    assert by_name["relationships.goodness"] >= by_name["mean rating"]

    when = first_label_times(events, labels)
    vouches = events.filter(pl.col("kind") == "tie.formed").join(when, left_on="other", right_on="person")
    earlier = vouches.filter(pl.col("happened_at") <= pl.col("as_of")).group_by(person="other")
    ratings = labels.join(earlier.agg(mean=pl.col("strength").mean(), sum=pl.col("strength").sum()), on="person")
    assert (ratings.height, ratings["trusted"].sum()) == (203, 77)
    areas = [round(auc(ratings[name], ~ratings["trusted"]), 3) for name in ("mean", "sum")]
    assert areas == [0.825, 0.840]


def test_later_events_are_not_visible(events: pl.DataFrame, labels: pl.DataFrame) -> None:
    some = labels.filter(
        pl.col("person").is_in(first_label_times(events, labels)["person"].gather([10, 120, 200]).implode())
    )
    rows = before_labellers(events, some)
    assert rows.height == 3
    for person, as_of in first_label_times(events, some).iter_rows():
        expected = score_table(events.filter(pl.col("happened_at") <= as_of), as_of, [person])
        plain = [name for name in SCORE_COLUMNS if name in expected.columns and name not in TRUST_FEATURES]
        assert_frame_equal(expected.select(plain), rows.filter(person=person).select(plain))
