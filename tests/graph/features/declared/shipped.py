"""The shipped declarations, and what the definitions in Python compute for the same features."""

from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import cache

import polars as pl

from graph.evidence.visibility import visible_with_consents
from graph.features.declared.columns import declared_features
from graph.features.declared.definition import FeatureDefinition
from iftah.shipped import shipped_definitions
from tests.graph.features.python_definitions.table import python_features


@cache
def definitions_in_any_currency() -> tuple[FeatureDefinition, ...]:
    """The same without rates: sums in the one currency of a person's events, whichever it is, as the catalogue has them."""
    return tuple(
        replace(d, value=replace(d.value, rates=())) if d.value and d.value.rates else d for d in shipped_definitions()
    )


def both_ways(
    events: pl.DataFrame, as_of: datetime, zone: tzinfo = UTC, people: list[str] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The shipped features from their declarations, in any currency, and from the definitions in Python."""
    view, consents = visible_with_consents(events, as_of, as_of, "perks", zone)
    declared = declared_features(view, consents, definitions_in_any_currency(), as_of, people, zone=zone)
    return declared, python_features(view, consents, as_of, people, zone).select(declared.columns)
