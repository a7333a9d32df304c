"""How much the neighbours of each node are neighbours themselves: triangles, clustering, reciprocity."""

from collections.abc import Callable
from typing import Any, Final

import networkit
import networkx as nx
import numpy as np
from scipy import sparse

from graph.compiled.cores import as_networkit
from graph.compiled.csr import CSR, Array
from graph.compiled.graphs import DiGraph, Graph

SMALL: Final = 2**16  # products of rows that cost less than waking the threads of NetworKit


def triangle_counts(csr: CSR, codes: Array | None = None) -> Array:
    """The triangles each node is a corner of, or each of some, self-loops aside; integers.

    Of a few nodes or a small graph by the products of their rows; else by NetworKit's listing from the back (Ortmann and
    Brandes 2014), which gives them as shares of the pairs of neighbours: the count is the nearest integer.
    Cost: O(edges x arboricity), or less.
    """
    rows = _ones(csr) if codes is None else _ones(csr)[codes]
    asked = np.arange(csr.n) if codes is None else codes
    if csr.lengths[rows.indices].sum() <= max(SMALL, len(csr.indices)):
        return _by_products(csr, rows, asked)
    shares = networkit.centrality.LocalClusteringCoefficient(as_networkit(csr), turbo=True).run().scores()
    counts: Array = np.rint(np.array(shares) * _pairs(csr) / 2).astype(np.int64)[asked]
    return counts


def _pairs(csr: CSR) -> Array:
    """Ordered pairs of different neighbours of each node, shape (n,)."""
    others = csr.lengths.astype(np.int64) - csr.loops
    return others * (others - 1)


def _ones(csr: CSR) -> Any:
    return sparse.csr_array((np.ones(len(csr.indices), dtype=np.int64), csr.indices, csr.indptr), (csr.n, csr.n))


def _by_products(csr: CSR, rows: Any, own: Array) -> Array:
    """Half of the paths of two steps from each node to each of its neighbours: the rows are those of the nodes `own`."""
    rows = _without(rows, own)
    back = (rows @ _ones(csr)).multiply(rows).sum(axis=1)
    found: Array = (back - rows @ csr.loops.astype(np.int64)) // 2  # less the step a neighbour makes to itself
    return found


def _without(rows: Any, own: Array) -> Any:
    """The rows, each without the entry of its own node."""
    entries = rows.tocoo()
    kept = own[entries.row] != entries.col
    return sparse.coo_array((entries.data[kept], (entries.row[kept], entries.col[kept])), shape=rows.shape).tocsr()


def _asked(graph: Graph, nodes: Any, values: Callable[[Array, Array], Array]) -> Any:
    """What NetworkX answers about `nodes`: a dict of all of them or of some, or the value of one.

    `values` makes it from the triangles and from the pairs of neighbours of each.
    """
    pairs = _pairs(graph.csr)
    if nodes is None:
        return graph.named(values(triangle_counts(graph.csr), pairs))
    single = nodes in graph
    asked = [nodes] if single else list(graph.nbunch_iter(nodes))
    codes = graph.codes(asked)
    found = values(triangle_counts(graph.csr, codes), pairs[codes]).tolist()
    return found[0] if single else dict(zip(asked, found, strict=True))


def triangles(G: Graph, nodes: Any = None) -> Any:  # noqa: N803
    """`nx.triangles`: how many triangles each node is a corner of. Cost: O(edges x arboricity)."""
    return _asked(G, nodes, lambda counts, _: counts)


def clustering(G: Graph, nodes: Any = None, weight: None = None) -> Any:  # noqa: N803, ARG001
    """`nx.clustering`: the share of the pairs of a node's neighbours that are tied (Watts and Strogatz 1998).

    Cost: O(edges x arboricity).
    """
    return _asked(G, nodes, lambda counts, pairs: np.divide(2 * counts, pairs, out=_zeros(pairs), where=counts > 0))


def _zeros(like: Array) -> Array:
    return np.zeros(len(like))


def average_clustering(
    G: Graph,  # noqa: N803
    nodes: Any = None,
    weight: None = None,  # noqa: ARG001
    count_zeros: bool = True,
) -> float:
    """`nx.average_clustering`: the mean of `clustering`, over all nodes or those where it is not zero.

    Cost: O(edges x arboricity). ZeroDivisionError when there are none.
    """
    values = clustering(G, nodes).values()
    kept: list[float] = list(values) if count_zeros else [value for value in values if value > 0]
    return sum(kept) / len(kept)


def transitivity(G: Graph) -> float:  # noqa: N803
    """`nx.transitivity`: of all pairs of neighbours of all nodes, the share that is tied. Cost: O(edges x arboricity)."""
    counts = int(triangle_counts(G.csr).sum())
    return 2 * counts / int(_pairs(G.csr).sum()) if counts else 0


def mutual_counts(csr: CSR) -> Array:
    """How many of each row's entries run back as well, self-loops among them; shape (n,), integers. Cost: O(edges)."""
    there = _ones(csr)
    mutual: Array = there.multiply(there.T.tocsr()).sum(axis=1)
    return mutual


def overall_reciprocity(G: DiGraph) -> float:  # noqa: N803
    """`nx.overall_reciprocity`: the share of edges that run both ways. Cost: O(edges). NetworkXError when there are none."""
    edges = len(G.csr.indices)
    if edges == 0:
        raise nx.NetworkXError("Not defined for empty graphs")
    return int(mutual_counts(G.csr).sum() - G.csr.loops.sum()) / edges


def reciprocity(G: DiGraph, nodes: Any = None) -> Any:  # noqa: N803
    """`nx.reciprocity`: the share of each node's edges that run both ways; None for isolated nodes; overall without `nodes`.

    Cost: O(edges). NetworkXError for one node that is isolated.
    """
    if nodes is None:
        return overall_reciprocity(G)
    single = nodes in G
    asked = [nodes] if single else list(G.nbunch_iter(nodes))
    codes = G.codes(asked)
    mutual, degrees = mutual_counts(G.csr)[codes], G.degrees()[codes]
    found: list[float | None] = np.divide(2 * mutual, degrees, out=_zeros(degrees), where=degrees > 0).tolist()
    for isolated in np.flatnonzero(degrees == 0).tolist():
        found[isolated] = None
    if single and found[0] is None:
        raise nx.NetworkXError("Not defined for isolated nodes.")
    return found[0] if single else dict(zip(asked, found, strict=True))
