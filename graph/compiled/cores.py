"""Core numbers: the k-core of each node."""

from typing import Final

import networkit
import networkx as nx
import numpy as np
from scipy import sparse

from graph.algorithms.ranges import spread
from graph.compiled.csr import CSR, Array, Node
from graph.compiled.graphs import Graph

MAX_ROUNDS: Final = 2_000  # of removing nodes: a social graph of a million nodes takes some hundreds


def as_networkit(csr: CSR) -> tuple[networkit.Graph, Array]:
    """Build the undirected NetworKit graph of a symmetric matrix, without its self-loops, and the number of each node in it.

    We number the nodes by falling degree. So the rows that an algorithm reads most lie together, and it lists triangles
    in less than half of the time. NetworKit counts each entry of an undirected matrix as a separate edge, so we pass one
    half. Cost: O(nodes log nodes + edges).
    """
    number = np.empty(csr.n, csr.indices.dtype)
    number[np.argsort(-csr.lengths, kind="stable")] = np.arange(csr.n, dtype=csr.indices.dtype)
    rows, columns = number[csr.sources()], number[csr.indices]
    above = rows < columns
    half = sparse.coo_array((np.ones(above.sum()), (rows[above], columns[above])), shape=(csr.n, csr.n)).tocsr()
    return networkit.GraphFromCsr(half, directed=False), number


def core_number(G: Graph) -> dict[Node, int]:  # noqa: N803
    """Run `nx.core_number`: the largest k for which each node is in the k-core (Batagelj and Zaversnik 2003).

    Cost: O(nodes + edges). Raises NetworkXNotImplemented for self-loops.
    """
    if G.csr.loops.any():
        raise nx.NetworkXNotImplemented(
            "Input graph has self loops which is not permitted; "
            "Consider using G.remove_edges_from(nx.selfloop_edges(G))."
        )
    return G.to_dict(core_numbers(G.csr))


def core_numbers(csr: CSR) -> Array:
    """Return the core number of each node of a symmetric matrix, without self-loops; shape (n,), integers.

    We remove all nodes of the lowest degree at once, round after round. A graph that needs many rounds, such as a long
    chain, goes to NetworKit, which removes one node after the other.
    """
    cores = _peel(csr)
    if cores is not None:
        return cores
    graph, number = as_networkit(csr)
    one_by_one = networkit.centrality.CoreDecomposition(graph, enforceBucketQueueAlgorithm=True)  # one thread
    return np.array(one_by_one.run().scores()).astype(np.int64)[number]


def _peel(csr: CSR) -> Array | None:
    """The core numbers, or None if they take more than `MAX_ROUNDS` rounds. Cost: O(edges + rounds x nodes / 8)."""
    degrees = csr.lengths.astype(np.int64) - csr.loops
    cores, stays = np.zeros(csr.n, np.int64), np.ones(csr.n, dtype=bool)
    by_degree = np.argsort(degrees, kind="stable")
    core = rounds = 0
    while len(by_degree := by_degree[stays[by_degree]]):
        core = max(core, int(degrees[by_degree].min()))
        leaving = by_degree[degrees[by_degree] <= core]
        while len(leaving):
            rounds += 1
            if rounds > MAX_ROUNDS:
                return None
            cores[leaving], stays[leaving] = core, False
            _, places = spread(csr.indptr[leaving], csr.lengths[leaving])
            neighbours = csr.indices[places]
            touched = _lower(degrees, neighbours[stays[neighbours]])
            leaving = touched[degrees[touched] <= core]
    return cores


def _lower(degrees: Array, neighbours: Array) -> Array:
    """Lower the degree of each of these nodes, in place, by how often it occurs. Returns the nodes, each once."""
    if len(neighbours) < len(degrees) // 8:  # for a few, sorting them is faster than a pass over all nodes
        nodes, counts = np.unique(neighbours, return_counts=True)
        degrees[nodes] -= counts
        return nodes
    counts = np.bincount(neighbours, minlength=len(degrees))
    degrees -= counts
    return np.flatnonzero(counts)
