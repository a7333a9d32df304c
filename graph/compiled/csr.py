"""Compressed sparse rows: the neighbours of each node in three arrays instead of dicts of dicts."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[Any]
Node = Hashable
Attributes = dict[str, Any]  # of an edge, a node or a graph, by name


class _Missing:
    """The value of an edge that lacks an attribute, in a column of objects; every copy is the same object."""

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
SAFE_MAGNITUDE: Final = 2**62  # below this magnitude, no sum of 64-bit integers wraps around


def magnitude(values: Array) -> float:
    """Return an upper bound for the magnitude of any sum of these values, within rounding. Cost: O(entries)."""
    return float(np.abs(values.astype(np.float64)).sum())


@dataclass(frozen=True, eq=False)
class CSR:
    """A graph as arrays. Row `i` is `indices[indptr[i]:indptr[i + 1]]`: the codes of the neighbours of `i`, each once.

    `indptr` has n + 1 integers. `indices` and each of `columns` (edge attributes, by name) have one entry for each edge
    of a row. An undirected graph has every edge in both rows, and a self-loop once. You must not write to the arrays.
    """

    indptr: Array
    indices: Array
    columns: Mapping[str, Array] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """The number of rows, which are the nodes."""
        return len(self.indptr) - 1

    @cached_property
    def lengths(self) -> Array:
        """The number of entries of each row, shape (n,)."""
        return np.diff(self.indptr)

    @cached_property
    def loops(self) -> Array:
        """Whether each node has a self-loop, shape (n,), bool. Cost: O(n + entries), once."""
        own = np.zeros(self.n, dtype=bool)
        rows = self.sources()
        own[rows[rows == self.indices]] = True
        return own

    def sources(self) -> Array:
        """Return the row of each entry; together with `indices`, you have the edges as two columns."""
        return np.repeat(np.arange(self.n, dtype=self.indices.dtype), self.lengths)

    def weights(self, weight: str | None) -> Array:
        """Return a column as floats, with 1.0 where an edge lacks the attribute or if `weight` is None.

        Raises NotImplementedError if a value is not a number; NetworkX then handles the call.
        """
        column = self.columns.get(weight) if weight is not None else None
        if column is None:
            return np.ones(len(self.indices))
        if column.dtype != object:
            return column.astype(np.float64, copy=False)
        try:
            return np.array([1.0 if value is MISSING else value for value in column], dtype=np.float64)
        except (TypeError, ValueError):
            raise NotImplementedError(f"edge attribute `{weight}` is not a number on every edge") from None

    def numbers(self, weight: str) -> Array:
        """Return a column unchanged, with 1 where an edge lacks the attribute: integers stay integers of any size."""
        column = self.columns.get(weight)
        if column is None:
            return np.ones(len(self.indices), dtype=np.int64)
        if column.dtype != object:
            return column
        values = np.empty(len(column), dtype=object)
        values[:] = [1 if value is MISSING else value for value in column]
        return values

    def matrix(self, weight: str | None = None) -> sparse.csr_array:
        """Return the adjacency matrix as a SciPy CSR array of floats over the same index arrays: we copy weights at
        most.
        """
        return sparse.csr_array((self.weights(weight), self.indices, self.indptr), shape=(self.n, self.n))

    def pattern(self) -> sparse.csr_array:
        """Return the adjacency matrix with ones that take no memory, for algorithms that read only the positions of
        edges.
        """
        ones = np.broadcast_to(np.float64(1), len(self.indices))
        return sparse.csr_array((ones, self.indices, self.indptr), shape=(self.n, self.n))

    @cached_property
    def transposed(self) -> "CSR":
        """The same edges by their other end. Cost: O(n + entries), once, and as much memory again."""
        entries = np.arange(len(self.indices), dtype=np.int64)
        turned = sparse.csr_array((entries, self.indices, self.indptr), shape=(self.n, self.n)).T.tocsr()
        columns = {name: column[turned.data] for name, column in self.columns.items()}
        return CSR(turned.indptr, turned.indices, columns)
