"""NetworkX's dicts of dicts, made from compressed rows one row at a time, when somebody looks."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, NoReturn

import networkx as nx
from networkx.classes.reportviews import DegreeView, DiDegreeView, InDegreeView, OutDegreeView

from graph.compiled.csr import CSR, MISSING, Array


class Edge(dict[str, Any]):
    """What an edge holds: read-only, since algorithms read the arrays, and a change here would not reach them.

    Its copies are plain dicts.
    """

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise nx.NetworkXError("Frozen edges can't be modified: change those of a copy, `G.copy()`")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return deepcopy(dict(self), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


NOTHING: Final = Edge()  # what every edge of a graph without attributes holds


class Rows(Mapping[Any, Mapping[Any, Edge]]):
    """Node -> {neighbour -> edge attributes}: what NetworkX calls `_adj`, `_succ` or `_pred`.

    A row is made when it is first asked for, and kept. Cost: O(degree) a row.
    """

    def __init__(self, labels: list[Any], index: Callable[[], dict[Any, int]], csr: CSR) -> None:
        self._labels, self._index, self._csr = labels, index, csr
        self._made: dict[Any, dict[Any, Edge]] = {}

    def __getitem__(self, node: Any) -> dict[Any, Edge]:
        row = self._made.get(node)
        if row is None:
            code = self._index()[node]
            row = self._made[self._labels[code]] = self.row(code)
        return row

    def __iter__(self) -> Iterator[Any]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, node: object) -> bool:
        return node in self._index()

    def row(self, code: int) -> dict[Any, Edge]:
        """The row of a code, made anew."""
        begin, end = self._csr.indptr[code], self._csr.indptr[code + 1]
        others = map(self._labels.__getitem__, self._csr.indices[begin:end].tolist())
        if not self._csr.columns:
            return dict.fromkeys(others, NOTHING)
        names = tuple(self._csr.columns)
        values = zip(*(column[begin:end].tolist() for column in self._csr.columns.values()), strict=True)
        return {other: Edge(_held(names, edge)) for other, edge in zip(others, values, strict=True)}


def _held(names: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not MISSING}


class _FromArrays:
    """A degree view of NetworkX that counts in the arrays: no row is made for it, but for a weighted one of few nodes."""

    _graph: Any
    _nodes: Any
    _weight: str | None
    _array: Callable[[Any, str | None], Array]

    def __getitem__(self, node: Any) -> Any:
        if self._weight is None:
            return self._array(self._graph, None)[self._graph.index[node]].item()
        return super().__getitem__(node)  # type: ignore[misc]  # the view it is mixed into

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        if isinstance(self._nodes, list):
            return ((node, self[node]) for node in self._nodes)
        return zip(self._graph, self._array(self._graph, self._weight).tolist(), strict=True)


class Degrees(_FromArrays, DegreeView):  # type: ignore[misc]  # NetworkX publishes no types
    """`degree` of an undirected graph: a self-loop counts twice."""

    _array = staticmethod(lambda graph, weight: graph.degrees(weight))


class DiDegrees(_FromArrays, DiDegreeView):  # type: ignore[misc]
    """`degree` of a directed graph: in and out."""

    _array = staticmethod(lambda graph, weight: graph.degrees(weight))


class OutDegrees(_FromArrays, OutDegreeView):  # type: ignore[misc]
    """`out_degree` of a directed graph."""

    _array = staticmethod(lambda graph, weight: graph.out_degrees(weight))


class InDegrees(_FromArrays, InDegreeView):  # type: ignore[misc]
    """`in_degree` of a directed graph."""

    _array = staticmethod(lambda graph, weight: graph.in_degrees(weight))
