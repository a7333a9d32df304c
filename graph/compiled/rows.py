"""NetworkX's dicts of dicts, which we build from compressed rows one row at a time, on first access."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, NoReturn

import networkx as nx
from networkx.classes.reportviews import DegreeView, DiDegreeView, InDegreeView, OutDegreeView

from graph.compiled.csr import CSR, MISSING, Array, Attributes, Node


class Edge(dict[str, Any]):
    """The attributes of an edge. Read-only, because algorithms read the arrays and would not see a change here.

    Copies are plain dicts.
    """

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise nx.NetworkXError("Frozen edges can't be modified: change those of a copy, `G.copy()`")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __deepcopy__(self, memo: dict[int, object]) -> Attributes:
        return deepcopy(dict(self), memo)

    def __reduce__(self) -> tuple[object, ...]:
        return dict, (dict(self),)


NO_ATTRIBUTES: Final = Edge()  # shared by all edges of a graph without attributes


class AdjacencyRows(Mapping[Node, Mapping[Node, Edge]]):
    """Node -> {neighbour -> edge attributes}: NetworkX's `_adj`, `_succ` or `_pred`.

    A row is built on first access and kept. Cost: O(degree) a row.
    """

    def __init__(self, labels: list[Node], index: Callable[[], dict[Node, int]], csr: CSR) -> None:
        self._labels, self._index, self._csr = labels, index, csr
        self._cache: dict[Node, dict[Node, Edge]] = {}

    def __getitem__(self, node: Node) -> dict[Node, Edge]:
        row = self._cache.get(node)
        if row is None:
            code = self._index()[node]
            row = self._cache[self._labels[code]] = self.row(code)
        return row

    def __iter__(self) -> Iterator[Node]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, node: object) -> bool:
        return node in self._index()

    def row(self, code: int) -> dict[Node, Edge]:
        """Build the row of a code."""
        begin, end = self._csr.indptr[code], self._csr.indptr[code + 1]
        neighbours = map(self._labels.__getitem__, self._csr.indices[begin:end].tolist())
        if not self._csr.columns:
            return dict.fromkeys(neighbours, NO_ATTRIBUTES)
        names = tuple(self._csr.columns)
        values = zip(*(column[begin:end].tolist() for column in self._csr.columns.values()), strict=True)
        return {other: Edge(_attributes_of(names, edge)) for other, edge in zip(neighbours, values, strict=True)}


def _attributes_of(names: tuple[str, ...], values: tuple[object, ...]) -> Attributes:
    return {name: value for name, value in zip(names, values, strict=True) if value is not MISSING}


class _ArrayDegrees:
    """A degree view of NetworkX that counts in the arrays. We build rows only for weighted degrees of a few nodes."""

    _graph: Any
    _nodes: object
    _weight: str | None
    _array: Callable[[Any, str | None], Array]

    def __getitem__(self, node: Node) -> Any:
        if self._weight is None:
            return self._array(self._graph, None)[self._graph.index[node]].item()
        return super().__getitem__(node)  # type: ignore[misc]  # the view it is mixed into

    def __iter__(self) -> Iterator[tuple[Node, Node]]:
        if isinstance(self._nodes, list):
            return ((node, self[node]) for node in self._nodes)
        return zip(self._graph, self._array(self._graph, self._weight).tolist(), strict=True)


class Degrees(_ArrayDegrees, DegreeView):
    """`degree` of an undirected graph: a self-loop counts twice."""

    _array = staticmethod(lambda graph, weight: graph.degrees(weight))


class DiDegrees(_ArrayDegrees, DiDegreeView):
    """`degree` of a directed graph: in-degree plus out-degree."""

    _array = staticmethod(lambda graph, weight: graph.degrees(weight))


class OutDegrees(_ArrayDegrees, OutDegreeView):
    """`out_degree` of a directed graph."""

    _array = staticmethod(lambda graph, weight: graph.out_degrees(weight))


class InDegrees(_ArrayDegrees, InDegreeView):
    """`in_degree` of a directed graph."""

    _array = staticmethod(lambda graph, weight: graph.in_degrees(weight))
