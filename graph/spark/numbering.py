"""Compressed edges: the ids of people as 64-bit numbers, so that 100 million ties take 1.6 GB of one machine.

A person's number grows with the id, and two ids never share one. We number people after a sort, which Spark must have computed and
stored once: computed again, a partition could begin elsewhere.
"""

from collections.abc import Callable
from typing import Any, Final

import narwhals as nw

from graph.spark.dialect import exact_frame

Frame = nw.LazyFrame[Any]
Store = Callable[[str, Any], Any]  # a name, and Spark's frame: the same frame, computed and stored
NUMBER: Final = "number"


def numbered_people(ids: Frame, store: Store) -> Frame:
    """Return `person` and `number` for the distinct texts in the column `person`."""
    ordered = ids.unique().to_native().orderBy("person")
    numbers = ordered.selectExpr("person", f"monotonically_increasing_id() AS {NUMBER}")
    return exact_frame(store("numbers", numbers))


def with_numbers(rows: Frame, numbers: Frame, *columns: str) -> Frame:
    """Replace the ids in these columns by their numbers. Drops rows with an id that has none."""
    for column in columns:
        index = numbers.select(nw.col("person").alias(column), nw.col(NUMBER).alias("_number"))
        joined = rows.join(index, on=column, how="inner")
        rows = joined.with_columns(nw.col("_number").alias(column)).drop("_number")
    return rows
