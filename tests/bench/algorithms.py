"""Compare the speed of the backend's algorithms with plain NetworkX: `python -m tests.bench.algorithms [nodes edges]`.

We use one random graph with a heavy tail (endpoints by a Zipf law, weights 1 to 10, strings as names, built as columns), once
directed and once undirected. Both sides run in one process, one after the other, on the same edges. We compare the answers: the
largest difference of a value (for components, the number of sets that differ), and whether the order of nodes by value is the same,
except for ties within the tolerance. A second table has core numbers and triangles beside NetworKit,
which we call directly.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import networkit
import networkx as nx
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from scipy import sparse

from graph.compiled import Compiled, from_columns
from graph.compiled.clustering import triangle_counts
from graph.compiled.cores import core_numbers

NODES: Final = 100_000
EDGES: Final = 1_000_000
SEEDS: Final = 100  # the start nodes of personalised PageRank
TOLERANCE: Final = 1e-9
PAGERANK_TOLERANCE: Final = 1e-9  # NetworkX multiplies it by the number of nodes
REPEATS: Final = 3  # beside NetworKit
CORE_GOAL, CLUSTERING_GOAL = 2.0, 1.1  # of NetworKit's seconds
_TAIL: Final = 0.6  # of the Zipf law: the busiest have thousands of neighbours
_UNIT: Final = 1 if sys.platform == "darwin" else 1024

Algorithm = Callable[[Any], Any]


@dataclass(frozen=True)
class AlgorithmFigure:
    """Seconds here and in NetworkX, the largest difference of the answers, whether the order of the nodes is the same."""

    name: str
    seconds: float
    plain: float
    difference: float
    ranked: bool
    built: bool = False


def edges(nodes: int, edge_count: int) -> pl.DataFrame:
    """`source`, `target` and `weight` of so many different edges between strangers, seeded."""
    rng = np.random.default_rng(4)
    odds = 1 / np.arange(1, nodes + 1) ** _TAIL
    endpoints = rng.choice(nodes, size=(2, edge_count), p=odds / odds.sum())
    ends = pl.DataFrame({"source": endpoints[0], "target": endpoints[1], "weight": rng.integers(1, 11, edge_count)})
    distinct = ends.filter(pl.col("source") != pl.col("target")).unique(
        ["source", "target"], keep="first", maintain_order=True
    )
    return distinct.with_columns(pl.format("person-{}", pl.col("source", "target")).name.keep())


def seeded_pagerank(graph: Any) -> dict[Any, float]:
    """Personalised, weighted PageRank from the first so many people."""
    return nx.pagerank(
        graph, personalization=dict.fromkeys(sorted(graph)[:SEEDS], 1), tol=PAGERANK_TOLERANCE, max_iter=500
    )


UNDIRECTED: Final[dict[str, Algorithm]] = {
    "pagerank, from seeds": seeded_pagerank,
    "core_number": nx.core_number,
    "triangles": nx.triangles,
    "clustering": nx.clustering,
    "connected_components": lambda graph: list(nx.connected_components(graph)),
    "average_neighbor_degree": nx.average_neighbor_degree,
    "degree_centrality": nx.degree_centrality,
    "distances from one": lambda graph: nx.single_source_shortest_path_length(graph, "person-0"),
}
DIRECTED: Final[dict[str, Algorithm]] = {
    "pagerank": lambda graph: nx.pagerank(graph, tol=PAGERANK_TOLERANCE),
    "hits": nx.hits,
    "strong components": lambda graph: list(nx.strongly_connected_components(graph)),
    "weak components": lambda graph: list(nx.weakly_connected_components(graph)),
    "reciprocity": lambda graph: nx.reciprocity(graph, graph),
    "overall_reciprocity": nx.overall_reciprocity,
    "average_neighbor_degree, by weight": lambda graph: nx.average_neighbor_degree(graph, weight="weight"),
}


def run(nodes: int = NODES, edge_count: int = EDGES) -> Iterator[AlgorithmFigure]:
    """Every figure, as it is measured: for each direction the build, then the algorithms."""
    table = edges(nodes, edge_count)
    for directed, algorithms in ((False, UNDIRECTED), (True, DIRECTED)):
        if not directed:  # (a, b) and (b, a) are one edge: we sum them, so that both sides get the same
            pair = {"source": pl.min_horizontal("source", "target"), "target": pl.max_horizontal("source", "target")}
            edge_table = (
                table.with_columns(**pair).group_by("source", "target", maintain_order=True).agg(pl.col("weight").sum())
            )
        else:
            edge_table = table
        columns = (edge_table["source"], edge_table["target"], edge_table["weight"])
        seconds, compiled_graph = _time_call(lambda c=columns, d=directed: from_columns(*c, directed=d))
        plain_seconds, plain = _time_call(lambda g=edge_table, o=compiled_graph: _plain(g, o))
        kind = "directed" if directed else "undirected"
        yield AlgorithmFigure(
            f"build, {kind}",
            seconds,
            plain_seconds,
            0.0,
            nx.utils.graphs_equal(compiled_graph.copy(), plain),
            built=True,
        )
        for name, algorithm in algorithms.items():
            yield _compare_with_networkx(name, algorithm, compiled_graph, plain)


def _plain(edge_table: pl.DataFrame, like: Compiled) -> Any:
    graph = nx.DiGraph() if like.is_directed() else nx.Graph()
    graph.add_weighted_edges_from(edge_table.iter_rows())
    return graph


def _compare_with_networkx(name: str, algorithm: Algorithm, compiled_graph: Compiled, plain: Any) -> AlgorithmFigure:
    seconds, actual = _time_call(lambda: algorithm(compiled_graph))
    plain_seconds, expected = _time_call(lambda: algorithm(plain))
    return AlgorithmFigure(name, seconds, plain_seconds, *_compare(actual, expected))


def _time_call(work: Callable[[], Any]) -> tuple[float, Any]:
    started_at = time.perf_counter()
    result = work()
    return time.perf_counter() - started_at, result


def _compare(actual: Any, expected: Any) -> tuple[float, bool]:
    """The largest difference, and whether no node precedes a node whose value is higher by more than the tolerance."""
    if isinstance(actual, tuple):
        parts = [_compare(*pair) for pair in zip(actual, expected, strict=True)]
        return max(difference for difference, _ in parts), all(ranked for _, ranked in parts)
    if isinstance(actual, list):
        different = set(map(frozenset, actual)) ^ set(map(frozenset, expected))
        return float(len(different)), not different
    if isinstance(actual, float):
        return abs(actual - expected), True
    if actual.keys() != expected.keys():
        return float("inf"), False
    values = np.array([actual[node] for node in expected], dtype=float)  # None becomes NaN
    plain = np.array(list(expected.values()), dtype=float)
    falls = np.diff(plain[np.argsort(values, kind="stable")]) < -TOLERANCE * np.nanmax(np.abs(plain))
    return float(np.nanmax(np.abs(values - plain))), not falls.any()


def main(nodes: int = NODES, edge_count: int = EDGES) -> None:
    """Print the figures as a table, with the sums of the builds and of the algorithms below."""
    list(run(30, 60))  # first use imports modules: import them now
    title = f"{nodes:,} people, {edge_count:,} draws: the same calls, by name"
    table = Table("what", "seconds", "of NetworkX", "times as fast", "difference", "same order", title=title)
    figures = list(run(nodes, edge_count))
    sums = [
        _sum("all builds", [figure for figure in figures if figure.built]),
        _sum("all algorithms", [figure for figure in figures if not figure.built]),
    ]
    for figure in (*figures, *sums):
        ratio, difference = (
            f"{figure.plain / figure.seconds:,.0f}",
            f"{figure.difference:.0e}" if figure.difference else "0",
        )
        table.add_row(
            figure.name,
            f"{figure.seconds:.3f}",
            f"{figure.plain:.3f}",
            ratio,
            difference,
            "yes" if figure.ranked else "NO",
        )
    Console().print(table, _networkit_table(nodes, edge_count))
    print(f"peak MB of both sides: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT / 1e6:,.0f}")


def _networkit_table(nodes: int, edge_count: int) -> Table:
    """Our functions on our arrays beside NetworKit's on a graph of its own, which it has before we measure: the best of three."""
    table = Table("what", "seconds", "NetworKit's", "of NetworKit's", "goal", title="beside NetworKit, called directly")
    ties = edges(nodes, edge_count)
    csr = from_columns(ties["source"], ties["target"], directed=False).csr
    graph = networkit.GraphFromCsr(sparse.triu(csr.matrix(), 1).tocsr(), directed=False)
    centrality = networkit.centrality
    cases: dict[str, tuple[Callable[[], Any], Callable[[], Any], float]] = {
        "core numbers": (
            lambda: core_numbers(csr),
            lambda: centrality.CoreDecomposition(graph, enforceBucketQueueAlgorithm=True).run().scores(),
            CORE_GOAL,
        ),
        "triangles": (
            lambda: triangle_counts(csr),
            lambda: centrality.LocalClusteringCoefficient(graph, turbo=True).run().scores(),
            CLUSTERING_GOAL,
        ),
    }
    for name, (own, direct, goal) in cases.items():
        seconds, networkit_seconds = (min(_time_call(work)[0] for _ in range(REPEATS)) for work in (own, direct))
        ratio = f"{seconds / networkit_seconds:.2f}"
        table.add_row(name, f"{seconds:.3f}", f"{networkit_seconds:.3f}", ratio, f"at most {goal}")
    return table


def _sum(name: str, figures: list[AlgorithmFigure]) -> AlgorithmFigure:
    seconds, plain = sum(f.seconds for f in figures), sum(f.plain for f in figures)
    return AlgorithmFigure(name, seconds, plain, max(f.difference for f in figures), all(f.ranked for f in figures))


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:3]))
