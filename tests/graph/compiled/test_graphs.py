import copy
import pickle

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings

from graph.compiled import DiGraph, Graph, from_columns
from tests.effort import by_effort
from tests.graph.compiled.random_graphs import ANY, Pair

TIES = from_columns(
    pl.Series(["ann", "bob", "ann"]), pl.Series(["bob", "cy", "ann"]), pl.Series([5, 2, 1]), directed=False
)
PAYMENTS = from_columns(pl.Series(["ann", "bob"]), pl.Series(["bob", "cy"]), pl.Series([0.5, 2.0]), directed=True)


def test_a_compiled_graph_is_a_networkx_graph():
    assert isinstance(TIES, nx.Graph)
    assert isinstance(PAYMENTS, nx.DiGraph)
    assert list(TIES) == list(TIES.nodes) == ["ann", "bob", "cy"]
    assert TIES["ann"]["bob"]["weight"] == TIES.edges["bob", "ann"]["weight"] == 5
    assert list(TIES.edges(data="weight")) == [("ann", "ann", 1), ("ann", "bob", 5), ("bob", "cy", 2)]
    assert (len(TIES), TIES.order(), TIES.number_of_nodes(), TIES.number_of_edges(), TIES.size("weight")) == (
        3,
        3,
        3,
        3,
        8,
    )
    assert TIES.degree["ann"] == 3  # a self-loop counts twice
    assert dict(TIES.degree(weight="weight")) == {"ann": 7, "bob": 7, "cy": 2}
    assert ("ann" in TIES, "dan" in TIES, [] in TIES) == (True, False, False)
    assert (TIES.is_directed(), PAYMENTS.is_directed(), TIES.is_multigraph()) == (False, True, False)
    assert (list(PAYMENTS.successors("ann")), list(PAYMENTS.predecessors("cy"))) == (["bob"], ["bob"])
    assert str(PAYMENTS) == "DiGraph with 3 nodes and 2 edges"


def test_an_unknown_node_is_refused_as_in_networkx():
    with pytest.raises(KeyError):
        TIES["dan"]
    with pytest.raises(nx.NetworkXError, match="The node dan is not in the graph"):
        TIES.neighbors("dan")


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(ANY)
def test_a_compiled_graph_has_the_nodes_edges_and_degrees_of_the_plain_one(pair: Pair):
    compiled, plain = pair.compiled, pair.plain
    assert nx.utils.graphs_equal(compiled.copy(), plain)
    assert compiled.adj == plain.adj
    assert list(compiled) == list(plain)
    assert compiled.number_of_edges() == plain.number_of_edges()
    assert nx.number_of_selfloops(compiled) == nx.number_of_selfloops(plain)
    for weight in (None, "weight", "height"):
        assert list(compiled.degree(weight=weight)) == list(plain.degree(weight=weight))
        assert dict(compiled.degree(list(plain)[:2], weight=weight)) == dict(
            plain.degree(list(plain)[:2], weight=weight)
        )
        if plain.is_directed():
            assert list(compiled.in_degree(weight=weight)) == list(plain.in_degree(weight=weight))
            assert list(compiled.out_degree(weight=weight)) == list(plain.out_degree(weight=weight))
    if plain.is_directed():
        assert {node: dict(row) for node, row in compiled.pred.items()} == plain.pred


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(ANY)
def test_copies_views_and_other_directions_are_those_of_the_plain_graph(pair: Pair):
    compiled, plain = pair.compiled, pair.plain
    some = list(plain)[::2]
    for derive in (
        lambda g: g.subgraph(some),
        lambda g: g.subgraph(some).copy(),
        lambda g: g.to_directed(),
        lambda g: g.to_undirected(),
        lambda g: g.to_undirected(as_view=True),
        lambda g: g.reverse() if g.is_directed() else g,
        lambda g: g.reverse(copy=False) if g.is_directed() else g,
        lambda g: g.edge_subgraph(list(plain.edges)[:3]),
        copy.deepcopy,
        lambda g: pickle.loads(pickle.dumps(g)),
        type(plain),
    ):
        actual, expected = derive(compiled), derive(plain)
        assert actual.is_directed() == expected.is_directed()
        assert actual.nodes == expected.nodes
        assert {frozenset(e) if not plain.is_directed() else e for e in actual.edges} == {
            frozenset(e) if not plain.is_directed() else e for e in expected.edges
        }
        assert all(actual.edges[edge] == attributes for *edge, attributes in expected.edges(data=True))


def test_graphs_derived_by_networkx_are_plain_and_mutable():
    for derived in (
        TIES.copy(),
        TIES.to_directed(),
        TIES.subgraph(["ann", "bob"]).copy(),
        nx.Graph(TIES),
        nx.complement(TIES),
    ):
        assert type(derived) in (nx.Graph, nx.DiGraph)
        derived.add_edge("ann", "dan")
        assert "dan" in derived
    assert type(TIES.__class__()) is nx.Graph
    assert type(PAYMENTS.__class__()) is nx.DiGraph


def test_pickles_and_deep_copies_stay_compiled():
    TIES.nodes["ann"]["level"] = 3
    for copied in (pickle.loads(pickle.dumps(TIES)), copy.deepcopy(TIES)):
        assert type(copied) is Graph
        assert copied.nodes["ann"] == {"level": 3}
        assert nx.utils.graphs_equal(copied, TIES)
    assert type(pickle.loads(pickle.dumps(PAYMENTS))) is DiGraph


@pytest.mark.parametrize(
    "change",
    [
        lambda g: g.add_node("dan"),
        lambda g: g.add_nodes_from(["dan"]),
        lambda g: g.add_edge("ann", "cy"),
        lambda g: g.add_edges_from([("ann", "cy")]),
        lambda g: g.add_weighted_edges_from([("ann", "cy", 2)]),
        lambda g: g.remove_node("ann"),
        lambda g: g.remove_nodes_from(["ann"]),
        lambda g: g.remove_edge("ann", "bob"),
        lambda g: g.remove_edges_from([("ann", "bob")]),
        lambda g: g.update(edges=[("ann", "cy")]),
        lambda g: g.clear(),
        lambda g: g.clear_edges(),
        lambda g: g["ann"]["bob"].update(weight=1),
        lambda g: g["ann"]["bob"].__setitem__("weight", 1),
        lambda g: g.edges["ann", "bob"].pop("weight"),
        lambda g: nx.set_edge_attributes(g, 1, "weight"),
    ],
)
def test_changes_that_bypass_the_arrays_are_refused(change):
    for graph in (TIES, PAYMENTS):
        assert nx.is_frozen(graph)
        before = nx.to_dict_of_dicts(graph)
        with pytest.raises(nx.NetworkXError, match=r"Frozen (graph|edges) can't be modified"):
            change(graph)
        assert nx.to_dict_of_dicts(graph) == before
