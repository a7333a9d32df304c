"""Join the features that the rules declare to those of the catalogue."""

from collections.abc import Collection, Sequence
from datetime import datetime, tzinfo

import narwhals as nw
import polars as pl

from graph.features.declared.columns import declared_features
from graph.features.declared.definition import FeatureDefinition


def needed_definitions(
    definitions: Sequence[FeatureDefinition], names: Collection[str]
) -> tuple[FeatureDefinition, ...]:
    """Select the definitions of these features, and those that they use, in the same order."""
    by_name = {d.name: d for d in definitions}
    selection, queue = set[str](), [name for name in names if name in by_name]
    while queue:
        name = queue.pop()
        if name not in selection:
            selection.add(name)
            queue += [used for used in by_name[name].uses if used in by_name]
    return tuple(d for d in definitions if d.name in selection)


def with_declared(
    table: pl.DataFrame,
    view: pl.DataFrame,
    consents: pl.DataFrame,
    definitions: Sequence[FeatureDefinition],
    as_of: datetime,
    people: Collection[str] | None,
    zone: tzinfo,
    names: Collection[str] | None = None,
    tie_ratings: pl.DataFrame | None = None,
    of_slice: nw.Expr | None = None,
) -> pl.DataFrame:
    """Replace or add the features of `definitions`, of those in `names` (None: all).

    Pass `tie_ratings` (the `tie_rating_rows` of the view) if you have them already. For `of_slice` see `declared_features`.
    """
    if not definitions:
        return table
    ties = None if tie_ratings is None else tie_ratings.filter(pl.col("strength") > 0)
    values = declared_features(view, consents, definitions, as_of, people, ties, zone, of_slice)
    wanted_columns = [c for c in values.columns[1:] if names is None or c in names]
    columns = [*table.columns, *(c for c in wanted_columns if c not in table.columns)]
    rest = table.drop(c for c in wanted_columns if c in table.columns)
    return rest.join(values.select("person", *wanted_columns), on="person", how="left").select(columns)
