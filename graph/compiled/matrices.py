"""The arrays of a graph as SciPy matrices, and figures that we read off them directly."""

import networkx as nx
import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse

from graph.compiled.graphs import Compiled


def to_scipy_sparse_array(
    G: Compiled,  # noqa: N803  # NetworkX's name for it
    nodelist: None = None,  # noqa: ARG001
    dtype: DTypeLike | None = None,
    weight: str = "weight",
    format: str = "csr",  # noqa: A002  # NetworkX's
) -> sparse.sparray:
    """Run `nx.to_scipy_sparse_array`: a copy of the weights, with rows and columns in the order of the nodes. Cost:
    O(edges).

    Raises NetworkXError if there are no nodes or SciPy does not know the format.
    """
    if len(G) == 0:
        raise nx.NetworkXError("Graph has no nodes or edges")
    values = G.csr.numbers(weight)
    if values.dtype == object:
        values = np.array(values.tolist(), dtype=dtype)
    arrays = (values.astype(dtype or values.dtype), G.csr.indices, G.csr.indptr)
    try:
        return sparse.csr_array(arrays, shape=(len(G), len(G)), copy=True).asformat(format)
    except ValueError as unknown:
        raise nx.NetworkXError(f"Unknown sparse matrix format: {format}") from unknown


def number_of_selfloops(G: Compiled) -> int:  # noqa: N803
    """Run `nx.number_of_selfloops`. Cost: O(edges), once."""
    return int(G.csr.loops.sum())
