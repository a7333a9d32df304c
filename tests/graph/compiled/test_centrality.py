import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.compiled import from_columns
from tests.effort import by_effort
from tests.graph.compiled.random_graphs import ANY, DIRECTED, UNDIRECTED, Pair

TOLERANCE = 1e-12  # for sums of products of shares, which depend on the order of addition


def is_close(actual: dict, expected: dict) -> bool:
    """The same nodes in the same order, and values as near as floating point lets them be."""
    return list(actual) == list(expected) and actual == pytest.approx(expected, abs=TOLERANCE, rel=TOLERANCE)


def test_pagerank_of_a_chain_by_hand():
    """a -> b -> c, half of a walk starting anew, all of it at a. With d = 0.5: a = 0.5 + 0.5 c, since c leads nowhere and
    its share starts anew too, b = 0.5 a, c = 0.5 b. So a (1 - 0.5 x 0.25) = 0.5: a = 4/7, b = 2/7, c = 1/7."""
    chain = from_columns(pl.Series(["a", "b"]), pl.Series(["b", "c"]), directed=True)
    ranks = nx.pagerank(chain, 0.5, {"a": 3}, tol=1e-15)
    assert ranks == pytest.approx({"a": 4 / 7, "b": 2 / 7, "c": 1 / 7})


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(ANY, st.sampled_from((0.5, 0.85)), st.sampled_from((None, "weight", "height")), st.data())
def test_pagerank_equals_networkxs_after_as_many_steps(
    pair: Pair, alpha: float, weight: str | None, data: st.DataObject
):
    nodes = [*pair.plain, "nobody"]
    some = st.none() | st.dictionaries(st.sampled_from(nodes), st.integers(1, 3), min_size=1)
    node_values = {name: data.draw(some, name) for name in ("personalization", "nstart", "dangling")}
    for name in node_values:
        if node_values[name] is not None and set(node_values[name]) <= {"nobody"}:
            node_values[name] = None
    for max_iter in (3, 100):
        arguments = {"alpha": alpha, "weight": weight, "tol": 1e-6, "max_iter": max_iter, **node_values}
        try:
            expected = nx.pagerank(pair.plain, **arguments)
        except nx.PowerIterationFailedConvergence:
            with pytest.raises(nx.PowerIterationFailedConvergence, match=f"within {max_iter} iterations"):
                nx.pagerank(pair.compiled, **arguments)
        else:
            assert is_close(nx.pagerank(pair.compiled, **arguments), expected)


def test_pagerank_warns_of_a_tolerance_that_is_loose_for_so_many_nodes():
    """NetworkX stops at a change of n * tol in sum; the ranks sum to 1."""
    ring = np.arange(2_000)
    graph = from_columns(ring, np.roll(ring, 1), nodes=2_000, directed=True)
    with pytest.warns(UserWarning, match="change of 0.002 in sum over 2,000 nodes; pass tol=5e-07 or less"):
        ranks = nx.pagerank(graph)
    assert ranks == nx.pagerank(graph, tol=5e-7)  # without a warning, which would fail here


def test_pagerank_without_a_start_node_in_the_graph_is_refused():
    graph = from_columns(pl.Series(["a"]), pl.Series(["b"]), directed=True)
    for nobody in ({"c": 1}, {"a": 0}):
        with pytest.raises(ZeroDivisionError):
            nx.pagerank(graph, personalization=nobody)
        with pytest.raises(ZeroDivisionError):
            nx.pagerank(graph.copy(), personalization=nobody)


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(ANY)
def test_degree_centralities_equal_networkxs(pair: Pair):
    assert nx.degree_centrality(pair.compiled) == nx.degree_centrality(pair.plain)
    if pair.plain.is_directed():
        assert nx.in_degree_centrality(pair.compiled) == nx.in_degree_centrality(pair.plain)
        assert nx.out_degree_centrality(pair.compiled) == nx.out_degree_centrality(pair.plain)


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(DIRECTED, st.sampled_from(("in", "out", "in+out")), st.sampled_from(("in", "out", "in+out")))
def test_the_degree_of_neighbours_equals_networkxs_in_every_direction(pair: Pair, source: str, target: str):
    for weight in (None, "weight"):
        arguments = {"source": source, "target": target, "weight": weight}
        assert is_close(
            nx.average_neighbor_degree(pair.compiled, **arguments), nx.average_neighbor_degree(pair.plain, **arguments)
        )


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(UNDIRECTED)
def test_the_degree_of_neighbours_equals_networkxs_for_all_or_some_nodes(pair: Pair):
    for nodes in (None, list(pair.plain)[1::2], []):
        for weight in (None, "weight"):
            actual = nx.average_neighbor_degree(pair.compiled, nodes=nodes, weight=weight)
            assert is_close(actual, nx.average_neighbor_degree(pair.plain, nodes=nodes, weight=weight))


def test_invalid_directions_are_refused():
    for directed, source in ((False, "in"), (True, "up")):
        graph = from_columns(pl.Series(["a"]), pl.Series(["b"]), directed=directed)
        with pytest.raises(nx.NetworkXError, match="source"):
            nx.average_neighbor_degree(graph, source=source)
