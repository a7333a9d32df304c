"""Evaluate the shipped scorecard against a sybil region: by hand on three people, and unchanged on Facebook's data."""

from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from api.evaluation.sybil import REFERENCE_EDGES, SybilEvaluation, attack_ties, evaluate, report_parts, vouch_events
from api.releases.rules_folder import load_folder
from engine.lang.model.program import Program
from graph.datasets import facebook_sybil as source
from tests.paths import RULES

DAY = 20_454  # 2026-01-01
# Ann is verified and tied to x, and x to y; x and y are synthetic. Bob has no ties.
TIES = pl.DataFrame({"a": ["x", "ann"], "b": ["y", "x"]})
LABELS = pl.DataFrame(
    [("ann", False, "train"), ("bob", False, "test"), ("x", True, "test"), ("y", True, "test")],
    schema=["person", "sybil", "part"],
    orient="row",
)
ATTACKS = ((0, False), (1, False), (0, True), (1, True))
ITEMS = ("household", "degree", "core", "vouches", "trust")


@pytest.fixture(scope="module")
def release() -> Program:
    return load_folder(RULES).at(DAY)


@pytest.fixture(scope="module")
def result(release: Program) -> SybilEvaluation:
    return evaluate(TIES, LABELS, release, ATTACKS)


def totals(result: SybilEvaluation, index: int) -> tuple[int, ...]:
    assert tuple(result.attacks[index].points.total) == ITEMS
    return tuple(result.attacks[index].points.total.values())


def test_without_an_attack_edge_two_sybils_get_the_points_of_their_tie(result: SybilEvaluation) -> None:
    # One tie each: 2 points. No tied person is verified: no trust.
    assert totals(result, 0) == (0, 4, 0, 0, 0)
    assert (result.attacks[0].points.max_points, result.attacks[0].points.real_mean) == (2, 0)
    assert set(result.attacks[0].auc.values()) == {None}


def test_one_attack_edge_gains_nine_points_of_trust(result: SybilEvaluation) -> None:
    # Ann - x - y, from Ann: r(x) = 0.85 (r(ann) + r(y)), r(y) = 0.425 r(x), r(ann) = 0.15 + 0.425 r(x).
    # So r(x) = 0.1275 / 0.2775 = 0.4595 and r(y) = 0.1953; three are tied: 1.38 gives x 6 points, 0.59 gives y 3.
    assert totals(result, 1) == (0, 4, 0, 0, 9)
    assert result.attacks[1].points.max_points == 2 + 6
    assert result.points_per_edge(result.attacks[1]) == dict.fromkeys(ITEMS, 0) | {"trust": 9}


def test_vouches_and_a_household_among_sybils_are_free(result: SybilEvaluation) -> None:
    # Each is vouched for by the other (3) and of one household (5), and tied to one (2): 10 each.
    assert totals(result, 2) == (10, 4, 0, 6, 0)


def test_an_attack_edge_gains_no_more_if_the_sybils_vouch_for_each_other(result: SybilEvaluation) -> None:
    # x passes 5 / 30 to Ann and 25 / 30 to y: r(x) = 0.4595 as before, r(y) = 0.85 x 25 / 30 x 0.4595 = 0.3255: 0.98, 3 points.
    assert totals(result, 3) == (10, 4, 0, 6, 9)
    assert result.points_per_edge(result.attacks[3]) == result.points_per_edge(result.attacks[1])


def test_the_real_mean_is_over_all_real_people(result: SybilEvaluation) -> None:
    # Ann: a tie (2), and trust 3 x 0.3453 = 1.04 (6); Bob: nothing.
    assert result.attacks[1].points.real_mean == 4


def test_the_auc_is_over_the_test_people(result: SybilEvaluation) -> None:
    # Bob, without ties, has less trust than either sybil.
    assert result.attacks[1].auc == {"relationships.trust": 0, "relationships.walk_trust": 0}


def test_vouches_form_a_circle_without_repeats_or_self_vouches() -> None:
    seven = pl.DataFrame({"person": [f"s{n}" for n in range(7)], "sybil": [True] * 7, "part": ["test"] * 7})
    events = vouch_events(seven)
    vouches = events.filter(pl.col("tie") == "vouch")
    assert (vouches.height, vouches.filter(pl.col("subject") == pl.col("other")).height) == (35, 0)
    assert set(vouches.group_by("other").len()["len"]) == {5}
    assert events["event_id"].is_unique().all()
    homes = events.filter(pl.col("tie") == "household").select("subject", "other").rows()
    assert homes == [("s0", "s1"), ("s2", "s3"), ("s4", "s5")]


def test_attack_edges_have_the_requested_number_and_larger_sets_contain_smaller_ones() -> None:
    people = pl.DataFrame({"person": [f"p{n}" for n in range(12)], "sybil": [n > 5 for n in range(12)], "part": "test"})
    ties = pl.DataFrame({"a": ["p0", "p1", "p2"], "b": ["p1", "p7", "p8"]})
    before: set[tuple[str, str]] = set()
    for edges in (0, 1, 2, 3, 9, 36):
        pairs = set(attack_ties(ties, people, edges).iter_rows())
        assert len(pairs) == edges + 1  # we keep the tie between two real people
        assert pairs >= before | {("p0", "p1")}
        assert sum((int(a[1:]) > 5) != (int(b[1:]) > 5) for a, b in pairs) == edges
        before = pairs
    with pytest.raises(ValueError, match="only 36 pairs"):
        attack_ties(ties, people, 37)


def test_the_output_fits_a_terminal_and_has_the_figures(result: SybilEvaluation) -> None:
    console = Console(width=80, file=StringIO())
    for part in report_parts(result):
        console.print(part, soft_wrap=isinstance(part, str))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for phrase in ("2 real people, 2 sybils", "SybilRank 0.99", "household", "│ 1 *          │", "9.00"):
        assert phrase in text, phrase
    assert "…" not in text


def test_facebooks_sybils_are_distinguished_and_gain_few_points(sybil_folder: Path, release: Program) -> None:
    attack = evaluate(
        source.ties(sybil_folder), source.labels(sybil_folder), release, [(REFERENCE_EDGES, False)]
    ).attacks[0]
    assert all(auc is not None and 0.98 < auc <= 1 for auc in attack.auc.values())
    assert attack.points.total["trust"] < attack.points.sybils / 100  # a hundredth of a point each
    assert attack.points.max_points <= 30  # the budget of relationships
