"""Triangles, clustering and reciprocity: how densely the neighbours of each node are connected."""

from collections.abc import Callable
from typing import Final, cast

import networkit
import networkx as nx
import numpy as np
from scipy import sparse

from graph.compiled.cores import as_networkit
from graph.compiled.csr import CSR, Array, Node
from graph.compiled.graphs import DiGraph, Graph

NodeValues = float | dict[Node, float] | None  # of one node, or of several
SMALL_PRODUCT_LIMIT: Final = 2**16  # products of rows that cost less than starting the threads of NetworKit


def triangle_counts(csr: CSR, codes: Array | None = None) -> Array:
    """Count the triangles of each node, or of the nodes in `codes`, without self-loops; integers.

    For a few nodes or a small graph we multiply rows. Otherwise we use NetworKit's listing (Ortmann and Brandes 2014).
    It returns shares of the pairs of neighbours, so we round to the nearest integer count. Cost: O(edges x arboricity),
    or less.
    """
    rows = _ones(csr) if codes is None else _ones(csr)[codes]
    nodes = np.arange(csr.n) if codes is None else codes
    if csr.lengths[rows.indices].sum() <= max(SMALL_PRODUCT_LIMIT, len(csr.indices)):
        return _by_products(csr, rows, nodes)
    graph, number = as_networkit(csr)
    shares = np.array(networkit.centrality.LocalClusteringCoefficient(graph, turbo=True).run().scores())[number]
    counts: Array = np.rint(shares * _pairs(csr) / 2).astype(np.int64)[nodes]
    return counts


def _pairs(csr: CSR) -> Array:
    """Count the ordered pairs of different neighbours of each node, shape (n,)."""
    neighbours = csr.lengths.astype(np.int64) - csr.loops
    return neighbours * (neighbours - 1)


def _ones(csr: CSR) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(csr.indices), dtype=np.int64), csr.indices, csr.indptr), (csr.n, csr.n))


def _by_products(csr: CSR, rows: sparse.csr_array, own: Array) -> Array:
    """Count half of the two-step paths from each node to each of its neighbours; `rows` are the rows of the nodes
    `own`.
    """
    rows = _drop_own(rows, own)
    back = (rows @ _ones(csr)).multiply(rows).sum(axis=1)
    counts: Array = (back - rows @ csr.loops.astype(np.int64)) // 2  # without the step from a neighbour to itself
    return counts


def _drop_own(rows: sparse.csr_array, own: Array) -> sparse.csr_array:
    """Drop from each row the entry of its own node."""
    entries = rows.tocoo()
    mask = own[entries.row] != entries.col
    return sparse.coo_array((entries.data[mask], (entries.row[mask], entries.col[mask])), shape=rows.shape).tocsr()


def _per_node(graph: Graph, nodes: object, values: Callable[[Array, Array], Array]) -> NodeValues:
    """Return the result as NetworkX does: a dict for all nodes or for several, or the value of one node.

    `values` computes the results from the triangles and the pairs of neighbours of each node.
    """
    pairs = _pairs(graph.csr)
    if nodes is None:
        return graph.to_dict(values(triangle_counts(graph.csr), pairs))
    single = nodes in graph
    node_list = [nodes] if single else list(graph.nbunch_iter(nodes))
    codes = graph.codes(node_list)
    results = values(triangle_counts(graph.csr, codes), pairs[codes]).tolist()
    return results[0] if single else dict(zip(node_list, results, strict=True))


def triangles(G: Graph, nodes: object = None) -> NodeValues:  # noqa: N803
    """Run `nx.triangles`: count the triangles of each node. Cost: O(edges x arboricity)."""
    return _per_node(G, nodes, lambda counts, _: counts)


def clustering(G: Graph, nodes: object = None, weight: None = None) -> NodeValues:  # noqa: N803, ARG001
    """Run `nx.clustering`: the share of the pairs of a node's neighbours that are tied (Watts and Strogatz 1998).

    Cost: O(edges x arboricity).
    """
    return _per_node(G, nodes, lambda counts, pairs: np.divide(2 * counts, pairs, out=_zeros(pairs), where=counts > 0))


def _zeros(like: Array) -> Array:
    return np.zeros(len(like))


def average_clustering(
    G: Graph,  # noqa: N803
    nodes: object = None,
    weight: None = None,  # noqa: ARG001
    count_zeros: bool = True,
) -> float:
    """Run `nx.average_clustering`: the mean of `clustering` over all nodes, or over those with a positive value.

    Cost: O(edges x arboricity). Raises ZeroDivisionError if there is no such node.
    """
    values = cast(dict[Node, float], clustering(G, nodes)).values()
    shares: list[float] = list(values) if count_zeros else [value for value in values if value > 0]
    return sum(shares) / len(shares)


def transitivity(G: Graph) -> float:  # noqa: N803
    """Run `nx.transitivity`: the share of all pairs of neighbours of all nodes that are tied. Cost: O(edges x
    arboricity).
    """
    counts = int(triangle_counts(G.csr).sum())
    return 2 * counts / int(_pairs(G.csr).sum()) if counts else 0


def mutual_counts(csr: CSR) -> Array:
    """Count each row's entries whose reverse exists too, self-loops included; shape (n,), integers. Cost: O(edges)."""
    adjacency = _ones(csr)
    mutual: Array = adjacency.multiply(adjacency.T.tocsr()).sum(axis=1)
    return mutual


def overall_reciprocity(G: DiGraph) -> float:  # noqa: N803
    """Run `nx.overall_reciprocity`: the share of edges that run both ways. Cost: O(edges). Raises NetworkXError without
    edges.
    """
    edges = len(G.csr.indices)
    if edges == 0:
        raise nx.NetworkXError("Not defined for empty graphs")
    return int(mutual_counts(G.csr).sum() - G.csr.loops.sum()) / edges


def reciprocity(G: DiGraph, nodes: object = None) -> NodeValues:  # noqa: N803
    """Run `nx.reciprocity`: the share of each node's edges that run both ways, None for an isolated node. Without
    `nodes`, the overall share.

    Cost: O(edges). Raises NetworkXError if you ask for one node and it is isolated.
    """
    if nodes is None:
        return overall_reciprocity(G)
    single = nodes in G
    node_list = [nodes] if single else list(G.nbunch_iter(nodes))
    codes = G.codes(node_list)
    mutual, degrees = mutual_counts(G.csr)[codes], G.degrees()[codes]
    shares: list[float | None] = np.divide(2 * mutual, degrees, out=_zeros(degrees), where=degrees > 0).tolist()
    for isolated in np.flatnonzero(degrees == 0).tolist():
        shares[isolated] = None
    if single and shares[0] is None:
        raise nx.NetworkXError("Not defined for isolated nodes.")
    return shares[0] if single else dict(zip(node_list, shares, strict=True))  # type: ignore[arg-type]  # None: isolated
