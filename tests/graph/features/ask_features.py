"""Compute features for tests: of one person in a story, or of a view on each column engine."""

from datetime import UTC, datetime, tzinfo
from typing import Any

import duckdb
import narwhals as nw
import polars as pl

from graph.features.declared.columns import declared_columns, with_names
from graph.features.pipeline import local_expressions
from iftah.shipped import shipped_definitions
from tests.graph.story import enrol, moment, story
from tests.shipped_features import features, in_order

AS_OF = moment("2024-06-15")
BASE = enrol("ann", "bob", "cy")


def features_of(person: str, text: str, at: str = "2024-06-15", base: str = BASE, zone: tzinfo = UTC) -> dict[str, Any]:
    """The features of one person, by name."""
    frame = features(story(f"{base}\n{text}"), moment(at), moment("2030-01-01"), "perks", [person], zone=zone)
    return frame.row(0, named=True)


def expect(actual: dict[str, Any], **values: Any) -> None:
    """Compare `dimension__name=value` with the computed features."""
    expected = {k.replace("__", "."): v for k, v in values.items()}
    assert {k: actual[k] for k in expected} == expected


def on_polars(view: pl.DataFrame, consents: pl.DataFrame, as_of: datetime, zone: tzinfo = UTC) -> pl.DataFrame:
    """The local features, by person."""
    frames = [nw.from_native(frame.lazy()) for frame in (view, consents)]
    own, declared = (f.to_native().collect() for f in _expressions(frames, as_of, zone))
    return _table(own, declared)


def on_duckdb(view: pl.DataFrame, consents: pl.DataFrame, as_of: datetime, zone: tzinfo = UTC) -> pl.DataFrame:
    """The same."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("seen", view.to_arrow())
        db.register("agreed", consents.to_arrow())
        frames = [nw.from_native(db.sql(f"FROM {name}")).lazy() for name in ("seen", "agreed")]
        own, declared = (f.to_native().pl() for f in _expressions(frames, as_of, zone))
        return _table(own, declared)


def _expressions(frames: list[Any], as_of: datetime, zone: tzinfo) -> tuple[Any, Any]:
    """The features that are computed in Python, and those that the shipped rules declare."""
    return (
        local_expressions(*frames, as_of, zone=zone),
        declared_columns(*frames, shipped_definitions(), as_of, zone=zone),
    )


def _table(own: pl.DataFrame, declared: pl.DataFrame) -> pl.DataFrame:
    table = with_names(declared, shipped_definitions())
    return in_order(table.join(own, on="person", how="left")).sort("person")
