import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.evidence.visibility import visible_with_consents
from graph.evidence.vocabulary import CLASSES
from graph.features.pipeline import compute_local
from graph.network.build import social, tie_rating_rows, trust
from tests.effort import by_effort
from tests.graph.features.ask_features import AS_OF, BASE, expect, features_of
from tests.graph.features.random_crowds import PEOPLE, tie_ledgers
from tests.graph.story import enrol, story
from tests.shipped_features import compute, features
from tests.strategies import NOW, frame


def test_ties_are_counted_when_both_ends_consent():
    text = """
    2024-01-01 tie.formed ann > bob tie=household
    2024-01-01 tie.formed ann > bob tie=friend
    2024-01-01 tie.formed cy > ann tie=vouch strength=4
    2024-01-01 tie.formed bob > ann tie=vouch strength=-4
    2024-01-01 tie.formed ann > dan tie=friend"""
    counts = {"relationships__household": 1, "relationships__vouches": 1}
    expect(features_of("ann", text), relationships__degree=2, **counts)
    expect(features_of("ann", text, base=f"{BASE}\n{enrol('dan')}"), relationships__degree=3, **counts)


KITE = """
    2024-01-01 tie.formed ann > bob tie=friend
    2024-01-01 tie.formed bob > cy tie=friend
    2024-01-01 tie.formed cy > ann tie=friend
    2024-01-01 tie.formed cy > dan tie=friend"""


def test_core_and_clustering_of_a_triangle_with_a_tail():
    """By hand: the triangle is the 2-core; of the three pairs around cy, one (ann, bob) is tied."""
    base = enrol("ann", "bob", "cy", "dan", "eve")
    expect(features_of("cy", KITE, base=base), relationships__core_number=2, relationships__clustering=333)
    expect(features_of("ann", KITE, base=base), relationships__core_number=2, relationships__clustering=1000)
    expect(features_of("dan", KITE, base=base), relationships__core_number=1, relationships__clustering=0)
    expect(
        features_of("eve", KITE, base=base),
        relationships__core_number=0,
        relationships__clustering=0,
        relationships__trust=0,
    )


def test_a_vouch_counts_as_a_tie_only_for_its_recipient():
    base = enrol("ann", "eve")
    text = "2024-01-01 tie.formed eve > ann tie=vouch strength=10"
    expect(features_of("ann", text, base=base), relationships__degree=1, relationships__vouches=1)
    expect(features_of("eve", text, base=base), relationships__degree=0, relationships__vouches=0)


def test_ties_kept_is_the_share_of_ties_of_half_a_year_ago_that_remain():
    """On 15 December 2023 there were bob, cy and dan; cy went, dan (his vouch) stayed, eve is new: 2 of 3."""
    base = f"{BASE}\n{enrol('dan', 'eve')}"
    text = """
    2023-01-01 tie.formed ann > bob tie=friend
    2023-12-15 tie.formed ann > cy tie=colleague
    2023-01-01 tie.formed dan > ann tie=vouch strength=3
    2023-12-15T00:00:00.000001 tie.formed ann > eve tie=friend
    2024-03-01 tie.ended cy > ann tie=colleague"""
    expect(features_of("ann", text, base=base), relationships__ties_kept=67)
    expect(features_of("eve", text, base=base), relationships__ties_kept=None)
    expect(features_of("dan", text, base=base), relationships__ties_kept=None)  # a vouch does not tie its giver
    expect(features_of("cy", text, base=base), relationships__ties_kept=0)


def test_a_tie_that_was_renewed_or_changed_its_kind_counts_as_kept():
    text = """
    2023-01-01 tie.formed ann > bob tie=friend
    2024-01-01 tie.ended ann > bob tie=friend
    2024-02-01 tie.formed bob > ann tie=household"""
    expect(features_of("ann", text), relationships__ties_kept=100)


def test_withdrawing_consent_lowers_no_other_share_of_ties_kept():
    text = "2023-01-01 tie.formed ann > bob tie=friend\n2023-01-01 tie.formed ann > cy tie=friend"
    withdrawn = f"{text}\n2024-06-01 consent.withdrawn bob purpose=perks classes=relationship"
    expect(features_of("ann", text), relationships__ties_kept=100)
    expect(features_of("ann", withdrawn), relationships__ties_kept=100, relationships__degree=1)


CIRCLES = """
    2024-01-01 tie.formed ann > bob tie=household
    2024-01-01 tie.formed ann > cy tie=household
    2024-01-01 tie.formed bob > cy tie=household
    2024-01-01 tie.formed ann > dan tie=colleague
    2024-01-01 tie.formed eve > ann tie=vouch strength=2
    2024-01-01 tie.formed dan > fay tie=friend
    2024-01-01 tie.formed fay > eve tie=friend"""


def test_circles_are_the_components_without_the_person():
    """Around ann: bob and cy, tied; dan; eve, with a vouch for ann. dan and eve meet only through fay, and fay is not
    tied to ann.
    """
    base = f"{BASE}\n{enrol('dan', 'eve', 'fay')}"
    expect(features_of("ann", CIRCLES, base=base), relationships__circles=3, relationships__degree=4)
    met = f"{CIRCLES}\n2024-01-02 tie.formed dan > eve tie=vouch strength=1"
    expect(features_of("ann", met, base=base), relationships__circles=2)
    expect(features_of("bob", CIRCLES, base=base), relationships__circles=1)
    expect(features_of("fay", CIRCLES, base=base), relationships__circles=2)


def test_vouching_for_strangers_makes_no_circles():
    text = "2024-01-01 tie.formed ann > bob tie=vouch strength=9\n2024-01-01 tie.formed ann > cy tie=vouch strength=9"
    expect(features_of("ann", text), relationships__circles=0, relationships__degree=0)
    expect(features_of("bob", text), relationships__circles=1, relationships__degree=1)


def plain_layers(view: pl.DataFrame) -> tuple[nx.Graph, nx.DiGraph]:
    """Both layers as NetworkX makes them."""
    undirected, directed = nx.Graph(), nx.DiGraph()
    for a, b, tie, strength in (
        tie_rating_rows(view).filter(pl.col("strength") > 0).select("a", "b", "tie", "strength").rows()
    ):
        current = undirected.get_edge_data(a, b, {"weight": 0})["weight"]
        undirected.add_edge(a, b, weight=current + strength)
        for u, v in ((a, b),) if tie == "vouch" else ((a, b), (b, a)):
            directed.add_edge(u, v, weight=directed.get_edge_data(u, v, {"weight": 0})["weight"] + strength)
    return undirected, directed


@settings(max_examples=by_effort(4, 180), deadline=None)
@given(tie_ledgers())
def test_a_persons_place_in_the_graph_equals_networkxs(events):
    view, consents = visible_with_consents(events, NOW, NOW, "perks")
    undirected, directed = plain_layers(view)
    assert {frozenset((a, b)): w for a, b, w in social(view).edges(data="weight")} == {
        frozenset((a, b)): w for a, b, w in undirected.edges(data="weight")
    }
    assert sorted(trust(view).edges(data="weight")) == sorted(directed.edges(data="weight"))
    consenting = set(consents.filter(data_class="relationship")["person"])
    cores, clustering = nx.core_number(undirected), nx.clustering(undirected)
    for row in compute(view, NOW, consents).iter_rows(named=True):
        if (person := row["person"]) not in consenting:
            assert {
                row[f"relationships.{name}"] for name in ("core_number", "clustering", "circles", "trust", "walk_trust")
            } == {None}
            continue
        supporters = list(directed.predecessors(person)) if person in directed else []
        groups = nx.number_connected_components(undirected.subgraph(supporters)) if supporters else 0
        assert row["relationships.core_number"] == cores.get(person, 0)
        assert row["relationships.degree"] == len(supporters)
        assert row["relationships.circles"] == groups
        assert row["relationships.clustering"] == int(clustering.get(person, 0) * 1000 + 0.5 + 1e-9)


@settings(max_examples=by_effort(3, 120), deadline=None)
@given(tie_ledgers(), st.sets(st.sampled_from(PEOPLE), min_size=1, max_size=3))
def test_local_features_need_only_the_ties_of_a_person_and_among_their_neighbours(events, few):
    view, consents = visible_with_consents(events, NOW, NOW, "perks")
    ties = pl.col("kind").is_in(["tie.formed", "tie.ended"])
    own = view.filter(ties, pl.col("subject").is_in(few) | pl.col("other").is_in(few))
    ring = {*own["subject"], *own["other"]}
    part = view.filter(~ties | (pl.col("subject").is_in(ring) & pl.col("other").is_in(ring)))
    full = compute_local(view, NOW, consents).filter(pl.col("person").is_in(few)).sort("person")
    assert_frame_equal(compute_local(part, NOW, consents, few).sort("person"), full)


@settings(max_examples=by_effort(2, 75), deadline=None)
@given(tie_ledgers(), st.integers(0, 6))
def test_one_person_at_a_time_equals_all_at_once(events, number):
    full = features(events, NOW, NOW, "perks")
    assert_frame_equal(features(events, NOW, NOW, "perks", [PEOPLE[number]]), full.filter(person=PEOPLE[number]))


@settings(max_examples=by_effort(2, 75), deadline=None)
@given(tie_ledgers())
def test_only_requested_features_are_returned_with_equal_values(events):
    feature_names = ["relationships.walk_trust", "identity.level", "relationships.circles"]
    some, full = features(events, NOW, NOW, "perks", feature_names=feature_names), features(events, NOW, NOW, "perks")
    assert some.columns == ["person", "identity.level", "relationships.circles", "relationships.walk_trust"]
    assert_frame_equal(some, full.select(some.columns))


def test_parallel_ties_are_one_neighbour_with_added_strengths():
    """From cy (level 3): ann lends bob 10 + 5 of 18, and cy 3; so of what leaves ann, 15/18 goes to bob."""
    base = f"{enrol('cy', level=3)}\n{enrol('ann', 'bob')}"
    text = """
    2024-01-01 tie.formed ann > bob tie=household
    2024-01-01 tie.formed bob > ann tie=friend
    2024-01-01 tie.formed ann > cy tie=colleague"""
    expect(
        features_of("ann", text, base=base),
        relationships__core_number=1,
        relationships__circles=2,
        relationships__degree=2,
    )
    lent = nx.DiGraph()
    lent.add_weighted_edges_from([("ann", "bob", 15), ("bob", "ann", 15), ("ann", "cy", 3), ("cy", "ann", 3)])
    ranks = nx.pagerank(lent, personalization={"cy": 1}, tol=1e-15, max_iter=1000)
    expect(features_of("bob", text, base=base), relationships__trust=int(300 * ranks["bob"] + 0.5))


def test_ids_of_any_script_stay_distinct():
    """One letter, and one letter and a combining ring, look alike and are not."""
    one, two = "\u00c5ngström", "A\u030angström"
    base = f"{enrol('安', level=3)}\n{enrol(one, two)}"
    text = f"2024-01-01 tie.formed 安 > {one} tie=friend"
    expect(
        features_of(one, text, base=base),
        relationships__circles=1,
        relationships__trust=92,
        relationships__walk_trust=100,
    )
    expect(
        features_of(two, text, base=base), relationships__circles=0, relationships__trust=0, relationships__walk_trust=0
    )


def test_a_person_named_only_by_others_has_no_row_or_tie_without_consent():
    text = "2024-01-01 tie.formed ann > ghost tie=friend\n2024-01-01 payment.made ann > shop amount=3 currency=CNY"
    table = features(story(f"{BASE}\n{text}"), AS_OF, AS_OF, "perks")
    assert table["person"].to_list() == ["ann", "bob", "cy"]
    assert table["relationships.degree"].to_list() == [0, 0, 0]
    consent = f"2000-01-01 consent.granted ghost @desk purpose=perks classes={','.join(CLASSES)}"
    expect(features_of("ann", f"{consent}\n{text}"), relationships__degree=1, relationships__circles=1)


@pytest.mark.parametrize("base", ["", enrol("ann"), BASE])
def test_without_ties_layer_features_have_their_empty_values(base):
    events = story(base) if base else frame([])
    table = features(events, AS_OF, AS_OF, "perks")
    for name, value in {
        "core_number": 0,
        "circles": 0,
        "clustering": 0,
        "degree": 0,
        "trust": None,
        "walk_trust": None,
    }.items():
        assert set(table[f"relationships.{name}"]) <= {value}
    for name in ("goodness", "fairness", "vouch_mean", "ties_kept"):
        assert set(table[f"relationships.{name}"]) <= {None}
    assert set(table["fraud.rings"]) <= {0}
