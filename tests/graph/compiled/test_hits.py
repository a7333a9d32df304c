"""Hubs and authorities equal those of NetworkX 3.7, also where several pairs of singular vectors are equally strong."""

import subprocess
import sys
from typing import Any

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from networkx.algorithms.link_analysis.hits_alg import _hits_python  # NetworkX's own power iteration, node by node

from graph.compiled import from_columns
from graph.compiled.conversion import from_networkx
from tests.effort import by_effort
from tests.graph.compiled.random_graphs import ANY, Pair
from tests.graph.compiled.test_centrality import is_close

GOLDEN = (1 + 5**0.5) / 2


def undirected(*edges: str) -> Any:
    return from_columns(*(pl.Series([edge[end] for edge in edges]) for end in (0, 1)), directed=False)


def test_hits_of_a_fan_by_hand():
    """Two point at three, one of them at all three: authorities follow the eigenvector of [[2, 2, 1], [2, 2, 1], [1, 1, 1]],
    (1, 1, x) with x = (2 + x) / (4 + x), so x = (sqrt(17) - 3) / 2."""
    fan = from_columns(pl.Series(["a", "a", "a", "b", "b"]), pl.Series(["x", "y", "z", "x", "y"]), directed=True)
    _, authorities = nx.hits(fan)
    x = (17**0.5 - 3) / 2
    assert authorities == pytest.approx({"a": 0, "b": 0, "x": 1 / (2 + x), "y": 1 / (2 + x), "z": x / (2 + x)})


def test_hits_of_a_star_by_hand():
    """From 1/4 each: the centre gets 3/4 and each leaf 1/4 as authorities, so all are equal hubs, and stay so."""
    hubs, authorities = nx.hits(undirected("cx", "cy", "cz"))
    assert hubs == pytest.approx(dict.fromkeys("cxyz", 1 / 4))
    assert authorities == pytest.approx({"c": 1 / 2, "x": 1 / 6, "y": 1 / 6, "z": 1 / 6})


def test_hits_of_a_path_by_hand():
    """The largest eigenvalue of a path of four is the golden ratio, that of (1, golden, golden, 1)."""
    expected = dict(zip("abcd", np.array([1, GOLDEN, GOLDEN, 1]) / (2 + 2 * GOLDEN), strict=True))
    for values in nx.hits(undirected("ab", "bc", "cd")):
        assert values == pytest.approx(expected)


def test_hits_of_disjoint_edges_by_hand():
    for values in nx.hits(undirected("ab", "cd", "ef")):
        assert values == pytest.approx(dict.fromkeys("abcdef", 1 / 6))


def test_hits_of_a_cycle_by_hand():
    """Every arc of a directed cycle is as strong as every other: all values are equal."""
    cycle = from_columns(pl.Series(list("abc")), pl.Series(list("bca")), directed=True)
    for values in nx.hits(cycle):
        assert values == pytest.approx(dict.fromkeys("abc", 1 / 3))


@pytest.mark.parametrize(
    "plain",
    [
        nx.star_graph(9),
        nx.path_graph(7),
        nx.balanced_tree(2, 4),
        nx.random_labeled_tree(30, seed=4),
        nx.Graph([(0, 1), (2, 3), (4, 5)]),
        nx.disjoint_union(nx.star_graph(4), nx.star_graph(4)),
        nx.complete_bipartite_graph(2, 5),
        nx.gn_graph(40, seed=2),
        nx.gnp_random_graph(40, 0.2, seed=1, directed=True),
    ],
    ids=str,
)
def test_hits_are_the_start_projected_on_the_strongest_singular_vectors(plain):
    """We compute this by a dense decomposition: the projection of an even start onto the eigenspace of the largest
    eigenvalue of A A^T.
    """
    compiled = from_networkx(plain)
    matrix = nx.to_numpy_array(plain)
    strengths, vectors = np.linalg.eigh(matrix @ matrix.T)
    strongest = vectors[:, strengths > strengths[-1] - 1e-9]
    hubs = strongest @ (strongest.T @ np.ones(len(plain)))
    authorities = matrix.T @ hubs
    result = nx.hits(compiled, max_iter=5000, tol=1e-13)
    for values, expected in zip(result, (hubs / hubs.sum(), authorities / authorities.sum()), strict=True):
        assert list(values.values()) == pytest.approx(expected.tolist(), abs=1e-7)
    assert nx.hits(compiled, max_iter=5000, tol=1e-13) == result


@settings(deadline=None, max_examples=by_effort(40, 400))
@given(ANY)
def test_hits_equal_networkxs_power_iteration(pair: Pair):
    if not pair.plain.number_of_edges():
        for refused in ({"max_iter": 100}, {"normalized": False}) if pair.plain else ():
            with pytest.raises(nx.PowerIterationFailedConvergence):
                nx.hits(pair.compiled, **refused)
        assert pair.plain or nx.hits(pair.compiled) == ({}, {})
        return
    start = {node: place + 1 for place, node in enumerate(reversed(list(pair.plain)))}
    for arguments in ({}, {"normalized": False}, {"nstart": start}, {"max_iter": 3}, {"max_iter": 0}):
        try:  # it writes into `nstart`, and in the order of `nstart`
            copied = {key: dict(value) if key == "nstart" else value for key, value in arguments.items()}
            expected = _hits_python(pair.plain, **copied)
        except nx.PowerIterationFailedConvergence:
            with pytest.raises(nx.PowerIterationFailedConvergence):
                nx.hits(pair.compiled, **arguments)
        else:
            for actual, values in zip(nx.hits(pair.compiled, **arguments), expected, strict=True):
                assert is_close(actual, {node: values[node] for node in pair.plain})


def test_a_start_that_lacks_a_node_is_refused_before_anything_runs():
    """In a process of its own: ARPACK read beyond such a start, and took the process with it."""
    code = """
import networkx as nx, polars as pl
from graph.compiled import from_columns
ring = from_columns(pl.Series(range(200)), pl.Series([*range(1, 200), 0]), directed=True)
for start in ({0: 1.0}, {}, dict.fromkeys(range(1, 201), 1.0)):
    for method in ({}, {"method": "svd"} if nx.__version__ >= "3.7" else {}):
        try:
            nx.hits(ring, nstart=start, **method)
        except nx.NetworkXError as refused:
            print(str(refused)[:46])
"""
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.splitlines() == ["nstart must have a value for every node; missi"] * 6


def test_a_start_of_nothing_is_refused_and_one_of_more_nodes_is_not():
    pair = undirected("ab", "bc")
    with pytest.raises(nx.NetworkXError, match="sum to zero"):
        nx.hits(pair, nstart=dict.fromkeys("abc", 0))
    with pytest.raises(ValueError, match="could not convert"):
        nx.hits(pair, nstart=dict.fromkeys("abc", "x"))
    more = dict.fromkeys("abcz", 1)
    assert nx.hits(pair, nstart=more) == nx.hits(pair)


def test_weights_beyond_floats_do_not_converge():
    for weight in (1e308, float("inf"), float("nan")):
        graph = from_networkx(nx.Graph([("a", "b", {"weight": weight}), ("b", "c", {"weight": 1.0})]), {"weight": 1})
        with pytest.raises(nx.PowerIterationFailedConvergence):
            nx.hits(graph)
