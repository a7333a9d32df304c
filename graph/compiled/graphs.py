"""The graphs of the backend: NetworkX graphs to whoever reads them, compressed rows to whoever computes on them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NoReturn

import networkx as nx
import numpy as np

from graph.compiled.csr import CSR, SAFE, Array, magnitude
from graph.compiled.rows import Degrees, DiDegrees, InDegrees, OutDegrees, Rows


class _Compressed:
    """What both graphs share: labels, codes, rows made when looked at, and no way to change an edge.

    Called without a matrix it is the plain NetworkX class, since that is what NetworkX's own code means by
    `G.__class__()`: an empty graph of this kind, to be filled.
    """

    __networkx_backend__ = "iftah"
    frozen = True
    _plain: type
    csr: CSR
    graph: dict[str, Any]

    def __new__(cls, csr: CSR | None = None, *_: Any, **given: Any) -> Any:
        return object.__new__(cls) if isinstance(csr, CSR) else cls._plain(csr, **given)

    def __init__(
        self,
        csr: CSR,
        labels: Sequence[Any] | None = None,
        *,
        graph: Mapping[str, Any] | None = None,
        nodes: Mapping[Any, dict[str, Any]] | None = None,
    ) -> None:
        self.csr = csr
        self._given = range(csr.n) if labels is None else labels
        self.graph = dict(graph or {})
        self.__networkx_cache__: dict[str, Any] = {}
        self._attributes = nodes

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.csr, self.labels, self.graph, dict(self._node))

    @cached_property
    def labels(self) -> list[Any]:
        """The node of each code."""
        return list(self._given)

    @cached_property
    def index(self) -> dict[Any, int]:
        """The code of each node. Cost: O(n), once."""
        return dict(zip(self.labels, range(self.csr.n), strict=True))

    @cached_property
    def _adj(self) -> Rows:
        return Rows(self.labels, lambda: self.index, self.csr)

    @cached_property
    def _node(self) -> dict[Any, dict[str, Any]]:
        held = self._attributes or {}
        return {node: held.get(node, {}) if held else {} for node in self.labels}

    def __len__(self) -> int:
        return self.csr.n

    def number_of_nodes(self) -> int:
        return self.csr.n

    def order(self) -> int:
        return self.csr.n

    def __iter__(self) -> Iterator[Any]:
        return iter(self.labels)

    def __contains__(self, node: object) -> bool:
        try:
            return node in self.index
        except TypeError:  # what cannot be hashed is no node
            return False

    def nbunch_iter(self, nbunch: Any = None) -> Iterator[Any]:
        whole = nbunch is None or nbunch is self
        return iter(self) if whole else super().nbunch_iter(nbunch)  # type: ignore[misc]  # NetworkX's class, mixed in

    def codes(self, nodes: Any) -> Array:
        """The codes of those of `nodes` that are in the graph; unknown ones are left out."""
        found = map(self.index.get, nodes)
        return np.fromiter((code for code in found if code is not None), dtype=np.int64)

    def named(self, values: Array) -> dict[Any, Any]:
        """An array with one entry a node, as the dict of Python numbers that NetworkX answers with."""
        return dict(zip(self.labels, values.tolist(), strict=True))

    def copy(self, as_view: bool = False) -> Any:
        """A plain NetworkX graph that can be changed; a view is the graph itself, which cannot."""
        if as_view:
            return self
        plain = self._plain(**self.graph)
        plain.add_nodes_from((node, dict(held)) for node, held in self._node.items())
        rows = ((node, self._adj.row(code)) for code, node in enumerate(self.labels))
        plain.add_edges_from((node, other, edge) for node, row in rows for other, edge in row.items())
        return plain

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise nx.NetworkXError("Frozen graph can't be modified")

    add_node = add_nodes_from = remove_node = remove_nodes_from = _refuse
    add_edge = add_edges_from = add_weighted_edges_from = remove_edge = remove_edges_from = _refuse
    clear = clear_edges = update = _refuse


def _restored(kind: type[Any], csr: CSR, labels: list[Any], graph: dict[str, Any], nodes: dict[Any, Any]) -> Any:
    return kind(csr, labels, graph=graph, nodes=nodes)


class Graph(_Compressed, nx.Graph):  # type: ignore[misc]  # NetworkX publishes no types
    """An undirected graph: an `nx.Graph`, frozen, over `csr`, in which every edge is in both rows.

    `labels` are the nodes, in the order of the rows (by default 0..n-1); `graph` and `nodes` are attributes.
    """

    _plain = nx.Graph

    @cached_property
    def degree(self) -> Degrees:
        return Degrees(self)

    def degrees(self, weight: str | None = None) -> Array:
        """The degree of each node, shape (n,); a self-loop counts twice. Cost: O(n), weighted O(entries)."""
        if weight is None:
            return self.csr.lengths + self.csr.loops
        return _row_sums(self.csr, weight) + _row_sums(self.csr, weight, own=True)


class DiGraph(_Compressed, nx.DiGraph):  # type: ignore[misc]
    """A directed graph: an `nx.DiGraph`, frozen, over `csr`, whose rows are the successors.

    `labels` are the nodes, in the order of the rows (by default 0..n-1); `graph` and `nodes` are attributes.
    """

    _plain = nx.DiGraph

    @property
    def _succ(self) -> Rows:
        return self._adj

    @cached_property
    def _pred(self) -> Rows:
        return Rows(self.labels, lambda: self.index, self.csr.transposed)

    @cached_property
    def degree(self) -> DiDegrees:
        return DiDegrees(self)

    @cached_property
    def out_degree(self) -> OutDegrees:
        return OutDegrees(self)

    @cached_property
    def in_degree(self) -> InDegrees:
        return InDegrees(self)

    def degrees(self, weight: str | None = None) -> Array:
        """In and out together, shape (n,)."""
        return self.out_degrees(weight) + self.in_degrees(weight)

    def out_degrees(self, weight: str | None = None) -> Array:
        """Successors of each node or the sum of their weights, shape (n,)."""
        return self.csr.lengths if weight is None else _row_sums(self.csr, weight)

    def in_degrees(self, weight: str | None = None) -> Array:
        """Predecessors of each node or the sum of their weights, shape (n,). Cost: O(entries)."""
        if weight is None:
            return np.bincount(self.csr.indices, minlength=self.csr.n)
        return _row_sums(self.csr.transposed, weight)


def _row_sums(csr: CSR, weight: str, *, own: bool = False) -> Array:
    """The sum of each row of a column, or of its self-loop alone; integers stay integers, and exact beyond 64 bits."""
    values = csr.numbers(weight)
    if own:
        values = np.where(csr.sources() == csr.indices, values, 0)
    if values.dtype == object or (values.dtype.kind == "i" and magnitude(values) >= SAFE):
        return _exact_sums(csr, values)
    totals = np.zeros(csr.n, dtype=values.dtype)
    filled = csr.lengths > 0
    if filled.any():
        totals[filled] = np.add.reduceat(values, csr.indptr[:-1][filled])
    return totals


def _exact_sums(csr: CSR, values: Array) -> Array:
    """The sum of each row as Python adds numbers: slow, and for columns that need it."""
    entries, totals = values.tolist(), np.empty(csr.n, dtype=object)
    totals[:] = [sum(entries[begin:end]) for begin, end in pairwise(csr.indptr.tolist())]
    return totals


Compiled = Graph | DiGraph
