"""Every feature: what it says, in what unit, from which evidence, and when it is missing."""

from dataclasses import replace
from typing import Final

from graph.catalog.behaviour import BEHAVIOUR
from graph.catalog.capacity import CAPACITY
from graph.catalog.credit import CREDIT
from graph.catalog.effort import EFFORT
from graph.catalog.feature import MOST_COUNT, MOST_DAYS, MOST_MONEY, MOST_RATIO, Feature
from graph.catalog.fraud import FRAUD
from graph.catalog.identity import IDENTITY
from graph.catalog.relationships import RELATIONSHIPS

__all__ = ["DIMENSIONS", "FEATURES", "MOST_COUNT", "MOST_DAYS", "MOST_MONEY", "MOST_RATIO", "Feature"]

_DIMENSIONS: Final = (*IDENTITY, *CAPACITY, *BEHAVIOUR, *CREDIT, *RELATIONSHIPS, *FRAUD)
FEATURES: Final[tuple[Feature, ...]] = tuple(replace(f, effort=EFFORT.get(f.name)) for f in _DIMENSIONS)
DIMENSIONS: Final = tuple(dict.fromkeys(f.dimension for f in FEATURES))
