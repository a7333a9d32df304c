import networkx as nx
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from graph.compiled import DiGraph, Graph, from_columns

SOURCE, TARGET, WEIGHT = ["李雷", "bob", "bob", "李雷"], ["bob", "李雷", "bob", "bob"], [1, 2, 4, 8]


def test_parallel_edges_become_one_with_the_sum_and_a_self_loop_stays():
    """Undirected, bob-李雷 is 1 + 2 + 8; directed, 1 + 8 one way and 2 the other."""
    columns = pl.Series(SOURCE), pl.Series(TARGET), pl.Series(WEIGHT)
    both = from_columns(*columns, directed=False)
    assert list(both.edges(data="weight")) == [("bob", "bob", 4), ("bob", "李雷", 11)]
    one_way = from_columns(*columns, directed=True)
    assert list(one_way.edges(data="weight")) == [("bob", "bob", 4), ("bob", "李雷", 2), ("李雷", "bob", 9)]


@pytest.mark.parametrize("directed", [True, False])
def test_edges_of_zero_or_cancelling_weight_are_kept(directed):
    ends = pl.Series(["a", "b", "b"]), pl.Series(["b", "c", "c"]), pl.Series([0, 3, -3])
    graph = from_columns(*ends, directed=directed)
    assert list(graph.edges(data="weight")) == [("a", "b", 0), ("b", "c", 0)]


@pytest.mark.parametrize(
    "kind", [pl.Series, pa.array, lambda values: pa.chunked_array([values[:1], values[1:]]), np.array]
)
def test_polars_arrow_and_numpy_columns_give_the_same_graph(kind):
    graph = from_columns(kind(SOURCE), kind(TARGET), kind(WEIGHT), directed=False)
    assert list(graph.edges(data="weight")) == [("bob", "bob", 4), ("bob", "李雷", 11)]


def test_without_columns_an_edge_has_no_attributes_and_weight_one():
    graph = from_columns(pl.Series(SOURCE), pl.Series(TARGET), directed=False)
    assert list(graph.edges(data=True)) == [("bob", "bob", {}), ("bob", "李雷", {})]
    assert dict(graph.degree(weight="weight")) == {"bob": 3, "李雷": 1}


def test_several_columns_are_kept_and_integers_stay_integers():
    columns = {"amount": pl.Series([100, 250, 2**60]), "share": pl.Series([0.5, 0.25, 1.0])}
    graph = from_columns(pl.Series(["a", "a", "b"]), pl.Series(["b", "b", "c"]), directed=True, columns=columns)
    assert list(graph.edges(data=True)) == [
        ("a", "b", {"amount": 350, "share": 0.75}),
        ("b", "c", {"amount": 2**60, "share": 1.0}),
    ]
    assert dict(graph.out_degree(weight="amount")) == {"a": 350, "b": 2**60, "c": 0}
    assert isinstance(graph["a"]["b"]["amount"], int)


def test_given_nodes_fix_the_order_and_may_be_isolated():
    graph = from_columns(pl.Series(["a"]), pl.Series(["b"]), nodes=pl.Series(["c", "b", "a"]), directed=False)
    assert dict(graph.degree) == {"c": 0, "b": 1, "a": 1}
    assert list(graph) == ["c", "b", "a"]


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["李雷", "bob", "nobody"])])
def test_names_may_be_categories(dtype):
    graph = from_columns(pl.Series(SOURCE, dtype=dtype), pl.Series(TARGET, dtype=dtype), directed=True)
    assert list(graph.edges) == [("bob", "bob"), ("bob", "李雷"), ("李雷", "bob")]


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int32, pl.UInt64, pl.Int64])
def test_numbers_can_be_names(dtype):
    graph = from_columns(pl.Series([70, 3], dtype=dtype), pl.Series([5, 70], dtype=dtype), directed=True)
    assert list(graph) == [3, 5, 70]
    assert list(graph.edges) == [(3, 70), (70, 5)]


def test_numbers_can_be_codes_that_need_no_look_up():
    graph = from_columns(pl.Series([0, 2]), pl.Series([1, 2]), nodes=4, directed=False)
    assert list(graph) == [0, 1, 2, 3]
    assert list(graph.edges) == [(0, 1), (2, 2)]


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("nodes", [None, 0, pl.Series([], dtype=pl.String)])
def test_no_rows_give_a_graph_without_edges(directed, nodes):
    none = pl.Series([], dtype=pl.Int64 if nodes == 0 else pl.String) if not isinstance(nodes, pl.Series) else nodes
    graph = from_columns(none, none, nodes=nodes, directed=directed)
    assert isinstance(graph, DiGraph if directed else Graph)
    assert (len(graph), graph.number_of_edges(), list(graph.degree)) == (0, 0, [])


def test_a_node_with_a_million_parallel_edges_has_one_neighbour():
    """A sum of a million ones: no counter is too small for it."""
    ends = pl.select(source=pl.repeat(0, 10**6), target=pl.repeat(1, 10**6))
    for weight, expected in ((None, {}), (ends["target"], {"weight": 10**6})):
        graph = from_columns(ends["source"], ends["target"], weight, nodes=2, directed=False)
        assert list(graph.edges(data=True)) == [(0, 1, expected)]


def test_input_columns_are_not_modified():
    source, target, weight = np.array([1, 0, 0]), np.array([0, 1, 0]), np.array([1.0, 2.0, 3.0])
    graph = from_columns(source, target, weight, nodes=2, directed=False)
    nx.pagerank(graph)
    assert (source.tolist(), target.tolist(), weight.tolist()) == ([1, 0, 0], [0, 1, 0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"source": ["a", None], "target": ["b", "c"]}, "column `source` has 1 nulls: leave those rows out"),
        ({"source": ["a"], "target": ["b", "c"]}, "column `target` has 2 rows, `source` 1: give one for each edge"),
        ({"source": ["a"], "target": ["b"], "weight": [1, 2]}, "column `weight` has 2 rows, `source` 1"),
        (
            {"source": ["a"], "target": ["b"], "weight": ["x"]},
            "column `weight` holds String: an edge attribute is an integer",
        ),
        ({"source": ["a"], "target": ["b"], "weight": [float("nan")]}, "column `weight` holds NaN or infinity"),
        ({"source": ["a"], "target": ["b"], "nodes": ["a", "a"]}, "column `nodes` names `a` twice"),
        ({"source": ["a"], "target": ["b"], "nodes": ["a"]}, "`b` is an end of an edge and not one of `nodes`"),
        ({"source": [0], "target": [2], "nodes": 2}, "column `target` has codes outside 0 to 1"),
        ({"source": [-1], "target": [0], "nodes": 2}, "column `source` has codes outside 0 to 1"),
        (
            {"source": ["a"], "target": ["b"], "nodes": 2},
            "column `source` holds String: with `nodes=2` its values are codes",
        ),
        (
            {"source": ["a"], "target": [1]},
            "columns `source` and `target` hold String and Int64: give labels of one type",
        ),
        ({"source": ["a"], "target": ["b"], "nodes": [1]}, "columns `source` and `nodes` hold String and Int64"),
    ],
)
def test_invalid_columns_are_refused_in_one_line(columns, message):
    columns = {name: pl.Series(column) if isinstance(column, list) else column for name, column in columns.items()}
    with pytest.raises(ValueError, match=r"^[^\n]+$") as refused:
        from_columns(**columns, directed=False)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("source", "amounts", "message"),
    [
        (["a"], pl.Series([2**63], dtype=pl.UInt64), "holds integers beyond 64 bits"),
        (["a"], pl.Series([2**70], dtype=pl.Int128), "holds integers beyond 64 bits"),
        (["a", "a"], pl.Series([2**62, 2**62]), "sums to integers beyond 64 bits"),
        (["a", "a"], pl.Series([-(2**62), -(2**62) - 1]), "sums to integers beyond 64 bits"),
    ],
)
def test_integers_beyond_64_bits_are_refused_and_never_wrap_around(source, amounts, message):
    with pytest.raises(ValueError, match=f"column `weight` {message}"):
        from_columns(source, ["b"] * len(source), amounts, directed=False)


def test_integers_of_64_bits_are_kept_and_their_sums_are_exact():
    largest = 2**63 - 1
    graph = from_columns(["a", "a", "b"], ["b", "b", "c"], [2**62, 2**62 - 1, largest], directed=False)
    assert dict(graph.degree(weight="weight")) == {"a": largest, "b": 2 * largest, "c": largest}
    arcs = from_columns(["a", "a"], ["b", "c"], [largest, largest], directed=True)
    assert dict(arcs.out_degree(weight="weight")) == {"a": 2 * largest, "b": 0, "c": 0}
    assert dict(arcs.in_degree(weight="weight")) == {"a": 0, "b": largest, "c": largest}
