"""Communities of high modularity."""

from random import Random

import networkit
import networkx as nx
import numpy as np
from scipy import sparse

from graph.compiled.csr import Array, Node
from graph.compiled.graphs import Graph


def louvain_communities(
    G: Graph,  # noqa: N803
    weight: str | None = "weight",
    resolution: float = 1,
    threshold: float = 1e-7,  # noqa: ARG001
    max_level: None = None,  # noqa: ARG001
    seed: int | Random | None = None,
) -> list[set[Node]]:
    """Run `nx.community.louvain_communities`: a partition of high modularity (Blondel and others 2008), as sets of
    nodes.

    We use NetworKit's Louvain method with refinement (Staudt and Meyerhenke 2016), on one thread. `seed` determines the
    order in which nodes are visited: the same seed gives the same partition. Cost: O(edges) a pass.
    """
    if len(G.csr.indices) == 0:
        return [{node} for node in G]
    order_seed = int(nx.utils.create_py_random_state(seed).random() * 2**53)
    order = np.random.default_rng(order_seed).permutation(len(G))
    return _members(G, _partition(G, weight, resolution, order))


def _partition(graph: Graph, weight: str | None, resolution: float, order: Array) -> Array:
    """Return the community of each node, shape (n,); nodes are visited in `order`."""
    half = sparse.triu(graph.csr.matrix(weight), format="coo")
    if not (half.data.min() > 0 and np.isfinite(half.data).all() and 0 < resolution < np.inf):
        raise NotImplementedError("weights and resolutions that are not positive numbers are not supported")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    ends = np.sort(np.stack([place[half.row], place[half.col]]), axis=0)
    shuffled = sparse.coo_array((half.data, tuple(ends)), shape=half.shape).tocsr()
    compiled = networkit.GraphFromCsr(shuffled, directed=False, weighted=True)
    compiled.sortEdges()  # several threads build the graph, in no fixed order
    louvain = networkit.community.PLM(compiled, refine=True, gamma=resolution, par="none").run()
    return np.array(louvain.getPartition().getVector())[place]


def _members(graph: Graph, communities: Array) -> list[set[Node]]:
    """Return the sets, ordered by their first node."""
    _, first, codes = np.unique(communities, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[codes]
    members = list(map(graph.labels.__getitem__, np.argsort(rank, kind="stable").tolist()))
    ends = np.cumsum(np.bincount(rank)).tolist()
    return [set(members[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]
