"""Build a graph from columns: two of edge ends, and any number of edge attributes. No Python loop runs over edges."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, overload

import numpy as np
import polars as pl
from scipy import sparse

from graph.compiled.csr import CSR, SAFE_MAGNITUDE, Array, Node, magnitude
from graph.compiled.graphs import Compiled, DiGraph, Graph

MAX_NODES: Final = np.iinfo(np.int32).max
Column = pl.Series | Array | Sequence[object]  # also pa.Array and pa.ChunkedArray, which publish no types


@overload
def from_columns(
    source: Column,
    target: Column,
    weight: Column | None = None,
    *,
    nodes: Column | int | None = None,
    directed: Literal[False],
    columns: Mapping[str, Column] | None = None,
) -> Graph: ...
@overload
def from_columns(
    source: Column,
    target: Column,
    weight: Column | None = None,
    *,
    nodes: Column | int | None = None,
    directed: Literal[True],
    columns: Mapping[str, Column] | None = None,
) -> DiGraph: ...
def from_columns(
    source: Column,
    target: Column,
    weight: Column | None = None,
    *,
    nodes: Column | int | None = None,
    directed: bool,
    columns: Mapping[str, Column] | None = None,
) -> Compiled:
    """Build a graph with an edge from each `source` to the `target` in the same row. Pass columns of one length, of
    Polars, Arrow or NumPy.

    `nodes` lists the nodes in order, and may include isolated ones; by default we take the ends, sorted. If you pass an
    integer n, the ends are codes 0..n-1 already, and these numbers are the nodes. `weight` becomes the edge attribute
    of that name, and so does each of `columns`: integers or floats. Parallel edges are merged, and their attributes
    summed. In an undirected graph (u, v) and (v, u) are parallel. Self-loops are kept. Each row is in the order of
    `nodes`.

    Raises ValueError, in one line, if the columns do not form a graph. Cost: O(edges log degree) after hashing the
    labels; codes need no hashing.
    """
    attributes = {name: _numbers(name, column) for name, column in (columns or {}).items()}
    if weight is not None:
        attributes["weight"] = _numbers("weight", weight)
    first, second = _series("source", source), _series("target", target)
    for name, length in [("target", len(second)), *((name, len(values)) for name, values in attributes.items())]:
        if length != len(first):
            raise ValueError(f"column `{name}` has {length} rows, `source` {len(first)}: give one for each edge")
    labels: Sequence[Node]
    if isinstance(nodes, int):
        ends, labels = (_codes("source", first, nodes), _codes("target", second, nodes)), range(nodes)
    else:
        ends, labels = _encode(first, second, None if nodes is None else _series("nodes", nodes))
    if len(labels) > MAX_NODES:
        raise ValueError(f"{len(labels)} nodes: a matrix can index at most {MAX_NODES}")
    csr = _compress(*ends, attributes, len(labels), directed)
    return DiGraph(csr, labels) if directed else Graph(csr, labels)


def _series(name: str, column: Column) -> pl.Series:
    series = column if isinstance(column, pl.Series) else pl.Series(values=column)
    if series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    if series.null_count():
        raise ValueError(f"column `{name}` has {series.null_count()} nulls: leave those rows out")
    return series


def _numbers(name: str, column: Column) -> Array:
    series = _series(name, column)
    if series.dtype.is_integer():
        numbers = series.cast(pl.Int64, strict=False)
        if numbers.null_count():
            raise ValueError(f"column `{name}` holds integers beyond 64 bits: give floats, or a larger unit")
        return numbers.to_numpy()
    if series.dtype.is_float():
        if not series.is_finite().all():
            raise ValueError(f"column `{name}` holds NaN or infinity: give finite numbers")
        return series.cast(pl.Float64).to_numpy()
    raise ValueError(f"column `{name}` holds {series.dtype}: an edge attribute is an integer or a float")


def _codes(name: str, ends: pl.Series, n: int) -> Array:
    if not ends.dtype.is_integer():
        raise ValueError(f"column `{name}` holds {ends.dtype}: with `nodes={n}` its values are codes, 0 to {n - 1}")
    if len(ends) and not (0 <= ends.min() <= ends.max() < n):  # type: ignore[operator]  # integers, as checked above
        raise ValueError(f"column `{name}` has codes outside 0 to {n - 1}: give `nodes` more, or the labels")
    return ends.cast(pl.Int32).to_numpy()


def _encode(first: pl.Series, second: pl.Series, nodes: pl.Series | None) -> tuple[tuple[Array, Array], list[Node]]:
    """Encode both ends, and return the label of each code."""
    for name, other in (("target", second), ("nodes", first if nodes is None else nodes)):
        if other.dtype != first.dtype and not (other.dtype.is_numeric() and first.dtype.is_numeric()):
            kinds = f"{first.dtype} and {other.dtype}"
            raise ValueError(f"columns `source` and `{name}` hold {kinds}: give labels of one type")
    both = pl.concat([first.alias("node").to_frame(), second.alias("node").to_frame()], how="vertical_relaxed")
    if nodes is None:
        node_frame = both.unique().sort("node")
    else:
        node_frame = nodes.alias("node").to_frame()
        if node_frame["node"].is_duplicated().any():
            raise ValueError(
                f"column `nodes` names `{node_frame.filter(pl.col('node').is_duplicated()).item(0, 0)}` twice"
            )
    labels = node_frame["node"]
    if labels.dtype == pl.String == both["node"].dtype:
        codes = both["node"].cast(pl.Enum(labels), strict=False).to_physical()
    else:
        numbered = node_frame.with_row_index("code")
        codes = both.join(numbered, on="node", how="left", maintain_order="left")["code"]
    if codes.null_count():
        stray = both.filter(codes.is_null()).item(0, 0)
        raise ValueError(f"`{stray}` is an end of an edge and not one of `nodes`: add it, or leave the edge out")
    numbers = codes.cast(pl.Int32).to_numpy()
    return (numbers[: len(first)], numbers[len(first) :]), labels.to_list()


def _compress(source: Array, target: Array, columns: Mapping[str, Array], n: int, directed: bool) -> CSR:
    if not columns:
        pattern = _matrix(source, target, np.ones(len(source), dtype=bool), n, directed)
        return CSR(pattern.indptr, pattern.indices)
    matrices = {name: _sum_column(name, source, target, column, n, directed) for name, column in columns.items()}
    shape = next(iter(matrices.values()))
    return CSR(shape.indptr, shape.indices, {name: matrix.data for name, matrix in matrices.items()})


def _sum_column(name: str, source: Array, target: Array, values: Array, n: int, directed: bool) -> sparse.csr_array:
    """Build the matrix of a column. Raises ValueError if the integers of parallel edges sum to more than 64 bits hold."""
    matrix = _matrix(source, target, values, n, directed)
    if values.dtype.kind == "i" and magnitude(values) >= SAFE_MAGNITUDE:
        floats = _matrix(source, target, values.astype(np.float64), n, directed)
        if (
            np.abs(floats.data - matrix.data) >= SAFE_MAGNITUDE
        ).any():  # an integer that wrapped around differs by 2**64
            raise ValueError(f"column `{name}` sums to integers beyond 64 bits: give floats, or a larger unit")
    return matrix


def _matrix(source: Array, target: Array, values: Array, n: int, directed: bool) -> sparse.csr_array:
    """Sort rows and sum equal edges. An undirected graph gets both halves, and the diagonal once."""
    if not directed:  # we do not add two matrices: SciPy would drop entries that sum to 0
        back = source != target
        source, target = np.concatenate([source, target[back]]), np.concatenate([target, source[back]])
        values = np.concatenate([values, values[back]])
    return sparse.coo_array((values, (source, target)), shape=(n, n)).tocsr()
