"""The shipped declarations, and what the definitions in Python compute for the same features."""

from datetime import UTC, datetime, tzinfo

import polars as pl

from graph.evidence.visibility import visible_with_consents
from graph.features.declared.columns import declared_features
from iftah.shipped import shipped_definitions
from tests.graph.features.python_definitions.table import python_features


def both_ways(
    events: pl.DataFrame, as_of: datetime, zone: tzinfo = UTC, people: list[str] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The shipped features from their declarations, and from the definitions in Python."""
    view, consents = visible_with_consents(events, as_of, as_of, "perks", zone)
    declared = declared_features(view, consents, shipped_definitions(), as_of, people, zone=zone)
    return declared, python_features(view, consents, as_of, people, zone).select(declared.columns)
