"""What people say of each other, by the two honest protocols: by hand on a small circle, and on Bitcoin OTC's ratings."""

from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rich.console import Console

from api.evaluate.otc import FROM_TRUST, LINES, before, evaluation, moments, protocol, removed, seen, shown
from engine.errors import Refused
from engine.metrics import auc
from graph.sources import bitcoin_otc as source
from tests.graph.story import moment, story, willing

# The founder and c vouch for each other: c is a labeller. So do c and a, who is none. a is for x and against y before c says
# the same; b is against x after that, and for z, of whom no labeller says anything.
EVENTS = story(f"""
    {willing("otc-1", "a", "b", "c", "x", "y", "z", level=0)}
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
def told(otc_folder: Path) -> pl.DataFrame:
    return source.events(otc_folder).with_columns(recorded_at="happened_at")


@pytest.fixture(scope="module")
def labels(otc_folder: Path) -> pl.DataFrame:
    return source.labels(otc_folder)


def test_each_is_seen_as_of_the_microsecond_before_a_labellers_first_word() -> None:
    assert moments(EVENTS, LABELS).rows() == [
        ("x", moment("2011-02-28T23:59:59.999999")),
        ("y", moment("2011-02-28T23:59:59.999999")),
    ]


def test_without_the_labellers_ratings_those_of_everybody_else_count() -> None:
    found = removed(EVENTS, LABELS)
    assert found.select("person", "mean rating", "sum of ratings").rows() == [("x", 0, 0), ("y", -10, -10)]
    # a is as far from x's goodness as b on the other side; y has a alone: g(y) = -f(a).
    assert found["fair mean"].to_list()[1] == pytest.approx(-1)
    assert not set(found.columns) & set(FROM_TRUST)


def test_before_a_labeller_spoke_a_alone_had_and_trust_reached_a() -> None:
    found = before(EVENTS, LABELS)
    assert found.select("person", "mean rating", "sum of ratings").rows() == [("x", 10, 10), ("y", -10, -10)]
    # Nobody contradicts a, whose fairness is 1: goodness is 1 and -1, and shrunk by a neutral rating half of it.
    assert found["relationships.goodness"].to_list() == [100, -100]
    assert found["fair mean"].to_list() == pytest.approx([1, -1])
    assert found["fair mean, shrunk"].to_list() == pytest.approx([0.5, -0.5])
    # Walk from the founder, over founder - c - a, in two steps: 1, 0, 0; 0, 1, 0; 1/2, 0, 1/2. The mean of the last two, by
    # weights 10, 20, 10 of 40, is 1 for each. So a's word counts in full.
    assert found["relationships.vouch_mean"].to_list() == [50, -50]
    assert found["relationships.walk"].to_list() == [0, 0]  # nobody vouched for by x or y
    assert found["relationships.trust"].to_list()[0] > found["relationships.trust"].to_list()[1] == 0


def test_of_the_founder_what_trust_goes_into_says_nothing() -> None:
    told = story(f"""
        {willing("otc-1", "a", "c", level=0)}
        2011-01-01 tie.formed otc-1 > c tie=vouch strength=10
        2011-01-15 tie.formed a > otc-1 tie=vouch strength=9
        2011-01-20 tie.formed c > otc-1 tie=vouch strength=10
    """)
    founder = before(told, pl.DataFrame({"person": ["otc-1"], "trusted": [True]}))
    assert founder["mean rating"].to_list() == [9]
    assert founder.select(FROM_TRUST).row(0) == (None, None, None)


def test_two_processes_give_what_one_gives() -> None:
    assert_frame_equal(before(EVENTS, LABELS, workers=2), before(EVENTS, LABELS))


def test_figures_need_both_kinds_of_people() -> None:
    with pytest.raises(Refused, match="goods and bads are both needed"):
        evaluation(EVENTS, LABELS.head(1))


def test_what_is_shown_fits_a_terminal_and_never_says_the_circular_figure_alone() -> None:
    console = Console(width=80, file=StringIO())
    for part in shown(evaluation(EVENTS, LABELS)):
        console.print(part, soft_wrap=isinstance(part, str))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert all(name in text for name in LINES)
    assert "circular, as the labels were made from some of them" in text


def test_the_baselines_of_the_data_sets_notes_come_out(told: pl.DataFrame, labels: pl.DataFrame) -> None:
    gone = protocol(removed(told, labels).select("trusted", "mean rating", "relationships.goodness"))
    assert (gone.people, gone.trusted) == (267, 128)
    by_name = {line.name: line.auc.value for line in gone.lines}
    assert round(by_name["mean rating"], 3) == 0.943
    assert by_name["relationships.goodness"] >= by_name["mean rating"]

    when = moments(told, labels)
    said = told.filter(pl.col("kind") == "tie.formed").join(when, left_on="other", right_on="person")
    earlier = said.filter(pl.col("happened_at") <= pl.col("as_of")).group_by(person="other")
    rated = labels.join(earlier.agg(mean=pl.col("strength").mean(), sum=pl.col("strength").sum()), on="person")
    assert (rated.height, rated["trusted"].sum()) == (203, 77)
    areas = [round(auc(rated[name], ~rated["trusted"]), 3) for name in ("mean", "sum")]
    assert areas == [0.825, 0.840]


def test_nothing_that_happened_later_is_seen(told: pl.DataFrame, labels: pl.DataFrame) -> None:
    some = labels.filter(pl.col("person").is_in(moments(told, labels)["person"].gather([10, 120, 200]).implode()))
    found = before(told, some)
    assert found.height == 3
    for person, as_of in moments(told, some).iter_rows():
        again = seen(told.filter(pl.col("happened_at") <= as_of), as_of, [person])
        plain = [name for name in LINES if name in again.columns and name not in FROM_TRUST]
        assert_frame_equal(again.select(plain), found.filter(person=person).select(plain))
