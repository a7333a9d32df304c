from collections.abc import Callable

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings

from graph.compiled import from_columns
from tests.effort import by_effort
from tests.graph.compiled.random_graphs import DIRECTED, SIMPLE, UNDIRECTED, Pair


def sets(components: Callable, graph: nx.Graph) -> set[frozenset]:
    node_sets = [frozenset(members) for members in components(graph)]
    assert len(set(node_sets)) == len(node_sets)
    return set(node_sets)


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(UNDIRECTED)
def test_connected_components_equal_networkxs_in_order(pair: Pair):
    assert list(nx.connected_components(pair.compiled)) == list(nx.connected_components(pair.plain))
    assert nx.number_connected_components(pair.compiled) == nx.number_connected_components(pair.plain)
    if pair.plain:
        assert nx.is_connected(pair.compiled) == nx.is_connected(pair.plain)


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(DIRECTED)
def test_weak_and_strong_components_equal_networkxs(pair: Pair):
    for kind in ("weakly", "strongly"):
        components = getattr(nx, f"{kind}_connected_components")
        assert sets(components, pair.compiled) == sets(components, pair.plain)
        number = getattr(nx, f"number_{kind}_connected_components")
        assert number(pair.compiled) == number(pair.plain)
        whole = getattr(nx, f"is_{kind}_connected")
        if pair.plain:
            assert whole(pair.compiled) == whole(pair.plain)


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(DIRECTED)
def test_no_strong_component_comes_before_one_it_leads_to(pair: Pair):
    """As in Tarjan's algorithm, on which callers of NetworkX may lean."""
    place = {node: at for at, members in enumerate(nx.strongly_connected_components(pair.compiled)) for node in members}
    assert all(place[target] <= place[source] for source, target in pair.plain.edges)


@pytest.mark.parametrize("question", [nx.is_connected, nx.is_weakly_connected, nx.is_strongly_connected])
def test_the_connectivity_of_an_empty_graph_is_refused(question):
    none = pl.Series([], dtype=pl.String)
    with pytest.raises(nx.NetworkXPointlessConcept):
        question(from_columns(none, none, directed=question is not nx.is_connected))


def test_components_of_the_wrong_kind_of_graph_are_refused():
    ends = pl.Series(["a"]), pl.Series(["b"])
    with pytest.raises(nx.NetworkXNotImplemented):
        nx.connected_components(from_columns(*ends, directed=True))
    with pytest.raises(nx.NetworkXNotImplemented):
        nx.strongly_connected_components(from_columns(*ends, directed=False))


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(SIMPLE)
def test_core_numbers_equal_networkxs(pair: Pair):
    assert nx.core_number(pair.compiled) == nx.core_number(pair.plain)


def test_core_numbers_of_a_clique_with_a_tail_by_hand():
    """Four nodes, all tied to each other, form a 3-core; the tail has one tie."""
    ties = ["ab", "ac", "ad", "bc", "bd", "cd", "de", "ef"]
    graph = from_columns(pl.Series([t[0] for t in ties]), pl.Series([t[1] for t in ties]), directed=False)
    assert nx.core_number(graph) == {"a": 3, "b": 3, "c": 3, "d": 3, "e": 1, "f": 1}


def test_core_numbers_of_a_chain_of_ten_thousand_by_hand():
    """It takes 5,000 rounds to remove a chain from both ends: we leave such graphs to NetworKit."""
    nodes = pl.Series([f"n{n}" for n in range(10_000)])
    graph = from_columns(nodes[:-1], nodes[1:], directed=False)
    assert set(nx.core_number(graph).values()) == {1}


def test_core_numbers_with_self_loops_are_refused_as_in_networkx():
    with pytest.raises(nx.NetworkXNotImplemented, match="self loops"):
        nx.core_number(from_columns(pl.Series(["a"]), pl.Series(["a"]), directed=False))
