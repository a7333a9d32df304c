"""Compute features for tests by each evaluator: the reference, Polars, DuckDB, and the refresh of one person."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

import duckdb
import narwhals as nw
import polars as pl
import pytest

from graph.features.declared import columns
from graph.features.declared.columns import declared_columns, declared_features, with_names
from graph.features.declared.definition import FeatureDefinition
from graph.features.declared.reference import reference_features
from graph.network.build import tie_rows

Definitions = Sequence[FeatureDefinition]


def by_reference(
    view: pl.DataFrame, consents: pl.DataFrame, definitions: Definitions, as_of: datetime, zone: tzinfo = UTC
) -> pl.DataFrame:
    rows, agreements, ties = view.to_dicts(), consents.to_dicts(), tie_rows(view).to_dicts()
    table = reference_features(rows, agreements, ties, definitions, as_of, zone)
    names = [d.name for d in definitions if not d.is_internal]
    schema = {"person": pl.String, **dict.fromkeys(names, pl.Int64)}
    records = [{"person": p, **{n: values[n] for n in names}} for p, values in sorted(table.items())]
    return pl.DataFrame(records, schema=schema)


def by_polars(
    view: pl.DataFrame, consents: pl.DataFrame, definitions: Definitions, as_of: datetime, zone: tzinfo = UTC
) -> pl.DataFrame:
    return declared_features(view, consents, definitions, as_of, zone=zone)


def by_duckdb(
    view: pl.DataFrame, consents: pl.DataFrame, definitions: Definitions, as_of: datetime, zone: tzinfo = UTC
) -> pl.DataFrame:
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("view_rows", view.to_arrow())
        db.register("consent_rows", consents.to_arrow())
        events, consent_frame = nw.from_native(db.sql("FROM view_rows")), nw.from_native(db.sql("FROM consent_rows"))
        table = declared_columns(events.lazy(), consent_frame.lazy(), definitions, as_of, zone=zone).to_native().pl()
    return with_names(table, definitions)


def by_refresh_in_columns(
    view: pl.DataFrame, consents: pl.DataFrame, definitions: Definitions, as_of: datetime, zone: tzinfo = UTC
) -> pl.DataFrame:
    """As `by_refresh`, in the way that a person with many rows takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "FEW_ROWS", -1)
        return by_refresh(view, consents, definitions, as_of, zone)


def by_polars_in_slices(
    view: pl.DataFrame, consents: pl.DataFrame, definitions: Definitions, as_of: datetime, zone: tzinfo = UTC
) -> pl.DataFrame:
    """As `by_polars`, two people at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "SLICE_PEOPLE", 2)
        return by_polars(view, consents, definitions, as_of, zone)


def by_refresh(
    view: pl.DataFrame, consents: pl.DataFrame, definitions: Definitions, as_of: datetime, zone: tzinfo = UTC
) -> pl.DataFrame:
    """Each person alone: from the events that involve the person and the parties of these, and from all if neighbours count."""
    people = by_polars(view, consents, definitions, as_of, zone)["person"].to_list()
    frames = []
    for person in people:
        own = view.filter((pl.col("subject") == person) | (pl.col("other") == person).fill_null(False))
        parties = {*own["subject"], *own["other"]}
        near = (
            view
            if not all(d.is_local for d in definitions)
            else view.filter(pl.col("subject").is_in(parties) | (pl.col("other") == person).fill_null(False))
        )
        frames.append(declared_features(near, consents, definitions, as_of, [person], zone=zone))
    return pl.concat(frames) if frames else by_polars(view, consents, definitions, as_of, zone)
