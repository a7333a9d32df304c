"""Compute features for tests: of one person in a story, or of a view on each column engine."""

from datetime import UTC, datetime, tzinfo
from typing import Any

import duckdb
import narwhals as nw
import polars as pl

from graph.features.pipeline import features, local_expressions
from tests.graph.story import enrol, moment, story

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
    events, consent_frame = nw.from_native(view.lazy()), nw.from_native(consents.lazy())
    return local_expressions(events, consent_frame, as_of, zone=zone).to_native().collect().sort("person")


def on_duckdb(view: pl.DataFrame, consents: pl.DataFrame, as_of: datetime, zone: tzinfo = UTC) -> pl.DataFrame:
    """The same."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("seen", view.to_arrow())
        db.register("agreed", consents.to_arrow())
        events, consent_frame = nw.from_native(db.sql("FROM seen")), nw.from_native(db.sql("FROM agreed"))
        return local_expressions(events.lazy(), consent_frame.lazy(), as_of, zone=zone).to_native().pl().sort("person")
