"""The features of the shipped rules, for tests: those that the rules declare, with those of the catalogue."""

from collections.abc import Collection
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import polars as pl

import iftah
from graph.features import pipeline
from iftah.shipped import shipped_definitions

FEATURES: Final = iftah.FEATURES
NAMES: Final = tuple(f.name for f in FEATURES)


def features(
    events: pipeline.Events,
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    people: Collection[str] | None = None,
    feature_names: Collection[str] | None = None,
    **options: Any,
) -> pl.DataFrame:
    """`graph.features.pipeline.features` with the shipped definitions, in the order of `FEATURES`."""
    definitions = shipped_definitions()
    table = pipeline.features(
        events, as_of, known_at, purpose, people, feature_names, definitions=definitions, **options
    )
    return in_order(table)


def compute(view: pl.DataFrame, as_of: datetime, consents: pl.DataFrame, zone: tzinfo = UTC) -> pl.DataFrame:
    """The features of everyone in a view."""
    table = pipeline.compute(view, as_of, consents, zone=zone)
    return in_order(pipeline.with_declared(table, view, consents, shipped_definitions(), as_of, None, zone))


def in_order(table: pl.DataFrame) -> pl.DataFrame:
    """The table with its features in the order of `FEATURES`."""
    return table.select("person", *(name for name in NAMES if name in table.columns))
