import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from graph.compiled import from_columns
from tests.effort import by_effort
from tests.graph.compiled.random_graphs import DIRECTED, UNDIRECTED, Pair


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(UNDIRECTED)
def test_triangles_and_clustering_equal_networkxs(pair: Pair):
    compiled, plain = pair.compiled, pair.plain
    assert nx.triangles(compiled) == nx.triangles(plain)
    assert nx.clustering(compiled) == nx.clustering(plain)
    assert nx.transitivity(compiled) == nx.transitivity(plain)
    if plain:
        for zeros in (True, False):
            try:
                expected = nx.average_clustering(plain, count_zeros=zeros)
            except ZeroDivisionError:
                with pytest.raises(ZeroDivisionError):
                    nx.average_clustering(compiled, count_zeros=zeros)
            else:
                assert nx.average_clustering(compiled, count_zeros=zeros) == expected


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(UNDIRECTED)
def test_triangles_and_clustering_accept_some_nodes_or_one(pair: Pair):
    for count in (nx.triangles, nx.clustering):
        assert count(pair.compiled, list(pair.plain)[::2]) == count(pair.plain, list(pair.plain)[::2])
        for node in pair.plain:
            assert count(pair.compiled, node) == count(pair.plain, node)


def test_triangles_of_a_few_nodes_are_counted_from_their_rows():
    """We draw random edges, with self-loops, and ask for one node in a hundred: NetworkX returns the same."""
    ends = np.random.default_rng(3).integers(0, 400, size=(2, 6_000))
    compiled = from_columns(ends[0], ends[1], nodes=400, directed=False)
    assert nx.number_of_selfloops(compiled) > 0
    plain = compiled.copy()
    assert nx.triangles(compiled, [7, 301, 12]) == nx.triangles(plain, [7, 301, 12])
    assert nx.clustering(compiled, 5) == nx.clustering(plain, 5)
    assert nx.clustering(compiled) == nx.clustering(plain)


def test_clustering_by_hand():
    """A square a b c d with the diagonal a-c: two of the three pairs around a are tied, the one pair around b is."""
    graph = from_columns(pl.Series(list("abcda")), pl.Series(list("bcdac")), directed=False)
    assert nx.triangles(graph) == {"a": 2, "b": 1, "c": 2, "d": 1}
    assert nx.clustering(graph) == {"a": 2 / 3, "b": 1.0, "c": 2 / 3, "d": 1.0}
    assert nx.transitivity(graph) == 6 / 8


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(DIRECTED)
def test_reciprocity_equals_networkxs(pair: Pair):
    compiled, plain = pair.compiled, pair.plain
    assert nx.reciprocity(compiled, list(plain)) == nx.reciprocity(plain, list(plain))
    if plain.number_of_edges():
        assert nx.overall_reciprocity(compiled) == nx.reciprocity(compiled) == nx.overall_reciprocity(plain)
    for node in plain:
        if plain.degree(node):
            assert nx.reciprocity(compiled, node) == nx.reciprocity(plain, node)


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(UNDIRECTED)
def test_the_reciprocity_of_an_undirected_graph_equals_networkxs(pair: Pair):
    """It counts no edge as running both ways, and refuses a node: an undirected graph has no predecessors."""
    for ask in (nx.reciprocity, nx.overall_reciprocity):
        if pair.plain.number_of_edges():
            assert ask(pair.compiled) == ask(pair.plain) == 0
        else:
            with pytest.raises(nx.NetworkXError, match="empty graphs"):
                ask(pair.compiled)
    for node in pair.plain:
        for nodes in (node, [node]):
            for graph in (pair.compiled, pair.plain):
                with pytest.raises(AttributeError, match="predecessors"):
                    nx.reciprocity(graph, nodes)


def test_the_reciprocity_of_an_empty_graph_is_refused():
    isolated = from_columns(*(pl.Series([], dtype=pl.String),) * 2, nodes=pl.Series(["a"]), directed=True)
    with pytest.raises(nx.NetworkXError, match="empty graphs"):
        nx.reciprocity(isolated)
    with pytest.raises(nx.NetworkXError, match="isolated nodes"):
        nx.reciprocity(isolated, "a")
    assert nx.reciprocity(isolated, ["a"]) == {"a": None}
