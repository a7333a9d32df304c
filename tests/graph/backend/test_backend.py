import logging
from collections.abc import Callable, Iterator
from functools import wraps
from importlib import import_module
from inspect import Parameter, signature

import networkx as nx
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from networkx.algorithms.community.tests import test_louvain

from graph.backend import dispatch
from graph.backend.backend_info import OFFERS
from graph.backend.dispatch import BACKEND, EXPECTED_FAILURES, MIN_SIZE_TO_CONVERT
from graph.compiled import DiGraph, Graph, from_columns
from tests.conformance import TEST_MODULES, run
from tests.effort import by_effort
from tests.graph.compiled.random_graphs import ANY, Pair

RING = from_columns(pl.Series(["a", "b", "c"]), pl.Series(["b", "c", "a"]), pl.Series([1, 2, 3]), directed=False)
ROUND = from_columns(pl.Series(["a", "b", "c"]), pl.Series(["b", "c", "a"]), pl.Series([1, 2, 3]), directed=True)
ONE_NODE = {"bfs_edges": "a", "ego_graph": "a", "single_source_shortest_path_length": "a"}
DIRECTED_ONLY = ("in_degree", "out_degree", "weakly", "strongly", "reciprocity")


@pytest.fixture
def dispatch_log() -> Iterator[list[str]]:
    """Return the functions that NetworkX's log reports as dispatched to us."""
    log, names = logging.getLogger("networkx.utils.backends"), []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg.startswith("Using backend '%s' for call to"):
                names.append(record.args[1])

    listener, before = Listener(), (log.level, log.propagate)
    log.addHandler(listener)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    yield names
    log.removeHandler(listener)
    log.setLevel(before[0])
    log.propagate = before[1]


@pytest.fixture
def prefer_backend() -> Iterator[None]:
    """Set NetworkX to try our backend first, as you can by an environment variable."""
    with nx.config.backend_priority(algos=["iftah"]), nx.config(warnings_to_ignore={"cache"}):
        yield


def function(name: str) -> Callable:
    return getattr(nx, name, None) or getattr(nx.community, name)


@pytest.mark.parametrize("name", OFFERS)
def test_every_offered_function_runs_compiled_by_its_networkx_name(name, dispatch_log, monkeypatch):
    """We make the plain function fail: if the call succeeds, NetworkX did not answer it."""

    dispatching = nx.utils.backends._registered_algorithms[name]

    @wraps(dispatching.orig_func)
    def refuse(*args, **kwargs):
        raise AssertionError("the plain function ran")

    monkeypatch.setattr(dispatching, "orig_func", refuse)
    graph = ROUND if any(word in name for word in DIRECTED_ONLY) else RING
    answer = function(name)(graph, *ONE_NODE.get(name, ()))
    if isinstance(answer, Iterator):
        list(answer)
    assert dispatch_log == [name]


def test_networkx_knows_our_backend_and_its_functions():
    assert nx.utils.backends.backend_info["iftah"]["functions"].keys() == OFFERS.keys()
    assert "iftah : Compressed sparse rows" in nx.pagerank.__doc__
    assert all(function(name) for name in OFFERS)


@pytest.mark.parametrize("name", OFFERS)
def test_every_offered_function_has_the_arguments_of_the_installed_networkx(name):
    """We compare name, kind, order and default. Arguments that NetworkX lacks are for later versions, and keyword-only."""
    networkx_parameters = list(signature(nx.utils.backends._registered_algorithms[name].orig_func).parameters.values())
    compiled_parameters = list(
        signature(getattr(import_module(f"graph.compiled.{OFFERS[name].module}"), name)).parameters.values()
    )
    arguments = [(argument.name, argument.kind, argument.default) for argument in compiled_parameters]
    assert arguments[: len(networkx_parameters)] == [
        (argument.name, argument.kind, argument.default) for argument in networkx_parameters
    ]
    assert {argument.kind for argument in compiled_parameters[len(networkx_parameters) :]} <= {Parameter.KEYWORD_ONLY}


def test_a_function_with_a_new_argument_falls_back_to_networkx(dispatch_log, monkeypatch):
    """As `hits` gained `method` in NetworkX 3.7: an argument we do not know may change the answer."""
    dispatching = nx.utils.backends._registered_algorithms["degree_centrality"]

    def later(G, *, method="new"):  # noqa: N803
        return dict.fromkeys(G, method)

    monkeypatch.setattr(dispatching, "orig_func", later)
    for cached in (dispatch._signature, dispatch._unknown_arguments):
        cached.cache_clear()
    try:
        assert (
            BACKEND.can_run("degree_centrality", (RING.copy(),), {})
            == "this NetworkX has arguments not compiled here: method"
        )
        assert BACKEND.degree_centrality(RING, method="newer") == {"a": "newer", "b": "newer", "c": "newer"}
        assert BACKEND.degree_centrality(RING) == {"a": "new", "b": "new", "c": "new"}
    finally:
        for cached in (dispatch._signature, dispatch._unknown_arguments):
            cached.cache_clear()


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(ANY)
def test_a_function_that_is_not_offered_falls_back_to_networkx(pair: Pair):
    for compiled, plain in ((pair.compiled, pair.plain),):
        assert nx.square_clustering(compiled) == nx.square_clustering(plain)
        assert nx.density(compiled) == nx.density(plain)
        assert dict(nx.all_pairs_shortest_path_length(compiled)) == dict(nx.all_pairs_shortest_path_length(plain))
        assert nx.clustering(compiled, weight="weight") == pytest.approx(nx.clustering(plain, weight="weight"))
        if plain.is_directed():
            assert nx.clustering(compiled) == nx.clustering(plain)
            assert nx.condensation(compiled).number_of_nodes() == nx.condensation(plain).number_of_nodes()
        if plain.is_directed() and not nx.number_of_selfloops(plain):
            assert nx.core_number(compiled) == nx.core_number(plain)
        assert nx.utils.graphs_equal(nx.union_all([compiled.copy(), nx.empty_graph(0, plain.__class__)]), plain)


def test_lists_of_our_graphs_and_arguments_that_are_not_compiled_fall_back_too():
    assert nx.utils.graphs_equal(nx.compose_all([RING, RING]), RING)
    assert list(nx.bfs_edges(RING, "a", sort_neighbors=lambda nodes: sorted(nodes, reverse=True))) == [
        ("a", "c"),
        ("a", "b"),
    ]
    assert sorted(nx.ego_graph(RING, "a", radius=1, distance="weight")) == ["a", "b"]
    assert len(nx.community.louvain_communities(RING, max_level=1, seed=1)) == 1
    assert nx.average_neighbor_degree(RING, weight=None) == {"a": 2.0, "b": 2.0, "c": 2.0}


def test_a_function_that_writes_attributes_of_nodes_writes_them_to_our_graph():
    graph = from_columns(pl.Series(["a"]), pl.Series(["b"]), directed=False)
    nx.set_node_attributes(graph, {"a": 3}, "level")
    assert graph.nodes(data="level")["a"] == 3


def test_mixing_our_graph_with_a_plain_one_needs_an_explicit_fallback():
    with pytest.raises(TypeError, match="Unable to convert inputs"):
        nx.compose(RING, nx.path_graph(2))
    assert len(nx.compose(RING.copy(), nx.path_graph(2))) == 5
    with nx.config(fallback_to_nx=True):
        assert len(nx.compose(RING, nx.path_graph(2))) == 5


def test_a_large_plain_graph_is_converted_once_if_it_pays(prefer_backend, dispatch_log):
    large = nx.path_graph(MIN_SIZE_TO_CONVERT)
    assert nx.core_number(large) == dict.fromkeys(large, 1)
    assert nx.number_connected_components(large) == 1  # it is at hand now
    assert dispatch_log == ["core_number", "number_connected_components"]


def test_small_graphs_and_quick_or_local_functions_stay_with_networkx(prefer_backend, dispatch_log):
    large = nx.path_graph(MIN_SIZE_TO_CONVERT)
    nx.core_number(nx.path_graph(10))
    nx.degree_centrality(large)
    nx.core_number(large)
    nx.single_source_shortest_path_length(large, 0, cutoff=2)
    assert dispatch_log == ["core_number"]


def test_graphs_with_parallel_edges_or_a_subclass_stay_with_networkx(prefer_backend, dispatch_log):
    class CustomGraph(nx.Graph):
        """A graph that may answer otherwise than its dicts."""

    for graph in (nx.MultiGraph([(1, 2), (1, 2)]), CustomGraph([(1, 2)])):
        nx.number_connected_components(graph)
        with pytest.raises(NotImplementedError):
            nx.number_connected_components(graph, backend="iftah")
    with pytest.raises(NotImplementedError, match="parallel edges"):
        BACKEND.convert_from_nx(nx.MultiGraph())
    assert dispatch_log == []


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(ANY)
def test_conversion_in_both_directions_keeps_everything(pair: Pair):
    pair.plain.graph["name"] = "town"
    for number, (*edge, _) in enumerate(pair.plain.edges(data=True)):
        pair.plain.edges[edge].update({("kind", "size", "much")[number % 3]: ("ß", 0.5, 2**70)[number % 3]})
    for level, node in enumerate(pair.plain):
        pair.plain.nodes[node]["level"] = level
    keep = dict.fromkeys(("preserve_edge_attrs", "preserve_node_attrs", "preserve_graph_attrs"), True)
    compiled = BACKEND.convert_from_nx(pair.plain, **keep)
    assert isinstance(compiled, DiGraph if pair.plain.is_directed() else Graph)
    back = BACKEND.convert_to_nx(compiled)
    assert nx.utils.graphs_equal(back, pair.plain)
    assert back.graph == {"name": "town"}


NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.integers(2**53 - 2, 2**53 + 2),
    st.sampled_from((2**60 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 0, 1)),
    st.floats(allow_nan=False),
)


@settings(deadline=None, max_examples=by_effort(100, 1000))
@given(st.lists(NUMBERS, max_size=6), st.booleans())
@example([2**60 + 1, 1.5], False)
@example([2**63, 1], True)
def test_conversion_changes_no_number_and_neither_do_the_sums_of_numbers(numbers: list, directed: bool):
    plain = (nx.DiGraph if directed else nx.Graph)((n // 2, n // 3 + 1, {"amount": v}) for n, v in enumerate(numbers))
    compiled = BACKEND.convert_from_nx(plain, edge_attrs={"amount": 1})
    assert nx.utils.graphs_equal(BACKEND.convert_to_nx(compiled), plain)
    assert all(compiled.edges[edge]["amount"] == plain.edges[edge]["amount"] for edge in plain.edges)
    if all(isinstance(number, int) for number in numbers):
        assert dict(compiled.degree(weight="amount")) == dict(plain.degree(weight="amount"))


def test_a_matrix_keeps_integers_beside_fractions_as_networkx_does():
    plain = nx.Graph([("a", "b", {"amount": 2**60 + 1}), ("b", "c", {"amount": 1.5}), ("c", "d", {})])
    compiled = BACKEND.convert_from_nx(plain, preserve_edge_attrs=True)
    for dtype in (int, float, None):
        actual, expected = (
            nx.to_scipy_sparse_array(graph, weight="amount", dtype=dtype) for graph in (compiled, plain)
        )
        assert actual.todense().tolist() == expected.todense().tolist()


def test_conversion_keeps_the_attributes_asked_for_and_fills_those_that_lack():
    plain = nx.Graph([("a", "b", {"amount": 5, "note": "x"}), ("b", "c", {})])
    plain.add_node("a", level=2)
    compiled = BACKEND.convert_from_nx(plain, edge_attrs={"amount": 1}, node_attrs={"level": None, "size": 7})
    assert list(compiled.edges(data=True)) == [("a", "b", {"amount": 5}), ("b", "c", {"amount": 1})]
    assert dict(compiled.nodes(data=True)) == {"a": {"level": 2, "size": 7}, "b": {"size": 7}, "c": {"size": 7}}
    assert BACKEND.convert_to_nx("not a graph") == "not a graph"


def test_weights_that_are_not_numbers_are_refused_by_networkx():
    plain = nx.Graph([("a", "b", {"weight": "heavy"})])
    with pytest.raises((TypeError, ValueError)):
        nx.pagerank(plain)
    with pytest.raises((TypeError, ValueError)):
        nx.pagerank(plain, backend="iftah")


def test_networkxs_own_tests_of_offered_functions_pass():
    """`make conformance` runs all of them. Here we run those of the modules with offered functions, and check that each
    function is called.
    """
    completed = run(*TEST_MODULES)
    lines = completed.stdout.splitlines()
    assert completed.returncode == 0, completed.stdout
    expected = [name for name in EXPECTED_FAILURES if hasattr(test_louvain, name.partition("::")[2])]
    assert any(f" {len(expected)} xfailed, 0 failed, 0 error" in line for line in lines)
    calls = dict(pair.split() for line in lines if line.startswith("calls: ") for pair in line[7:].split(", "))
    assert [name for name in OFFERS if calls[name] == "0"] == []
