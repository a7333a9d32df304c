"""Distances from a node: breadth-first search and ego graphs."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from graph.compiled.csr import CSR, Array, Node
from graph.compiled.graphs import Compiled


@dataclass(frozen=True, eq=False)
class Search:
    """The nodes in the order in which a queue reaches them: their codes, the code from which each was reached, and its
    depth.

    Three arrays of one length. The first entry is the start itself, with parent -1.
    """

    order: Array
    parents: Array
    depths: Array


def search(csr: CSR, start: int, limit: float | None = None) -> Search:
    """Search breadth first from a code along rows, up to `limit` edges (None: no limit), with neighbours in their
    order.

    Cost: with a limit, O(n) bits and the edges within it, one level at a time; without one, O(nodes + edges).
    """
    if limit is None or limit >= csr.n:
        return _search_all(csr, start)
    return _search_levels(csr, start, limit)


def _search_all(csr: CSR, start: int) -> Search:
    order, before = csgraph.breadth_first_order(csr.pattern(), start, return_predecessors=True)
    parents = before[order]
    place = np.zeros(csr.n, dtype=np.int64)
    place[order] = np.arange(len(order))
    behind = place[parents[1:]].tolist()  # queue position of each node's parent: never decreases
    starts = [0, 1]  # queue position at which each level begins
    while starts[-1] < len(order):
        starts.append(1 + bisect_left(behind, starts[-1], lo=starts[-1] - 1))
    depths = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    parents[0] = -1
    return Search(order, parents, depths)


def _search_levels(csr: CSR, start: int, limit: float) -> Search:
    visited = np.zeros(csr.n, dtype=bool)
    visited[start] = True
    level, depth = np.array([start]), 0
    orders, parents = [level], [np.array([-1])]
    while len(level) and depth < limit:
        sources, targets = _entries(csr, level)
        new = ~visited[targets]
        sources, targets = sources[new], targets[new]
        first = np.sort(np.unique(targets, return_index=True)[1])  # in the order of the queue
        level, depth = targets[first], depth + 1
        visited[level] = True
        orders.append(level)
        parents.append(sources[first])
    depths = np.repeat(np.arange(len(orders)), [len(codes) for codes in orders])
    return Search(np.concatenate(orders), np.concatenate(parents), depths)


def _entries(csr: CSR, rows: Array) -> tuple[Array, Array]:
    """Return both ends of the edges of some rows, one row after another."""
    places = _places(csr, rows)
    return np.repeat(rows, csr.lengths[rows]), csr.indices[places]


def _places(csr: CSR, rows: Array) -> Array:
    lengths = csr.lengths[rows].astype(np.int64)
    shifts = csr.indptr[rows] - (np.cumsum(lengths) - lengths)
    return np.repeat(shifts, lengths) + np.arange(lengths.sum())


def single_source_shortest_path_length(
    G: Compiled,  # noqa: N803
    source: Node,
    cutoff: float | None = None,
) -> dict[Node, int]:
    """Run `nx.single_source_shortest_path_length`: node -> number of edges from `source`, nearest first.

    Cost: O(nodes + edges) within `cutoff`. Raises NodeNotFound if `source` is not in the graph.
    """
    if source not in G:
        raise nx.NodeNotFound(f"Source {source} is not in G")
    result = search(G.csr, G.index[source], cutoff)
    return dict(zip(map(G.labels.__getitem__, result.order.tolist()), result.depths.tolist(), strict=True))


def bfs_edges(
    G: Compiled,  # noqa: N803
    source: Node,
    reverse: bool = False,
    depth_limit: float | None = None,
    sort_neighbors: None = None,  # noqa: ARG001
) -> Iterator[tuple[Node, Node]]:
    """Run `nx.bfs_edges`: yield each node's parent and the node, in the order of the search.

    Cost: O(nodes + edges) within `depth_limit`. Raises NetworkXError if `source` is not in the graph.
    """
    if source not in G:
        raise nx.NetworkXError(f"The node {source} is not in the {'di' * G.is_directed()}graph.")
    rows = G.csr.transposed if reverse and G.is_directed() else G.csr
    result = search(rows, G.index[source], depth_limit)
    label_of = G.labels.__getitem__
    yield from zip(map(label_of, result.parents[1:].tolist()), map(label_of, result.order[1:].tolist()), strict=True)


def ego_graph(
    G: Compiled,  # noqa: N803
    n: Node,
    radius: float = 1,
    center: bool = True,
    undirected: bool = False,
    distance: None = None,  # noqa: ARG001
) -> nx.Graph:
    """Run `nx.ego_graph`: the nodes within `radius` edges of `n` and the edges between them, as a plain NetworkX graph.

    Cost: O(nodes + edges) within `radius`; with `undirected`, O(nodes + edges). Raises NodeNotFound if `n` is not in
    the graph.
    """
    if n not in G:
        raise nx.NodeNotFound(f"Source {n} is not in G")
    start = G.index[n]
    codes = search(_both_ways(G.csr) if undirected and G.is_directed() else G.csr, start, radius).order
    return induced_subgraph(G, np.sort(codes if center else codes[1:]))


def _both_ways(csr: CSR) -> CSR:
    pattern = sparse.csr_array((np.ones(len(csr.indices), dtype=bool), csr.indices, csr.indptr), (csr.n, csr.n))
    both = pattern + pattern.T.tocsr()
    return CSR(both.indptr, both.indices)


def induced_subgraph(graph: Compiled, codes: Array) -> nx.Graph:
    """Return the plain NetworkX graph of some nodes, given by code and kept in order, and of the edges between them."""
    adjacency = graph._adj
    plain = graph._plain(**graph.graph)
    code_of = {graph.labels[code]: code for code in codes.tolist()}
    plain.add_nodes_from((node, dict(graph._node[node])) for node in code_of)
    rows = ((node, adjacency.row(code)) for node, code in code_of.items())
    plain.add_edges_from((node, other, edge) for node, row in rows for other, edge in row.items() if other in code_of)
    return plain
