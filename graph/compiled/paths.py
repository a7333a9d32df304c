"""Who is how far from a node: breadth-first search, and the circle around somebody."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from graph.compiled.csr import CSR, Array
from graph.compiled.graphs import Compiled


@dataclass(frozen=True, eq=False)
class Search:
    """The nodes reached, in the order a queue reaches them: their codes, the code each was reached from, and how far.

    Three arrays of one length; the first is the start itself, with -1 before it.
    """

    order: Array
    parents: Array
    depths: Array


def search(csr: CSR, start: int, limit: float | None = None) -> Search:
    """Breadth first from a code, along rows, as far as `limit` edges (None: all the way), neighbours in their order.

    Cost: with a limit, O(n) bits and what lies within it, a level at a time; without one, O(nodes + edges).
    """
    if limit is None or limit >= csr.n:
        return _everything(csr, start)
    return _levels(csr, start, limit)


def _everything(csr: CSR, start: int) -> Search:
    order, before = csgraph.breadth_first_order(csr.pattern(), start, return_predecessors=True)
    parents = before[order]
    place = np.zeros(csr.n, dtype=np.int64)
    place[order] = np.arange(len(order))
    behind = place[parents[1:]].tolist()  # where in the queue each one's parent stands: never falls
    starts = [0, 1]  # where in the queue each level begins
    while starts[-1] < len(order):
        starts.append(1 + bisect_left(behind, starts[-1], lo=starts[-1] - 1))
    depths = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    parents[0] = -1
    return Search(order, parents, depths)


def _levels(csr: CSR, start: int, limit: float) -> Search:
    seen = np.zeros(csr.n, dtype=bool)
    seen[start] = True
    level, depth = np.array([start]), 0
    orders, parents = [level], [np.array([-1])]
    while len(level) and depth < limit:
        sources, targets = _entries(csr, level)
        new = ~seen[targets]
        sources, targets = sources[new], targets[new]
        first = np.sort(np.unique(targets, return_index=True)[1])  # by whom the queue would reach it
        level, depth = targets[first], depth + 1
        seen[level] = True
        orders.append(level)
        parents.append(sources[first])
    depths = np.repeat(np.arange(len(orders)), [len(codes) for codes in orders])
    return Search(np.concatenate(orders), np.concatenate(parents), depths)


def _entries(csr: CSR, rows: Array) -> tuple[Array, Array]:
    """The edges of some rows, one after the other: both ends."""
    places = _places(csr, rows)
    return np.repeat(rows, csr.lengths[rows]), csr.indices[places]


def _places(csr: CSR, rows: Array) -> Array:
    lengths = csr.lengths[rows].astype(np.int64)
    shifts = csr.indptr[rows] - (np.cumsum(lengths) - lengths)
    return np.repeat(shifts, lengths) + np.arange(lengths.sum())


def single_source_shortest_path_length(
    G: Compiled,  # noqa: N803
    source: Any,
    cutoff: float | None = None,
) -> dict[Any, int]:
    """`nx.single_source_shortest_path_length`: node -> edges from `source`, nearest first. NodeNotFound for a stranger.

    Cost: O(nodes + edges) within `cutoff`.
    """
    if source not in G:
        raise nx.NodeNotFound(f"Source {source} is not in G")
    found = search(G.csr, G.index[source], cutoff)
    return dict(zip(map(G.labels.__getitem__, found.order.tolist()), found.depths.tolist(), strict=True))


def bfs_edges(
    G: Compiled,  # noqa: N803
    source: Any,
    reverse: bool = False,
    depth_limit: float | None = None,
    sort_neighbors: None = None,  # noqa: ARG001
) -> Iterator[tuple[Any, Any]]:
    """`nx.bfs_edges`: from whom each node is first reached, in the order they are. NetworkXError for a stranger.

    Cost: O(nodes + edges) within `depth_limit`.
    """
    if source not in G:
        raise nx.NetworkXError(f"The node {source} is not in the {'di' * G.is_directed()}graph.")
    rows = G.csr.transposed if reverse and G.is_directed() else G.csr
    found = search(rows, G.index[source], depth_limit)
    named = G.labels.__getitem__
    yield from zip(map(named, found.parents[1:].tolist()), map(named, found.order[1:].tolist()), strict=True)


def ego_graph(
    G: Compiled,  # noqa: N803
    n: Any,
    radius: float = 1,
    center: bool = True,
    undirected: bool = False,
    distance: None = None,  # noqa: ARG001
) -> Any:
    """`nx.ego_graph`: the nodes within `radius` edges of `n` and the edges between them, as a plain NetworkX graph.

    Cost: O(nodes + edges) within `radius`; `undirected`, O(nodes + edges). NodeNotFound for a stranger.
    """
    if n not in G:
        raise nx.NodeNotFound(f"Source {n} is not in G")
    start = G.index[n]
    around = search(_both_ways(G.csr) if undirected and G.is_directed() else G.csr, start, radius).order
    return induced(G, np.sort(around if center else around[1:]))


def _both_ways(csr: CSR) -> CSR:
    pattern = sparse.csr_array((np.ones(len(csr.indices), dtype=bool), csr.indices, csr.indptr), (csr.n, csr.n))
    both = pattern + pattern.T.tocsr()
    return CSR(both.indptr, both.indices)


def induced(graph: Compiled, codes: Array) -> Any:
    """The plain NetworkX graph of some nodes, by code, in their order, and of the edges between them."""
    held = graph._adj
    plain = graph._plain(**graph.graph)
    kept = {graph.labels[code]: code for code in codes.tolist()}
    plain.add_nodes_from((node, dict(graph._node[node])) for node in kept)
    rows = ((node, held.row(code)) for node, code in kept.items())
    plain.add_edges_from((node, other, edge) for node, row in rows for other, edge in row.items() if other in kept)
    return plain
