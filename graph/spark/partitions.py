"""Events on Spark: rows in the columns of `SCHEMA`, their order of appending, and the partitions of people that executors get.

A row's place in the order of appending is a file and a row number in it, because rows of Spark have no order of their own.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import narwhals as nw
import polars as pl
import pyarrow as pa

from graph.evidence.events import SCHEMA, UTC_MICROSECONDS
from graph.spark.dialect import exact_frame

ORDER: Final = ("_file", "_row")
BUCKET: Final = "_bucket"
EVENT_TYPES: Final[dict[str, Any]] = {**SCHEMA, ORDER[0]: pl.String, ORDER[1]: pl.Int64}
_ARROW_TYPES: Final[tuple[tuple[Any, pa.DataType, str], ...]] = (
    (pl.String, pa.string(), "string"),
    (pl.Int64, pa.int64(), "bigint"),
    (pl.Boolean, pa.bool_(), "boolean"),
    (pl.Date, pa.date32(), "date"),
    (UTC_MICROSECONDS, pa.timestamp("us", "UTC"), "timestamp"),
)
_NARWHALS_TYPES: Final = {
    "string": nw.String(),
    "bigint": nw.Int64(),
    "boolean": nw.Boolean(),
    "date": nw.Date(),
    "timestamp": nw.Datetime("us", "UTC"),
}


def spark_type(dtype: Any) -> str:
    """Spark's name of a type of Polars."""
    return next(name for own, _, name in _ARROW_TYPES if own == dtype)


def spark_schema(types: Mapping[str, Any]) -> str:
    """The schema of these columns, in Spark's language."""
    return ", ".join(f"`{name}` {spark_type(dtype)}" for name, dtype in types.items())


def conform_events(native: Any) -> nw.LazyFrame[Any]:
    """Return Spark's frame with exactly the columns of `EVENT_TYPES`; columns that it lacks are null."""
    frame = exact_frame(native)
    available = set(frame.collect_schema().names())
    columns = []
    for name, dtype in EVENT_TYPES.items():
        target = _NARWHALS_TYPES[spark_type(dtype)]
        column = nw.col(name).cast(target) if name in available else nw.lit(None, target)
        columns.append(column.alias(name))
    return frame.select(*columns)


def in_buckets(frame: nw.LazyFrame[Any], key: str, buckets: int) -> Any:
    """Return Spark's frame with `BUCKET`, a number below `buckets` that depends on the text in `key` alone."""
    return frame.to_native().selectExpr("*", f"pmod(xxhash64(`{key}`), {buckets}) AS {BUCKET}")


def from_batches(batches: Iterable[pa.RecordBatch]) -> pl.DataFrame | None:
    """The rows of a partition, in the order of appending; None if there are none."""
    tables = [batch for batch in batches if batch.num_rows]
    if not tables:
        return None
    frame = pl.from_arrow(pa.Table.from_batches(tables))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table is no column
    return frame.sort(ORDER)


def to_batches(frame: pl.DataFrame, types: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """The rows as Spark takes them back, in the columns of `types`."""
    yield from arrow_table(frame, types).to_batches()


def small_frame(like: nw.LazyFrame[Any], rows: pl.DataFrame) -> nw.LazyFrame[Any]:
    """Put a frame of the driver into the session of another frame."""
    session = like.to_native().sparkSession
    if session.version.startswith("3."):
        return exact_frame(session.createDataFrame(rows.rows(), spark_schema(rows.schema)))
    return exact_frame(session.createDataFrame(arrow_table(rows, rows.schema), spark_schema(rows.schema)))


def arrow_table(frame: pl.DataFrame, types: Mapping[str, Any]) -> pa.Table:
    """The columns of `types`, as Spark reads them."""
    arrow = [(name, next(own for dtype, own, _ in _ARROW_TYPES if dtype == target)) for name, target in types.items()]
    return frame.select(*types).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.schema(arrow))
