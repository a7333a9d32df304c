"""From NetworkX's dicts of dicts to compressed rows, and back."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

import numpy as np

from graph.compiled.csr import CSR, MISSING, Array
from graph.compiled.graphs import Compiled, DiGraph, Graph

Attributes = Mapping[str, Any]
EXACT: Final = 2**53  # integers up to which a float holds every one


def from_networkx(
    graph: Any,
    edge_attrs: Attributes | None = None,
    node_attrs: Attributes | None = None,
    preserve_edge_attrs: bool = False,
    preserve_node_attrs: bool = False,
    preserve_graph_attrs: bool = False,
) -> Compiled:
    """A NetworkX graph over compressed rows; nodes and the neighbours of each stay in their order.

    `edge_attrs` and `node_attrs` name what is kept, and what stands for it where it lacks; the `preserve_*` keep all.
    NotImplementedError for parallel edges, which an adjacency matrix has no place for. Cost: O(nodes + edges), in C.
    """
    if graph.is_multigraph():
        raise NotImplementedError("parallel edges are NetworkX's: an adjacency matrix has one place for an edge")
    labels = list(graph)
    rows = [graph._adj[node] for node in labels]
    indptr = np.zeros(len(labels) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)), out=indptr[1:])
    code = dict(zip(labels, range(len(labels)), strict=True))
    indices = np.fromiter(map(code.__getitem__, chain.from_iterable(rows)), dtype=np.int32, count=int(indptr[-1]))
    if indptr[-1] <= np.iinfo(np.int32).max:  # both of one type, as SciPy has them
        indptr = indptr.astype(np.int32)
    wanted = _all_of(rows) if preserve_edge_attrs else dict(edge_attrs or {})
    columns = {name: _column(edge.get(name, lack) for edge in _edges(rows)) for name, lack in wanted.items()}
    return (DiGraph if graph.is_directed() else Graph)(
        CSR(indptr, indices, columns),
        labels,
        graph=graph.graph if preserve_graph_attrs else None,
        nodes=_nodes(graph, node_attrs, preserve_node_attrs),
    )


def _edges(rows: list[Any]) -> Iterator[Attributes]:
    return chain.from_iterable(row.values() for row in rows)


def _all_of(rows: list[Any]) -> Attributes:
    return dict.fromkeys(chain.from_iterable(_edges(rows)), MISSING)


def _column(values: Iterable[Any]) -> Array:
    """Numbers as a column of numbers; anything else, and numbers that a column would round, as objects."""
    held = list(values)
    if {int, float}.issuperset(map(type, held)):
        column = np.array(held)
        if column.dtype.kind == "i" or (column.dtype.kind == "f" and _are_floats(held)):
            return column
    objects = np.empty(len(held), dtype=object)
    objects[:] = held
    return objects


def _are_floats(held: list[Any]) -> bool:
    """Whether floats hold each of these numbers as it is: 2**60 + 1 beside 1.5 would become another number."""
    return all(-EXACT <= value <= EXACT for value in held if type(value) is int)


def _nodes(graph: Any, wanted: Attributes | None, everything: bool) -> dict[Any, dict[str, Any]]:
    if everything:
        return {node: dict(held) for node, held in graph._node.items()}
    if not wanted:
        return {}
    kept = {node: {n: held.get(n, lack) for n, lack in wanted.items()} for node, held in graph._node.items()}
    return {node: {n: v for n, v in held.items() if v is not None} for node, held in kept.items()}


def to_networkx(found: Any) -> Any:
    """A plain NetworkX graph that can be changed, of one of ours; anything else as it is. Cost: O(nodes + edges)."""
    return found.copy() if isinstance(found, (Graph, DiGraph)) else found
