"""The arrays themselves, as SciPy's matrices, and what is read off them at once."""

from typing import Any

import networkx as nx
import numpy as np
from scipy import sparse

from graph.compiled.graphs import Compiled


def to_scipy_sparse_array(
    G: Compiled,  # noqa: N803  # NetworkX's name for it
    nodelist: None = None,  # noqa: ARG001
    dtype: Any = None,
    weight: str = "weight",
    format: str = "csr",  # noqa: A002  # NetworkX's
) -> Any:
    """`nx.to_scipy_sparse_array`: the weights, rows and columns in the order of the nodes; a copy. Cost: O(edges).

    NetworkXError for no nodes, and for a format SciPy does not know.
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
    """`nx.number_of_selfloops`. Cost: O(edges), once."""
    return int(G.csr.loops.sum())
