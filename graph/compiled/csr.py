"""Compressed sparse rows: who is next to whom, as three arrays instead of dicts of dicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[Any]


class _Missing:
    """What an edge holds in a column of objects when it lacks that attribute; it is itself in every copy."""

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
SAFE: Final = 2**62  # magnitudes below which no sum of 64-bit integers wraps around


def magnitude(values: Array) -> float:
    """An upper bound of every sum of some of the values, within rounding. Cost: O(entries)."""
    return float(np.abs(values.astype(np.float64)).sum())


@dataclass(frozen=True, eq=False)
class CSR:
    """Row `i` is `indices[indptr[i]:indptr[i + 1]]`: the codes of those next to `i`, each once.

    `indptr` has n + 1 integers, `indices` and each of `columns` (edge attributes, by name) one entry an edge of a row.
    An undirected graph has every edge in both rows, a self-loop once. Nobody writes to the arrays.
    """

    indptr: Array
    indices: Array
    columns: Mapping[str, Array] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """How many rows there are: the nodes."""
        return len(self.indptr) - 1

    @cached_property
    def lengths(self) -> Array:
        """Entries of each row, shape (n,)."""
        return np.diff(self.indptr)

    @cached_property
    def loops(self) -> Array:
        """Whether each node is next to itself, shape (n,), bool. Cost: O(n + entries), once."""
        own = np.zeros(self.n, dtype=bool)
        rows = self.sources()
        own[rows[rows == self.indices]] = True
        return own

    def sources(self) -> Array:
        """The row of each entry: with `indices`, the edges as two columns."""
        return np.repeat(np.arange(self.n, dtype=self.indices.dtype), self.lengths)

    def weights(self, weight: str | None) -> Array:
        """The column of that name as floats, 1.0 where an edge lacks it or no name is given.

        NotImplementedError when it holds what is not a number: that is NetworkX's to deal with.
        """
        found = self.columns.get(weight) if weight is not None else None
        if found is None:
            return np.ones(len(self.indices))
        if found.dtype != object:
            return found.astype(np.float64, copy=False)
        try:
            return np.array([1.0 if value is MISSING else value for value in found], dtype=np.float64)
        except (TypeError, ValueError):
            raise NotImplementedError(f"edge attribute `{weight}` is not a number on every edge") from None

    def numbers(self, weight: str) -> Array:
        """The column of that name as it is, 1 where an edge lacks it: integers stay integers, however large."""
        held = self.columns.get(weight)
        if held is None:
            return np.ones(len(self.indices), dtype=np.int64)
        if held.dtype != object:
            return held
        values = np.empty(len(held), dtype=object)
        values[:] = [1 if value is MISSING else value for value in held]
        return values

    def matrix(self, weight: str | None = None) -> Any:
        """The adjacency matrix as a SciPy CSR array of floats, over the same index arrays: nothing but weights is copied."""
        return sparse.csr_array((self.weights(weight), self.indices, self.indptr), shape=(self.n, self.n))

    def pattern(self) -> Any:
        """The adjacency matrix of ones that take no memory: for algorithms that read where edges are, not what they hold."""
        ones = np.broadcast_to(np.float64(1), len(self.indices))
        return sparse.csr_array((ones, self.indices, self.indptr), shape=(self.n, self.n))

    @cached_property
    def transposed(self) -> "CSR":
        """The same edges by their other end. Cost: O(n + entries), once, and as much memory again."""
        entries = np.arange(len(self.indices), dtype=np.int64)
        turned = sparse.csr_array((entries, self.indices, self.indptr), shape=(self.n, self.n)).T.tocsr()
        columns = {name: column[turned.data] for name, column in self.columns.items()}
        return CSR(turned.indptr, turned.indices, columns)

    def upper(self) -> "CSR":
        """Of a symmetric matrix, the entries above the diagonal: each edge once, no self-loops and no columns."""
        rows = self.sources()
        above = rows < self.indices
        lengths = np.bincount(rows[above], minlength=self.n)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(self.indptr.dtype)
        return CSR(indptr, self.indices[above])
