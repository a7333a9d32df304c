"""Connected, weakly connected and strongly connected components."""

from collections.abc import Iterator

import networkx as nx
import numpy as np
from scipy.sparse import csgraph

from graph.compiled.csr import Array, Node
from graph.compiled.graphs import Compiled, DiGraph, Graph


def component_codes(graph: Compiled, *, strong: bool = True) -> tuple[int, Array]:
    """Return the number of components, and the component of each node, shape (n,).

    We use Pearce's algorithm for strongly connected components (2016, in SciPy). In a symmetric matrix these equal the
    connected components, and no transpose is needed. Set `strong` to False for the weakly connected components of a
    directed graph. Cost: O(nodes + edges).
    """
    if len(graph) == 0:
        return 0, np.zeros(0, dtype=np.int32)
    count, codes = csgraph.connected_components(graph.csr.pattern(), connection="strong" if strong else "weak")
    return int(count), codes


def _components(graph: Compiled, *, strong: bool = True) -> Iterator[set[Node]]:
    count, codes = component_codes(graph, strong=strong)
    members = list(map(graph.labels.__getitem__, np.argsort(codes, kind="stable").tolist()))
    ends = np.cumsum(np.bincount(codes, minlength=count)).tolist()
    return (set(members[begin:end]) for begin, end in zip([0, *ends], ends, strict=False))


def _is_one(graph: Compiled, *, strong: bool = True) -> bool:
    if len(graph) == 0:
        raise nx.NetworkXPointlessConcept("Connectivity is undefined for the null graph.")
    return component_codes(graph, strong=strong)[0] == 1


def connected_components(G: Graph) -> Iterator[set[Node]]:  # noqa: N803
    """Run `nx.connected_components`: yield the set of nodes of each, ordered by first node. Cost: O(nodes + edges)."""
    yield from _components(G)


def number_connected_components(G: Graph) -> int:  # noqa: N803
    """Run `nx.number_connected_components`. Cost: O(nodes + edges)."""
    return component_codes(G)[0]


def is_connected(G: Graph) -> bool:  # noqa: N803
    """Run `nx.is_connected`. Raises NetworkXPointlessConcept without nodes. Cost: O(nodes + edges)."""
    return _is_one(G)


def weakly_connected_components(G: DiGraph) -> Iterator[set[Node]]:  # noqa: N803
    """Run `nx.weakly_connected_components`: yield the set of nodes of each. Cost: O(nodes + edges)."""
    yield from _components(G, strong=False)


def number_weakly_connected_components(G: DiGraph) -> int:  # noqa: N803
    """Run `nx.number_weakly_connected_components`. Cost: O(nodes + edges)."""
    return component_codes(G, strong=False)[0]


def is_weakly_connected(G: DiGraph) -> bool:  # noqa: N803
    """Run `nx.is_weakly_connected`. Raises NetworkXPointlessConcept without nodes. Cost: O(nodes + edges)."""
    return _is_one(G, strong=False)


def strongly_connected_components(G: DiGraph) -> Iterator[set[Node]]:  # noqa: N803
    """Run `nx.strongly_connected_components`: yield the set of nodes of each, before the components that lead to it.
    Cost: O(nodes + edges).
    """
    yield from _components(G)


def number_strongly_connected_components(G: DiGraph) -> int:  # noqa: N803
    """Run `nx.number_strongly_connected_components`. Cost: O(nodes + edges)."""
    return component_codes(G)[0]


def is_strongly_connected(G: DiGraph) -> bool:  # noqa: N803
    """Run `nx.is_strongly_connected`. Raises NetworkXPointlessConcept without nodes. Cost: O(nodes + edges)."""
    return _is_one(G)
