from fractions import Fraction
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from graph.evidence.visibility import visible_with_consents
from graph.features.rounding import round_half_up
from graph.network.build import tie_rating_rows
from graph.network.build import trust as lending
from tests.effort import by_effort
from tests.graph.features.ask_features import AS_OF, expect, features_of
from tests.graph.features.random_crowds import tie_ledgers
from tests.graph.story import enrol, story
from tests.shipped_features import compute, features
from tests.strategies import NOW


@pytest.mark.parametrize(
    ("value", "hundredths"),
    [
        (0.125, 13),
        (0.124999999999, 13),
        (0.1249, 12),
        (-0.125, -12),
        (-0.126, -13),
        (0.285, 29),
        (np.nan, None),
        (0, 0),
    ],
)
def test_floats_are_rounded_half_up_after_nine_digits(value, hundredths):
    assert round_half_up(np.array([value]), 2).to_list() == [hundredths]


def test_trust_of_a_pair_is_the_solution_of_its_two_equations():
    """ann (level 3) and bob, tied: a = 0.15 + 0.85 b, b = 0.85 a, so a = 1 / 1.85; times two people."""
    base = f"{enrol('ann', level=3)}\n{enrol('bob', level=2)}"
    text = "2024-01-01 tie.formed ann > bob tie=friend"
    assert features_of("ann", text, base=base)["relationships.trust"] == 108  # 1.0811
    assert features_of("bob", text, base=base)["relationships.trust"] == 92  # 0.9189


def test_trust_starts_at_level_two_if_no_tied_person_has_level_three():
    text = "2024-01-01 tie.formed ann > bob tie=friend"
    base = f"{enrol('ann', level=2)}\n{enrol('bob', level=1)}\n{enrol('cy', level=3)}"
    assert features_of("ann", text, base=base)["relationships.trust"] == 108
    unverified = enrol("ann", "bob", level=1)
    assert features_of("ann", text, base=unverified)["relationships.trust"] is None


def test_without_ties_trust_is_zero_if_the_graph_has_a_source_and_missing_otherwise():
    """We do not build the whole layer for them; they get the same value as when we compute everyone."""
    text = "2024-01-01 tie.formed ann > bob tie=friend"
    for level, trust in ((3, 0), (2, 0), (1, None)):
        base = f"{enrol('ann', 'bob', level=level)}\n{enrol('cy', level=3)}"
        expect(features_of("cy", text, base=base), relationships__trust=trust, relationships__core_number=0)
        together = features(story(f"{base}\n{text}"), AS_OF, AS_OF, "perks").filter(person="cy").row(0, named=True)
        assert together == features_of("cy", text, base=base)
    expect(features_of("ann", ""), relationships__trust=None, relationships__clustering=0)


def test_vouching_for_others_earns_no_trust():
    base = f"{enrol('ann', 'bob', level=3)}\n{enrol('eve', level=1)}"
    text = "2024-01-01 tie.formed ann > bob tie=friend\n2024-01-01 tie.formed eve > ann tie=vouch strength=10"
    assert features_of("eve", text, base=base)["relationships.trust"] == 0


ROW = """
    2024-01-01 tie.formed ann > bob tie=friend
    2024-01-01 tie.formed bob > cy tie=friend
    2024-01-01 tie.formed cy > dan tie=friend
    2024-01-01 tie.formed dan > eve tie=friend"""
FIVE = f"{enrol('ann', level=3)}\n{enrol('bob', 'cy', 'dan', 'eve')}"


def feature_by_person(text: str, base: str, name: str) -> dict[str, Any]:
    """A feature of everyone, by person."""
    table = features(story(f"{base}\n{text}"), AS_OF, AS_OF, "perks")
    return dict(table.select("person", name).iter_rows())


def test_a_short_walk_along_five_in_a_row():
    """From ann, 3 = ceil(log2 5) steps; the mean of the last two is (2 3 2 1 0) / 8, over the shares of the weight (1 2 2 2 1) / 8."""
    assert feature_by_person(ROW, FIVE, "relationships.walk_trust") == {
        "ann": 200,
        "bob": 150,
        "cy": 100,
        "dan": 50,
        "eve": 0,
    }


def test_a_walk_does_not_go_over_a_vouch_that_is_not_returned():
    """eve praises ann: the layer of ties that both stand for is ann and bob alone, and trust is even there."""
    text = "2024-01-01 tie.formed ann > bob tie=friend\n2024-01-01 tie.formed eve > ann tie=vouch strength=10"
    base = f"{enrol('ann', level=3)}\n{enrol('bob', 'eve')}"
    assert feature_by_person(text, base, "relationships.walk_trust") == {"ann": 100, "bob": 100, "eve": 0}


def test_mutual_vouches_count_by_the_lower_strength():
    """ann lends bob 2 at most and cy 5: from cy, one step reaches ann (1), two bob 2/7 and cy 5/7.

    The mean of the last two: ann 7/14, bob 2/14, cy 5/14; weights 7, 2 and 5 of 14: even. With one step less (two people) it
    would not show, so dan hangs on: n = 4, two steps, weights 7, 5 (2 + 3), 5, 3 of 20.
    ann (1 + 0)/2 = 1/2; bob 1/7; cy 5/14; dan 0: times 20 over the weight: 1.43, 0.57, 1.43, 0.
    """
    base = f"{enrol('cy', level=3)}\n{enrol('ann', 'bob', 'dan')}"
    text = """
    2024-01-01 tie.formed ann > bob tie=vouch strength=2
    2024-01-01 tie.formed bob > ann tie=vouch strength=9
    2024-01-01 tie.formed ann > cy tie=friend
    2024-01-01 tie.formed bob > dan tie=colleague"""
    assert feature_by_person(text, base, "relationships.walk_trust") == {"ann": 143, "bob": 57, "cy": 143, "dan": 0}


def test_a_walk_starts_at_verified_people_with_mutual_ties():
    """eve (level 3) is only praised: nobody walks from her; ann and bob (level 2) are the verified of the layer."""
    text = "2024-01-01 tie.formed ann > bob tie=friend\n2024-01-01 tie.formed bob > eve tie=vouch strength=10"
    base = f"{enrol('eve', level=3)}\n{enrol('ann', 'bob', level=2)}"
    assert feature_by_person(text, base, "relationships.walk_trust") == {"ann": 100, "bob": 100, "eve": 0}
    base = f"{enrol('eve', level=3)}\n{enrol('ann', 'bob', level=1)}"
    assert feature_by_person(text, base, "relationships.walk_trust") == {"ann": None, "bob": None, "eve": None}


VOUCHES = """
    2024-01-01 tie.formed ann > bob tie=friend
    2024-01-01 tie.formed ann > dan tie=vouch strength=10
    2024-01-01 tie.formed bob > dan tie=vouch strength=10
    2024-01-01 tie.formed cy > dan tie=vouch strength=-10"""
FOUR = f"{enrol('ann', level=3)}\n{enrol('bob', 'cy', 'dan')}"


def test_two_vouches_for_and_one_against():
    """g = (f + f - d) / 3 with f = 1 - (1 - g)/2 and d = 1 - (1 + g)/2: g = 1/3, f = 2/3, d = 1/3."""
    assert feature_by_person(VOUCHES, FOUR, "relationships.goodness") == {
        "ann": None,
        "bob": None,
        "cy": None,
        "dan": 33,
    }
    assert feature_by_person(VOUCHES, FOUR, "relationships.fairness") == {"ann": 67, "bob": 67, "cy": 33, "dan": None}


def test_a_vouch_weighs_by_its_givers_trust_and_fairness():
    """ann and bob each walk 1.00, cy 0.00: (2/3 + 2/3) / (1 + 4/3) = 4/7; without anyone verified nobody weighs anything."""
    assert feature_by_person(VOUCHES, FOUR, "relationships.vouch_mean") == {
        "ann": None,
        "bob": None,
        "cy": None,
        "dan": 57,
    }
    nobody = enrol("ann", "bob", "cy", "dan", level=1)
    assert feature_by_person(VOUCHES, nobody, "relationships.vouch_mean")["dan"] is None
    assert feature_by_person(VOUCHES, nobody, "relationships.goodness")["dan"] == 33


def test_a_negative_vouch_changes_only_the_vouch_features():
    """bob, with trust 1.00 and fairness 1.00, rates -1: goodness -1.00, mean -1 / (1 + 1)."""
    friends = "2024-01-01 tie.formed ann > bob tie=friend"
    doubt = f"{friends}\n2024-01-01 tie.formed bob > dan tie=vouch strength=-10"
    before, after = features_of("dan", friends, base=FOUR), features_of("dan", doubt, base=FOUR)
    expect(after, relationships__goodness=-100, relationships__vouch_mean=-50)
    vouch_features = {"relationships.goodness", "relationships.vouch_mean"}
    assert {n: v for n, v in after.items() if n not in vouch_features} == {
        n: v for n, v in before.items() if n not in vouch_features
    }


def test_trust_above_an_even_share_does_not_increase_a_vouchs_weight():
    """ann's walk is 2.00 in a row of five, and weighs 1: 1 / (1 + 1). dan's, of 0.50, weighs half: 0.5 / 1.5."""
    for rater, mean in (("ann", 50), ("dan", 33), ("eve", 0)):
        text = f"{ROW}\n2024-01-01 tie.formed {rater} > fay tie=vouch strength=10"
        expect(features_of("fay", text, base=f"{FIVE}\n{enrol('fay')}"), relationships__vouch_mean=mean)


def test_vouches_without_strength_and_ended_vouches_do_not_count():
    text = "2024-01-01 tie.formed bob > dan tie=vouch strength=0\n2024-01-01 tie.formed cy > dan tie=vouch strength=4"
    over = f"{text}\n2024-02-01 tie.ended cy > dan tie=vouch"
    expect(features_of("dan", text, base=FOUR), relationships__goodness=40)
    expect(features_of("bob", text, base=FOUR), relationships__fairness=None)
    expect(features_of("dan", over, base=FOUR), relationships__goodness=None)


def plain_walk(directed: nx.DiGraph, seeds: set[str]) -> dict[str, Fraction]:
    """By the definition, in fractions."""
    both = {
        (a, b): min(w, directed[b][a]["weight"]) for a, b, w in directed.edges(data="weight") if directed.has_edge(b, a)
    }
    weight = {p: sum(w for (a, _), w in both.items() if a == p) for p in {a for a, _ in both}}
    last = now = {p: Fraction(p in seeds, len(seeds)) for p in weight}
    for _ in range(int(np.ceil(np.log2(len(weight))))):
        last, now = (
            now,
            {p: sum((now[a] * w / weight[a] for (a, b), w in both.items() if b == p), Fraction()) for p in weight},
        )
    return {p: (last[p] + now[p]) / 2 / weight[p] * sum(weight.values()) for p in weight}


def verified_people(levels: dict[str, int], people: set[str]) -> set[str]:
    """The verified of these people."""
    return next((s for s in ({p for p in people if levels.get(p) == level} for level in (3, 2)) if s), set())


def half_up(value: Fraction | float) -> int:
    return int(np.floor(round(float(value), 9) * 100 + 0.5 + 1e-9))


@settings(max_examples=by_effort(3, 180), deadline=None)
@given(tie_ledgers())
def test_trust_equals_networkxs_and_walks_equal_exact_fractions(events):
    view, consents = visible_with_consents(events, NOW, NOW, "perks")
    directed = nx.DiGraph()
    directed.add_weighted_edges_from(lending(view).edges(data="weight"))
    table = compute(view, NOW, consents)
    levels = dict(table.select("person", "identity.level").iter_rows())
    reciprocated = {a for a, b in directed.edges if directed.has_edge(b, a)}
    seeds, walkers = verified_people(levels, set(directed)), verified_people(levels, reciprocated)
    ranks = nx.pagerank(directed, personalization=dict.fromkeys(seeds, 1), tol=1e-15, max_iter=1000) if seeds else {}
    walks = plain_walk(directed, walkers) if walkers else {}
    consenting = set(consents.filter(data_class="relationship")["person"])
    for row in table.iter_rows(named=True):
        if (person := row["person"]) in consenting:
            expected_trust = half_up(ranks.get(person, 0) * len(directed)) if seeds else None
            expected_walk = half_up(walks.get(person, 0)) if walkers else None
            assert (row["relationships.trust"], row["relationships.walk_trust"]) == (expected_trust, expected_walk)


@settings(max_examples=by_effort(3, 180), deadline=None)
@given(tie_ledgers())
def test_vouch_features_solve_the_equations_of_the_definition(events):
    """By rounds of plain sums; the weight of a voice is its walk as the feature has it, in hundredths."""
    view, consents = visible_with_consents(events, NOW, NOW, "perks")
    vouches = {
        (a, b): s / 10
        for a, b, t, s in tie_rating_rows(view).select("a", "b", "tie", "strength").rows()
        if t == "vouch" and s
    }
    fair: dict[str, float] = dict.fromkeys((a for a, _ in vouches), 1.0)
    good: dict[str, float] = {}
    for _ in range(80):
        good = {v: np.mean([fair[a] * r for (a, b), r in vouches.items() if b == v]) for _, v in vouches}
        fair = {u: 1 - np.mean([abs(r - good[b]) / 2 for (a, b), r in vouches.items() if a == u]) for u, _ in vouches}
    table = compute(view, NOW, consents)
    walk = dict(table.select("person", "relationships.walk_trust").iter_rows())
    for row in table.iter_rows(named=True):
        if (person := row["person"]) in set(consents.filter(data_class="relationship")["person"]):
            assert row["relationships.goodness"] == (half_up(good[person]) if person in good else None)
            assert row["relationships.fairness"] == (half_up(fair[person]) if person in fair else None)
            weigh = {a: fair[a] * min(walk[a] or 0, 100) / 100 for (a, b) in vouches if b == person}
            mean = sum(weigh[a] * r for (a, b), r in vouches.items() if b == person) / (1 + sum(weigh.values()))
            has_mean = person in good and walk[person] is not None
            assert row["relationships.vouch_mean"] == (half_up(mean) if has_mean else None)
