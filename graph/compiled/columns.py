"""The door straight from columns: two of ends, and those of what each edge holds. No Python loop over edges."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from scipy import sparse

from graph.compiled.csr import CSR, SAFE, Array, magnitude
from graph.compiled.graphs import Compiled, DiGraph, Graph

MOST_NODES: Final = np.iinfo(np.int32).max
Column = Any  # pl.Series, pa.Array, pa.ChunkedArray or NumPy


def from_columns(
    source: Column,
    target: Column,
    weight: Column | None = None,
    *,
    nodes: Column | int | None = None,
    directed: bool,
    columns: Mapping[str, Column] | None = None,
) -> Compiled:
    """A graph with an edge from each `source` to the `target` beside it: columns of one length, of Polars, Arrow or NumPy.

    `nodes` are the nodes and their order, isolated ones among them; by default those named, sorted. An integer n says that
    the ends are codes 0..n-1 already, and the nodes those numbers. `weight` becomes the edge attribute of that name, and
    `columns` those of theirs: integers or floats. Parallel edges become one that holds the sum of each; without columns,
    just one. In an undirected graph (u, v) and (v, u) are parallel. Self-loops stay. Each row is in the order of `nodes`.

    ValueError, in one line, for what cannot be a graph. Cost: O(edges log degree) beyond hashing the labels; none for codes.
    """
    held = {name: _numbers(name, column) for name, column in (columns or {}).items()}
    if weight is not None:
        held["weight"] = _numbers("weight", weight)
    first, second = _series("source", source), _series("target", target)
    for name, length in {"target": len(second), **{n: len(column) for n, column in held.items()}}.items():
        if length != len(first):
            raise ValueError(f"column `{name}` has {length} rows, `source` {len(first)}: give one for each edge")
    labels: Sequence[Any]
    if isinstance(nodes, int):
        ends, labels = (_codes("source", first, nodes), _codes("target", second, nodes)), range(nodes)
    else:
        ends, labels = _coded(first, second, None if nodes is None else _series("nodes", nodes))
    if len(labels) > MOST_NODES:
        raise ValueError(f"{len(labels)} nodes: at most {MOST_NODES} have room in the index of a matrix")
    csr = _compressed(*ends, held, len(labels), directed)
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
            raise ValueError(f"column `{name}` holds what is no number: an edge attribute is finite")
        return series.cast(pl.Float64).to_numpy()
    raise ValueError(f"column `{name}` holds {series.dtype}: an edge attribute is an integer or a float")


def _codes(name: str, ends: pl.Series, n: int) -> Array:
    if not ends.dtype.is_integer():
        raise ValueError(f"column `{name}` holds {ends.dtype}: with `nodes={n}` its values are codes, 0 to {n - 1}")
    if len(ends) and not (0 <= ends.min() <= ends.max() < n):  # type: ignore[operator]  # integers, as seen above
        raise ValueError(f"column `{name}` has codes outside 0 to {n - 1}: give `nodes` more, or the labels")
    return ends.cast(pl.Int32).to_numpy()


def _coded(first: pl.Series, second: pl.Series, nodes: pl.Series | None) -> tuple[tuple[Array, Array], list[Any]]:
    """Both ends as codes, and the label of each code."""
    for name, other in {"target": second, **({} if nodes is None else {"nodes": nodes})}.items():
        if other.dtype != first.dtype and not (other.dtype.is_numeric() and first.dtype.is_numeric()):
            kinds = f"{first.dtype} and {other.dtype}"
            raise ValueError(f"columns `source` and `{name}` hold {kinds}: names are of one kind")
    both = pl.concat([first.alias("node").to_frame(), second.alias("node").to_frame()], how="vertical_relaxed")
    if nodes is None:
        known = both.unique().sort("node")
    else:
        known = nodes.alias("node").to_frame()
        if known["node"].is_duplicated().any():
            raise ValueError(f"column `nodes` names `{known.filter(pl.col('node').is_duplicated()).item(0, 0)}` twice")
    labels = known["node"]
    if labels.dtype == pl.String == both["node"].dtype:
        codes = both["node"].cast(pl.Enum(labels), strict=False).to_physical()
    else:
        numbered = known.with_row_index("code")
        codes = both.join(numbered, on="node", how="left", maintain_order="left")["code"]
    if codes.null_count():
        stray = both.filter(codes.is_null()).item(0, 0)
        raise ValueError(f"`{stray}` is an end of an edge and not one of `nodes`: add it, or leave the edge out")
    numbers = codes.cast(pl.Int32).to_numpy()
    return (numbers[: len(first)], numbers[len(first) :]), labels.to_list()


def _compressed(source: Array, target: Array, columns: Mapping[str, Array], n: int, directed: bool) -> CSR:
    if not columns:
        pattern = _matrix(source, target, np.ones(len(source), dtype=bool), n, directed)
        return CSR(pattern.indptr, pattern.indices)
    matrices = {name: _summed(name, source, target, column, n, directed) for name, column in columns.items()}
    shape = next(iter(matrices.values()))
    return CSR(shape.indptr, shape.indices, {name: matrix.data for name, matrix in matrices.items()})


def _summed(name: str, source: Array, target: Array, values: Array, n: int, directed: bool) -> Any:
    """The matrix of a column. ValueError where integers of parallel edges sum to more than 64 bits hold."""
    matrix = _matrix(source, target, values, n, directed)
    if values.dtype.kind == "i" and magnitude(values) >= SAFE:
        floats = _matrix(source, target, values.astype(np.float64), n, directed)
        if (np.abs(floats.data - matrix.data) >= SAFE).any():  # an integer that wrapped around is 2**64 away
            raise ValueError(f"column `{name}` sums to integers beyond 64 bits: give floats, or a larger unit")
    return matrix


def _matrix(source: Array, target: Array, values: Array, n: int, directed: bool) -> Any:
    """Rows sorted, equal edges summed; of an undirected graph both halves, and the diagonal once."""
    if not directed:  # not the sum of two matrices: that leaves out what comes to nothing
        back = source != target
        source, target = np.concatenate([source, target[back]]), np.concatenate([target, source[back]])
        values = np.concatenate([values, values[back]])
    return sparse.coo_array((values, (source, target)), shape=(n, n)).tocsr()
