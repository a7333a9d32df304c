"""Build the expressions of a query once, and run them on one Polars frame after the other."""

import narwhals as nw
import polars as pl

from engine.changes.plans import Frame, Plan, Query


class _ReplaceableRows:
    """A lazy frame whose rows you replace."""

    def __init__(self, schema: pl.Schema) -> None:
        self.rows = pl.DataFrame(schema=schema)
        no_pushdown = dict.fromkeys(("predicate_pushdown", "projection_pushdown", "slice_pushdown"), False)
        self.lazy = self.rows.lazy().map_batches(lambda _: self.rows, schema=schema, **no_pushdown)


def plan_once(query: Query) -> Plan:
    """Build the expressions for the first frame. Not for several threads at once."""
    sources: list[_ReplaceableRows] = []
    queries: list[pl.LazyFrame] = []

    def run(people: Frame) -> Frame:
        rows: pl.DataFrame = people.to_native()
        if not sources:
            sources.append(_ReplaceableRows(rows.schema))
            queries.append(query(nw.from_native(sources[0].lazy)).to_native())
        sources[0].rows = rows
        return nw.from_native(queries[0].collect(), eager_only=True)

    return run
