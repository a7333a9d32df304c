import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.compiled import from_columns
from graph.compiled.conversion import from_networkx
from tests.effort import by_effort
from tests.graph.compiled.random_graphs import UNDIRECTED, Pair


@settings(deadline=None, max_examples=by_effort(8, 180))
@given(UNDIRECTED, st.integers(0, 3))
def test_communities_are_a_partition_and_one_seed_gives_one(pair: Pair, seed: int):
    communities = nx.community.louvain_communities(pair.compiled, seed=seed)
    assert nx.community.is_partition(pair.plain, communities)
    assert communities == nx.community.louvain_communities(pair.compiled, seed=seed)
    assert all(communities)


@pytest.mark.parametrize(
    "plain",
    [
        nx.karate_club_graph(),
        nx.les_miserables_graph(),
        nx.connected_caveman_graph(30, 12),
        nx.planted_partition_graph(20, 50, 0.3, 0.01, seed=1),
        nx.powerlaw_cluster_graph(2000, 5, 0.3, seed=1),
    ],
    ids=["karate", "les misérables", "cavemen", "planted", "power law"],
)
def test_communities_have_the_modularity_of_networkxs(plain):
    """Modularity, the best of three seeds each; no worse than by a hundredth."""
    compiled = from_networkx(plain, edge_attrs={"weight": 1})

    def best(graph: nx.Graph) -> float:
        partitions = (nx.community.louvain_communities(graph, seed=seed) for seed in range(3))
        return max(nx.community.modularity(plain, communities) for communities in partitions)

    assert best(compiled) > best(plain) - 0.01


def test_weights_and_resolution_are_respected():
    """Two pairs of friends, the middle tie heavier than either: it is the middle that belongs together."""
    chain = from_columns(pl.Series(["a", "b", "c"]), pl.Series(["b", "c", "d"]), pl.Series([1, 9, 1]), directed=False)
    assert {"b", "c"} <= max(nx.community.louvain_communities(chain, seed=1), key=len)
    assert sorted(map(sorted, nx.community.louvain_communities(chain, weight=None, seed=1))) == [["a", "b"], ["c", "d"]]
    assert len(nx.community.louvain_communities(chain, resolution=100, seed=1)) == 4


def test_large_graphs_give_the_same_communities_again():
    """Threads of NetworKit read the matrix; the result must not depend on their order."""
    compiled = from_networkx(nx.powerlaw_cluster_graph(3000, 5, 0.3, seed=1))
    runs = [nx.community.louvain_communities(compiled, seed=3) for _ in range(5)]
    assert all(communities == runs[0] for communities in runs)


def test_non_positive_weights_fall_back_to_networkx():
    graph = from_columns(pl.Series(["a", "b"]), pl.Series(["b", "c"]), pl.Series([1, 0]), directed=False)
    assert nx.community.is_partition(graph, nx.community.louvain_communities(graph, seed=1))


@pytest.mark.parametrize(
    "options", [{"resolution": -1}, {"resolution": 0}, {"resolution": float("nan")}, {"weight": "inf"}]
)
def test_invalid_resolutions_and_weights_fall_back_to_networkx(options):
    plain = nx.Graph([("a", "b", {"inf": float("inf")}), ("b", "c", {"inf": 1.0}), ("d", "e", {"inf": 2.0})])
    compiled = from_networkx(plain, preserve_edge_attrs=True)
    actual, expected = (nx.community.louvain_communities(graph, seed=1, **options) for graph in (compiled, plain))
    assert sorted(map(sorted, actual)) == sorted(map(sorted, expected))
