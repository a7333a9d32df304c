"""How deep in the crowd each node is: k-cores."""

from typing import Any

import networkit
import networkx as nx
import numpy as np

from graph.compiled.csr import CSR, Array
from graph.compiled.graphs import Graph


def as_networkit(csr: CSR) -> Any:
    """The undirected NetworKit graph of a symmetric matrix, without its self-loops. Cost: O(nodes + edges).

    NetworKit takes each entry of an undirected matrix for an edge of its own: it is handed one half.
    """
    return networkit.GraphFromCsr(csr.upper().pattern(), directed=False)


def core_number(G: Graph) -> dict[Any, int]:  # noqa: N803
    """`nx.core_number`: the largest k for which each node is in the k-core (Batagelj and Zaversnik 2003).

    Cost: O(nodes + edges). NetworkXNotImplemented for self-loops.
    """
    if G.csr.loops.any():
        raise nx.NetworkXNotImplemented(
            "Input graph has self loops which is not permitted; "
            "Consider using G.remove_edges_from(nx.selfloop_edges(G))."
        )
    return G.named(core_numbers(G.csr))


def core_numbers(csr: CSR) -> Array:
    """The core number of each node of a symmetric matrix, self-loops aside; shape (n,), integers."""
    if csr.n == 0:
        return np.zeros(0, dtype=np.int64)
    peeled = networkit.centrality.CoreDecomposition(as_networkit(csr), enforceBucketQueueAlgorithm=True)  # one thread
    return np.array(peeled.run().scores()).astype(np.int64)
