import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.compiled import from_columns
from tests.effort import pairs
from tests.graph.compiled.random_graphs import ANY, DIRECTED, UNDIRECTED, Pair

CLOSE = 1e-12  # of values that are sums of products of shares: what the order of adding makes of them


def close(found: dict, expected: dict) -> bool:
    """The same nodes in the same order, and values as near as floating point lets them be."""
    return list(found) == list(expected) and found == pytest.approx(expected, abs=CLOSE, rel=CLOSE)


def test_pagerank_of_a_chain_by_hand():
    """a -> b -> c, half of a walk starting anew, all of it at a. With d = 0.5: a = 0.5 + 0.5 c, since c leads nowhere and
    its share starts anew too, b = 0.5 a, c = 0.5 b. So a (1 - 0.5 x 0.25) = 0.5: a = 4/7, b = 2/7, c = 1/7."""
    chain = from_columns(pl.Series(["a", "b"]), pl.Series(["b", "c"]), directed=True)
    ranks = nx.pagerank(chain, 0.5, {"a": 3}, tol=1e-15)
    assert ranks == pytest.approx({"a": 4 / 7, "b": 2 / 7, "c": 1 / 7})


@settings(deadline=None, max_examples=pairs(20, 180))
@given(ANY, st.sampled_from((0.5, 0.85)), st.sampled_from((None, "weight", "height")), st.data())
def test_pagerank_is_networkxs_in_as_many_steps(pair: Pair, alpha: float, weight: str | None, data: st.DataObject):
    nodes = [*pair.plain, "nobody"]
    some = st.none() | st.dictionaries(st.sampled_from(nodes), st.integers(1, 3), min_size=1)
    given = {name: data.draw(some, name) for name in ("personalization", "nstart", "dangling")}
    for name in given:
        if given[name] is not None and set(given[name]) <= {"nobody"}:
            given[name] = None
    for most in (3, 100):
        asked = {"alpha": alpha, "weight": weight, "tol": 1e-6, "max_iter": most, **given}
        try:
            expected = nx.pagerank(pair.plain, **asked)
        except nx.PowerIterationFailedConvergence:
            with pytest.raises(nx.PowerIterationFailedConvergence, match=f"within {most} iterations"):
                nx.pagerank(pair.ours, **asked)
        else:
            assert close(nx.pagerank(pair.ours, **asked), expected)


def test_pagerank_from_nobody_in_the_graph_is_refused():
    graph = from_columns(pl.Series(["a"]), pl.Series(["b"]), directed=True)
    for nobody in ({"c": 1}, {"a": 0}):
        with pytest.raises(ZeroDivisionError):
            nx.pagerank(graph, personalization=nobody)
        with pytest.raises(ZeroDivisionError):
            nx.pagerank(graph.copy(), personalization=nobody)


@settings(deadline=None, max_examples=pairs(20, 180))
@given(ANY)
def test_degree_centralities_are_networkxs(pair: Pair):
    assert nx.degree_centrality(pair.ours) == nx.degree_centrality(pair.plain)
    if pair.plain.is_directed():
        assert nx.in_degree_centrality(pair.ours) == nx.in_degree_centrality(pair.plain)
        assert nx.out_degree_centrality(pair.ours) == nx.out_degree_centrality(pair.plain)


@settings(deadline=None, max_examples=pairs(20, 180))
@given(DIRECTED, st.sampled_from(("in", "out", "in+out")), st.sampled_from(("in", "out", "in+out")))
def test_the_degree_of_neighbours_is_networkxs_in_every_direction(pair: Pair, source: str, target: str):
    for weight in (None, "weight"):
        asked = {"source": source, "target": target, "weight": weight}
        assert close(nx.average_neighbor_degree(pair.ours, **asked), nx.average_neighbor_degree(pair.plain, **asked))


@settings(deadline=None, max_examples=pairs(20, 180))
@given(UNDIRECTED)
def test_the_degree_of_neighbours_is_networkxs_of_all_or_of_some(pair: Pair):
    for nodes in (None, list(pair.plain)[1::2], []):
        for weight in (None, "weight"):
            found = nx.average_neighbor_degree(pair.ours, nodes=nodes, weight=weight)
            assert close(found, nx.average_neighbor_degree(pair.plain, nodes=nodes, weight=weight))


def test_directions_that_do_not_exist_are_refused():
    for directed, source in ((False, "in"), (True, "up")):
        graph = from_columns(pl.Series(["a"]), pl.Series(["b"]), directed=directed)
        with pytest.raises(nx.NetworkXError, match="source"):
            nx.average_neighbor_degree(graph, source=source)
