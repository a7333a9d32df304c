"""Which nodes hang together: connected, weakly connected and strongly connected components."""

from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np
from scipy.sparse import csgraph

from graph.compiled.csr import Array
from graph.compiled.graphs import Compiled, DiGraph, Graph


def component_codes(graph: Compiled, *, strong: bool = True) -> tuple[int, Array]:
    """How many components there are, and the number of each node's, shape (n,).

    By Pearce's algorithm for strongly connected components (2016, in SciPy): in a symmetric matrix these are the
    connected ones, and no transpose is needed. `strong` is False for the weakly connected ones of a directed graph.
    Cost: O(nodes + edges).
    """
    if len(graph) == 0:
        return 0, np.zeros(0, dtype=np.int32)
    count, codes = csgraph.connected_components(graph.csr.pattern(), connection="strong" if strong else "weak")
    return int(count), codes


def _components(graph: Compiled, *, strong: bool = True) -> Iterator[set[Any]]:
    count, codes = component_codes(graph, strong=strong)
    members = list(map(graph.labels.__getitem__, np.argsort(codes, kind="stable").tolist()))
    ends = np.cumsum(np.bincount(codes, minlength=count)).tolist()
    return (set(members[begin:end]) for begin, end in zip([0, *ends], ends, strict=False))


def _is_one(graph: Compiled, *, strong: bool = True) -> bool:
    if len(graph) == 0:
        raise nx.NetworkXPointlessConcept("Connectivity is undefined for the null graph.")
    return component_codes(graph, strong=strong)[0] == 1


def connected_components(G: Graph) -> Iterator[set[Any]]:  # noqa: N803
    """`nx.connected_components`: the set of nodes of each, by its first node. Cost: O(nodes + edges)."""
    yield from _components(G)


def number_connected_components(G: Graph) -> int:  # noqa: N803
    """`nx.number_connected_components`. Cost: O(nodes + edges)."""
    return component_codes(G)[0]


def is_connected(G: Graph) -> bool:  # noqa: N803
    """`nx.is_connected`; NetworkXPointlessConcept for no nodes. Cost: O(nodes + edges)."""
    return _is_one(G)


def weakly_connected_components(G: DiGraph) -> Iterator[set[Any]]:  # noqa: N803
    """`nx.weakly_connected_components`: the set of nodes of each. Cost: O(nodes + edges)."""
    yield from _components(G, strong=False)


def number_weakly_connected_components(G: DiGraph) -> int:  # noqa: N803
    """`nx.number_weakly_connected_components`. Cost: O(nodes + edges)."""
    return component_codes(G, strong=False)[0]


def is_weakly_connected(G: DiGraph) -> bool:  # noqa: N803
    """`nx.is_weakly_connected`; NetworkXPointlessConcept for no nodes. Cost: O(nodes + edges)."""
    return _is_one(G, strong=False)


def strongly_connected_components(G: DiGraph) -> Iterator[set[Any]]:  # noqa: N803
    """`nx.strongly_connected_components`: the set of nodes of each, one before those that lead to it. Cost: O(nodes + edges)."""
    yield from _components(G)


def number_strongly_connected_components(G: DiGraph) -> int:  # noqa: N803
    """`nx.number_strongly_connected_components`. Cost: O(nodes + edges)."""
    return component_codes(G)[0]


def is_strongly_connected(G: DiGraph) -> bool:  # noqa: N803
    """`nx.is_strongly_connected`; NetworkXPointlessConcept for no nodes. Cost: O(nodes + edges)."""
    return _is_one(G)
