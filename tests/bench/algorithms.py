"""How much faster the backend's algorithms are than plain NetworkX: `python -m tests.bench.algorithms [nodes edges]`.

One random graph with a heavy tail (endpoints drawn by a Zipf law, weights 1 to 10, names as strings, a graph that is made
as columns), once directed and once undirected; both sides in one process, one after the other, on the same edges. The
answers are compared: the largest difference of a value (for components, of how many sets are not the other's), and
whether the order of nodes by value is the same, ties within the tolerance aside.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import networkx as nx
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from graph.compiled import Compiled, from_columns

NODES: Final = 100_000
EDGES: Final = 1_000_000
SEEDS: Final = 100  # whom personalised PageRank starts from
TOLERANCE: Final = 1e-9
_TAIL: Final = 0.6  # of the Zipf law: the busiest have thousands of neighbours
_UNIT: Final = 1 if sys.platform == "darwin" else 1024

Algorithm = Callable[[Any], Any]


@dataclass(frozen=True)
class Figure:
    """Seconds here and in NetworkX, the largest difference of the answers, whether the order of the nodes is the same."""

    name: str
    seconds: float
    plain: float
    apart: float
    ranked: bool
    built: bool = False


def edges(nodes: int, many: int) -> pl.DataFrame:
    """`source`, `target` and `weight` of so many different edges between strangers, seeded."""
    rng = np.random.default_rng(4)
    odds = 1 / np.arange(1, nodes + 1) ** _TAIL
    drawn = rng.choice(nodes, size=(2, many), p=odds / odds.sum())
    ends = pl.DataFrame({"source": drawn[0], "target": drawn[1], "weight": rng.integers(1, 11, many)})
    named = ends.filter(pl.col("source") != pl.col("target")).unique(
        ["source", "target"], keep="first", maintain_order=True
    )
    return named.with_columns(pl.format("person-{}", pl.col("source", "target")).name.keep())


def trusted(graph: Any) -> dict[Any, float]:
    """Personalised, weighted PageRank from the first so many people."""
    return nx.pagerank(graph, personalization=dict.fromkeys(sorted(graph)[:SEEDS], 1), max_iter=500)


UNDIRECTED: Final[dict[str, Algorithm]] = {
    "pagerank, from seeds": trusted,
    "core_number": nx.core_number,
    "triangles": nx.triangles,
    "clustering": nx.clustering,
    "connected_components": lambda graph: list(nx.connected_components(graph)),
    "average_neighbor_degree": nx.average_neighbor_degree,
    "degree_centrality": nx.degree_centrality,
    "distances from one": lambda graph: nx.single_source_shortest_path_length(graph, "person-0"),
}
DIRECTED: Final[dict[str, Algorithm]] = {
    "pagerank": nx.pagerank,
    "hits": nx.hits,
    "strong components": lambda graph: list(nx.strongly_connected_components(graph)),
    "weak components": lambda graph: list(nx.weakly_connected_components(graph)),
    "reciprocity": lambda graph: nx.reciprocity(graph, graph),
    "overall_reciprocity": nx.overall_reciprocity,
    "average_neighbor_degree, by weight": lambda graph: nx.average_neighbor_degree(graph, weight="weight"),
}


def run(nodes: int = NODES, many: int = EDGES) -> Iterator[Figure]:
    """Every figure, as it is measured: for each direction the build, then the algorithms."""
    table = edges(nodes, many)
    for directed, algorithms in ((False, UNDIRECTED), (True, DIRECTED)):
        if not directed:  # (a, b) and (b, a) are one edge: summed here, so that both are given the same
            pair = {"source": pl.min_horizontal("source", "target"), "target": pl.max_horizontal("source", "target")}
            given = (
                table.with_columns(**pair).group_by("source", "target", maintain_order=True).agg(pl.col("weight").sum())
            )
        else:
            given = table
        columns = (given["source"], given["target"], given["weight"])
        took, ours = _timed(lambda c=columns, d=directed: from_columns(*c, directed=d))
        plainly, plain = _timed(lambda g=given, o=ours: _plain(g, o))
        kind = "directed" if directed else "undirected"
        yield Figure(f"build, {kind}", took, plainly, 0.0, nx.utils.graphs_equal(ours.copy(), plain), built=True)
        for name, algorithm in algorithms.items():
            yield _beside(name, algorithm, ours, plain)


def _plain(given: pl.DataFrame, like: Compiled) -> Any:
    graph = nx.DiGraph() if like.is_directed() else nx.Graph()
    graph.add_weighted_edges_from(given.iter_rows())
    return graph


def _beside(name: str, algorithm: Algorithm, ours: Compiled, plain: Any) -> Figure:
    seconds, found = _timed(lambda: algorithm(ours))
    plainly, expected = _timed(lambda: algorithm(plain))
    return Figure(name, seconds, plainly, *_compared(found, expected))


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def _compared(found: Any, expected: Any) -> tuple[float, bool]:
    """The largest difference, and whether nobody stands before another who is ahead of them by more than the tolerance."""
    if isinstance(found, tuple):
        parts = [_compared(*pair) for pair in zip(found, expected, strict=True)]
        return max(apart for apart, _ in parts), all(ranked for _, ranked in parts)
    if isinstance(found, list):
        strangers = set(map(frozenset, found)) ^ set(map(frozenset, expected))
        return float(len(strangers)), not strangers
    if isinstance(found, float):
        return abs(found - expected), True
    if found.keys() != expected.keys():
        return float("inf"), False
    values = np.array([found[node] for node in expected], dtype=float)  # None becomes NaN
    plain = np.array(list(expected.values()), dtype=float)
    falls = np.diff(plain[np.argsort(values, kind="stable")]) < -TOLERANCE * np.nanmax(np.abs(plain))
    return float(np.nanmax(np.abs(values - plain))), not falls.any()


def main(nodes: int = NODES, many: int = EDGES) -> None:
    """Print the figures as a table, the sums of the builds and of the algorithms below."""
    list(run(30, 60))  # what is imported on first use is imported now
    title = f"{nodes:,} people, {many:,} draws: the same calls, by name"
    table = Table("what", "seconds", "of NetworkX", "times as fast", "difference", "same order", title=title)
    found = list(run(nodes, many))
    sums = [
        _sum("all builds", [f for f in found if f.built]),
        _sum("all algorithms", [f for f in found if not f.built]),
    ]
    for f in (*found, *sums):
        ratio, apart = f"{f.plain / f.seconds:,.0f}", f"{f.apart:.0e}" if f.apart else "0"
        table.add_row(f.name, f"{f.seconds:.3f}", f"{f.plain:.3f}", ratio, apart, "yes" if f.ranked else "NO")
    Console().print(table)
    print(f"peak MB of both sides: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT / 1e6:,.0f}")


def _sum(name: str, figures: list[Figure]) -> Figure:
    seconds, plain = sum(f.seconds for f in figures), sum(f.plain for f in figures)
    return Figure(name, seconds, plain, max(f.apart for f in figures), all(f.ranked for f in figures))


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:3]))
