"""Core numbers: the k-core of each node."""

import networkit
import networkx as nx
import numpy as np

from graph.compiled.csr import CSR, Array, Node
from graph.compiled.graphs import Graph


def as_networkit(csr: CSR) -> networkit.Graph:
    """Build the undirected NetworKit graph of a symmetric matrix, without its self-loops. Cost: O(nodes + edges).

    NetworKit counts each entry of an undirected matrix as a separate edge, so we pass one half.
    """
    return networkit.GraphFromCsr(csr.upper().pattern(), directed=False)


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
    """Return the core number of each node of a symmetric matrix, without self-loops; shape (n,), integers."""
    if csr.n == 0:
        return np.zeros(0, dtype=np.int64)
    peeled = networkit.centrality.CoreDecomposition(as_networkit(csr), enforceBucketQueueAlgorithm=True)  # one thread
    return np.array(peeled.run().scores()).astype(np.int64)
