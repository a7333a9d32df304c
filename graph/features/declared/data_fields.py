"""Read the fields that a rule file declares: an event holds them in one JSON column, `data`."""

from collections.abc import Iterable
from typing import Final

import polars as pl

from graph.features.declared.definition import FeatureDefinition, Storage

DATA: Final = "data"


def with_data_fields(view: pl.DataFrame, definitions: Iterable[FeatureDefinition]) -> pl.DataFrame:
    """Return the view with a column for each field that the definitions read and that is no column yet.

    Numbers and booleans are such, a date is the days since 1970-01-01. An event without the field has null.
    """
    fields = {name: storage for d in definitions for name, storage in d.fields if name not in view.columns}
    if not fields:
        return view
    texts = pl.col(DATA) if DATA in view.columns else pl.lit(None, pl.String)
    return view.with_columns(_column(texts, name, storage).alias(name) for name, storage in sorted(fields.items()))


def _column(data: pl.Expr, name: str, storage: Storage) -> pl.Expr:
    text = data.str.json_path_match(f"$.{name}")
    match storage:
        case "integer":
            return text.cast(pl.Int64, strict=False)
        case "bool":
            return pl.when(text.is_in(["true", "false"])).then(text == "true")
        case "date":
            return text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32).cast(pl.Int64)
        case "text":
            return text
