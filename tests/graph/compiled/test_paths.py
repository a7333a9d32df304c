import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.compiled import from_columns
from graph.compiled.conversion import from_networkx
from tests.effort import by_effort
from tests.graph.compiled.random_graphs import ANY, Pair

LIMITS = st.sampled_from((None, 0, 1, 1.5, 2, 3, float("inf")))


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(ANY, LIMITS)
def test_distances_and_searches_equal_networkxs_in_order(pair: Pair, limit: float | None):
    """Converted, a graph keeps the order of its neighbours, so both walk alike."""
    plain, compiled = pair.plain, from_networkx(pair.plain)
    for node in plain:
        actual = nx.single_source_shortest_path_length(compiled, node, limit)
        expected = nx.single_source_shortest_path_length(plain, node, limit)
        assert list(actual.items()) == list(expected.items())
        assert list(nx.bfs_edges(compiled, node, depth_limit=limit)) == list(
            nx.bfs_edges(plain, node, depth_limit=limit)
        )
        if plain.is_directed():
            back = {v for _, v in nx.bfs_edges(compiled, node, reverse=True, depth_limit=limit)}
            assert back == {v for _, v in nx.bfs_edges(plain, node, reverse=True, depth_limit=limit)}


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(ANY, st.sampled_from((0, 1, 2, 9)), st.booleans(), st.booleans())
def test_ego_graphs_equal_networkxs_with_all_attributes(pair: Pair, radius: int, center: bool, undirected: bool):
    pair.plain.graph["name"] = pair.compiled.graph["name"] = "town"
    for level, node in enumerate(pair.plain):
        pair.plain.nodes[node]["level"] = pair.compiled.nodes[node]["level"] = level
    for node in pair.plain:
        actual = nx.ego_graph(pair.compiled, node, radius, center, undirected)
        expected = nx.ego_graph(pair.plain, node, radius, center, undirected)
        assert nx.utils.graphs_equal(actual, expected)
        assert type(actual) is type(expected)
        assert actual.graph == expected.graph == {"name": "town"}


def test_a_chain_of_thousands_of_nodes_is_searched_to_its_end():
    chain = from_columns(np.arange(5_000), np.arange(1, 5_001), nodes=5_001, directed=False)
    assert nx.single_source_shortest_path_length(chain, 0) == {node: node for node in range(5_001)}
    assert len(nx.single_source_shortest_path_length(chain, 2_500, 3)) == 7


def test_an_unknown_node_is_refused_as_in_networkx():
    graph = from_columns(pl.Series(["a"]), pl.Series(["b"]), directed=True)
    with pytest.raises(nx.NodeNotFound, match="Source c is not in G"):
        nx.single_source_shortest_path_length(graph, "c")
    with pytest.raises(nx.NodeNotFound, match="Source c is not in G"):
        nx.ego_graph(graph, "c")
    with pytest.raises(nx.NetworkXError, match="The node c is not in the digraph"):
        list(nx.bfs_edges(graph, "c"))
