"""The shipped declarations, and what the catalogue's definitions in Python compute for the same features."""

from datetime import UTC, datetime, tzinfo
from functools import cache

import polars as pl

import iftah
from graph.evidence.visibility import visible_with_consents
from graph.features.declared.columns import declared_features
from graph.features.declared.definition import FeatureDefinition
from graph.features.pipeline import compute_local
from iftah.declarations import feature_definitions
from tests.paths import ROOT


@cache
def shipped_definitions() -> tuple[FeatureDefinition, ...]:
    return feature_definitions(iftah.load_rules(ROOT / "rules").programs[0])


def both_ways(
    events: pl.DataFrame, as_of: datetime, zone: tzinfo = UTC, people: list[str] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The shipped features from their declarations, and from the definitions in Python."""
    view, consents = visible_with_consents(events, as_of, as_of, "perks", zone)
    declared = declared_features(view, consents, shipped_definitions(), as_of, people, zone=zone)
    table = compute_local(view, as_of, consents, people, zone=zone).sort("person")
    return declared, table.select(declared.columns)
