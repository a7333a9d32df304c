"""Convert NetworkX's dicts of dicts to compressed rows, and back."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

import networkx as nx
import numpy as np

from graph.compiled.csr import CSR, MISSING, Array, Attributes, Node
from graph.compiled.graphs import Compiled, DiGraph, Graph

Neighbours = Mapping[Node, Attributes]
MAX_EXACT_INTEGER: Final = 2**53  # largest integer up to which a float represents every integer


def from_networkx(
    graph: nx.Graph,
    edge_attrs: Attributes | None = None,
    node_attrs: Attributes | None = None,
    preserve_edge_attrs: bool = False,
    preserve_node_attrs: bool = False,
    preserve_graph_attrs: bool = False,
) -> Compiled:
    """Convert a NetworkX graph to compressed rows; nodes and the neighbours of each keep their order.

    `edge_attrs` and `node_attrs` name the attributes to keep, with a default for each; the `preserve_*` arguments keep
    all of them. Raises NotImplementedError for parallel edges, because an adjacency matrix has one entry for them.
    Cost: O(nodes + edges), in C.
    """
    if graph.is_multigraph():
        raise NotImplementedError("parallel edges are not supported: an adjacency matrix has one entry for an edge")
    labels = list(graph)
    rows = [graph._adj[node] for node in labels]
    indptr = np.zeros(len(labels) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)), out=indptr[1:])
    code = dict(zip(labels, range(len(labels)), strict=True))
    indices = np.fromiter(map(code.__getitem__, chain.from_iterable(rows)), dtype=np.int32, count=int(indptr[-1]))
    if indptr[-1] <= np.iinfo(np.int32).max:  # SciPy expects both index arrays to have one type
        indptr = indptr.astype(np.int32)
    defaults = _all_attributes(rows) if preserve_edge_attrs else dict(edge_attrs or {})
    columns = {name: _column(edge.get(name, lack) for edge in _edges(rows)) for name, lack in defaults.items()}
    return (DiGraph if graph.is_directed() else Graph)(
        CSR(indptr, indices, columns),
        labels,
        graph=graph.graph if preserve_graph_attrs else None,
        nodes=_nodes(graph, node_attrs, preserve_node_attrs),
    )


def _edges(rows: list[Neighbours]) -> Iterator[Attributes]:
    return chain.from_iterable(row.values() for row in rows)


def _all_attributes(rows: list[Neighbours]) -> Attributes:
    return dict.fromkeys(chain.from_iterable(_edges(rows)), MISSING)


def _column(values: Iterable[object]) -> Array:
    """Store numbers in a numeric column. Store other values, and numbers that a numeric column would round, as objects."""
    items = list(values)
    if {int, float}.issuperset(map(type, items)):
        column = np.array(items)
        if column.dtype.kind == "i" or (column.dtype.kind == "f" and _are_floats(items)):
            return column
    objects = np.empty(len(items), dtype=object)
    objects[:] = items
    return objects


def _are_floats(items: list[object]) -> bool:
    """Whether floats represent each of these numbers exactly: beside 1.5, we would have to round 2**60 + 1."""
    return all(-MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER for value in items if type(value) is int)


def _nodes(graph: nx.Graph, defaults: Attributes | None, keep_all: bool) -> dict[Node, Attributes]:
    if keep_all:
        return {node: dict(attributes) for node, attributes in graph._node.items()}
    if not defaults:
        return {}
    selected = {
        node: {n: attributes.get(n, lack) for n, lack in defaults.items()} for node, attributes in graph._node.items()
    }
    return {node: {n: v for n, v in attributes.items() if v is not None} for node, attributes in selected.items()}


def to_networkx(graph: object) -> object:
    """Return a plain NetworkX graph, which you can change, from a graph of ours; return other values as they are. Cost:
    O(nodes + edges).
    """
    return graph.copy() if isinstance(graph, (Graph, DiGraph)) else graph
