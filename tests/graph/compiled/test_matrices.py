import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.compiled import from_columns
from tests.effort import by_effort
from tests.graph.compiled.random_graphs import ANY, Pair


@settings(deadline=None, max_examples=by_effort(20, 180))
@given(
    ANY, st.sampled_from(("csr", "csc", "coo")), st.sampled_from(("weight", "height")), st.sampled_from((None, float))
)
def test_the_matrix_equals_networkxs(pair: Pair, form: str, weight: str, dtype: type | None):
    assert nx.number_of_selfloops(pair.compiled) == nx.number_of_selfloops(pair.plain)
    if not pair.plain:
        with pytest.raises(nx.NetworkXError, match="no nodes"):
            nx.to_scipy_sparse_array(pair.compiled)
        return
    actual = nx.to_scipy_sparse_array(pair.compiled, format=form, weight=weight, dtype=dtype)
    expected = nx.to_scipy_sparse_array(pair.plain, format=form, weight=weight, dtype=dtype)
    assert actual.format == form
    assert (actual.dtype == expected.dtype) or not pair.plain.number_of_edges()
    assert np.array_equal(actual.toarray(), expected.toarray())


def test_the_matrix_is_a_copy():
    graph = from_columns(pl.Series(["a"]), pl.Series(["b"]), pl.Series([5]), directed=True)
    matrix = nx.to_scipy_sparse_array(graph)
    matrix.data[:], matrix.indices[:] = 9, 0
    assert list(graph.edges(data="weight")) == [("a", "b", 5)]
    with pytest.raises(nx.NetworkXError, match="Unknown sparse matrix format: heap"):
        nx.to_scipy_sparse_array(graph, format="heap")
    assert nx.to_scipy_sparse_array(graph, nodelist=["b", "a"]).toarray().tolist() == [[0, 0], [5, 0]]
