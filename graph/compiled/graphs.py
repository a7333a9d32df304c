"""The graphs of the backend: you read them as NetworkX graphs, and algorithms compute on their compressed rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NoReturn

import networkx as nx
import numpy as np

from graph.compiled.csr import CSR, SAFE_MAGNITUDE, Array, Attributes, Node, magnitude
from graph.compiled.rows import AdjacencyRows, Degrees, DiDegrees, InDegrees, OutDegrees


class _Compressed:
    """The parts that both graphs share: labels, codes, rows built on first access, and methods that reject changes.

    Called without a matrix, the class returns a plain NetworkX graph. NetworkX's own code expects this of
    `G.__class__()`: an empty graph of the same kind, which it can fill.
    """

    __networkx_backend__ = "iftah"
    frozen = True
    _plain: type[nx.Graph]
    csr: CSR
    graph: Attributes

    def __new__(cls, csr: CSR | None = None, *_: object, **kwargs: object) -> Any:
        return object.__new__(cls) if isinstance(csr, CSR) else cls._plain(csr, **kwargs)

    def __init__(
        self,
        csr: CSR,
        labels: Sequence[Node] | None = None,
        *,
        graph: Mapping[str, object] | None = None,
        nodes: Mapping[Node, Attributes] | None = None,
    ) -> None:
        self.csr = csr
        self._label_source = range(csr.n) if labels is None else labels
        self.graph = dict(graph or {})
        self.__networkx_cache__: Attributes = {}
        self._attributes = nodes

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.csr, self.labels, self.graph, dict(self._node))

    @cached_property
    def labels(self) -> list[Node]:
        """The node of each code."""
        return list(self._label_source)

    @cached_property
    def index(self) -> dict[Node, int]:
        """The code of each node. Cost: O(n), once."""
        return dict(zip(self.labels, range(self.csr.n), strict=True))

    @cached_property
    def _adj(self) -> AdjacencyRows:
        return AdjacencyRows(self.labels, lambda: self.index, self.csr)

    @cached_property
    def _node(self) -> dict[Node, Attributes]:
        attributes = self._attributes or {}
        return {node: attributes.get(node, {}) if attributes else {} for node in self.labels}

    def __len__(self) -> int:
        return self.csr.n

    def number_of_nodes(self) -> int:
        return self.csr.n

    def order(self) -> int:
        return self.csr.n

    def __iter__(self) -> Iterator[Node]:
        return iter(self.labels)

    def __contains__(self, node: object) -> bool:
        try:
            return node in self.index
        except TypeError:  # an unhashable value cannot be a node
            return False

    def nbunch_iter(self, nbunch: object = None) -> Iterator[Node]:
        whole = nbunch is None or nbunch is self
        return iter(self) if whole else super().nbunch_iter(nbunch)  # type: ignore[misc]  # NetworkX's class, mixed in

    def codes(self, nodes: Iterable[Node]) -> Array:
        """Return the codes of those `nodes` that are in the graph; we skip unknown ones."""
        matches = map(self.index.get, nodes)
        return np.fromiter((code for code in matches if code is not None), dtype=np.int64)

    def to_dict(self, values: Array) -> dict[Node, Any]:
        """Return an array with one entry a node as the dict of Python numbers that NetworkX returns."""
        return dict(zip(self.labels, values.tolist(), strict=True))

    def copy(self, as_view: bool = False) -> nx.Graph:
        """Return a plain NetworkX graph, which you can change. A view is the graph itself, which is frozen."""
        if as_view:
            return self  # type: ignore[return-value]  # both of its classes are NetworkX's too
        plain = self._plain(**self.graph)
        plain.add_nodes_from((node, dict(attributes)) for node, attributes in self._node.items())
        rows = ((node, self._adj.row(code)) for code, node in enumerate(self.labels))
        plain.add_edges_from((node, other, edge) for node, row in rows for other, edge in row.items())
        return plain

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise nx.NetworkXError("Frozen graph can't be modified")

    add_node = add_nodes_from = remove_node = remove_nodes_from = _refuse
    add_edge = add_edges_from = add_weighted_edges_from = remove_edge = remove_edges_from = _refuse
    clear = clear_edges = update = _refuse


def _restore(kind: type[Any], csr: CSR, labels: list[Node], graph: Attributes, nodes: dict[Node, Attributes]) -> Any:
    return kind(csr, labels, graph=graph, nodes=nodes)


class Graph(_Compressed, nx.Graph):
    """An undirected graph: a frozen `nx.Graph` over `csr`, with every edge in both rows.

    `labels` are the nodes, in the order of the rows (by default 0..n-1); `graph` and `nodes` are attributes.
    """

    _plain = nx.Graph

    @cached_property
    def degree(self) -> Degrees:
        return Degrees(self)

    def degrees(self, weight: str | None = None) -> Array:
        """Return the degree of each node, shape (n,); a self-loop counts twice. Cost: O(n), weighted O(entries)."""
        if weight is None:
            return self.csr.lengths + self.csr.loops
        return _row_sums(self.csr, weight) + _row_sums(self.csr, weight, own=True)


class DiGraph(_Compressed, nx.DiGraph):
    """A directed graph: a frozen `nx.DiGraph` over `csr`, whose rows are the successors.

    `labels` are the nodes, in the order of the rows (by default 0..n-1); `graph` and `nodes` are attributes.
    """

    _plain = nx.DiGraph

    @property
    def _succ(self) -> AdjacencyRows:
        return self._adj

    @cached_property
    def _pred(self) -> AdjacencyRows:
        return AdjacencyRows(self.labels, lambda: self.index, self.csr.transposed)

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
        """Return in-degree plus out-degree, shape (n,)."""
        return self.out_degrees(weight) + self.in_degrees(weight)

    def out_degrees(self, weight: str | None = None) -> Array:
        """Return the number of successors of each node, or the sum of their weights, shape (n,)."""
        return self.csr.lengths if weight is None else _row_sums(self.csr, weight)

    def in_degrees(self, weight: str | None = None) -> Array:
        """Return the number of predecessors of each node, or the sum of their weights, shape (n,). Cost: O(entries)."""
        if weight is None:
            return np.bincount(self.csr.indices, minlength=self.csr.n)
        return _row_sums(self.csr.transposed, weight)


def _row_sums(csr: CSR, weight: str, *, own: bool = False) -> Array:
    """Sum each row of a column, or only its self-loop. Integers stay integers and are exact beyond 64 bits."""
    values = csr.numbers(weight)
    if own:
        values = np.where(csr.sources() == csr.indices, values, 0)
    if values.dtype == object or (values.dtype.kind == "i" and magnitude(values) >= SAFE_MAGNITUDE):
        return _exact_sums(csr, values)
    totals = np.zeros(csr.n, dtype=values.dtype)
    filled = csr.lengths > 0
    if filled.any():
        totals[filled] = np.add.reduceat(values, csr.indptr[:-1][filled])
    return totals


def _exact_sums(csr: CSR, values: Array) -> Array:
    """Sum each row with Python's numbers. This is slow; we use it only for columns that need it."""
    entries, totals = values.tolist(), np.empty(csr.n, dtype=object)
    totals[:] = [sum(entries[begin:end]) for begin, end in pairwise(csr.indptr.tolist())]
    return totals


Compiled = Graph | DiGraph
