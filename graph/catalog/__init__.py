"""The catalogue of features: meaning, unit, evidence, and the condition under which each is missing."""

from dataclasses import replace
from typing import Final

from graph.catalog.behaviour import BEHAVIOUR
from graph.catalog.capacity import CAPACITY
from graph.catalog.credit import CREDIT
from graph.catalog.effort import EFFORT
from graph.catalog.feature import MAX_COUNT, MAX_DAYS, MAX_MONEY, MAX_RATIO, Feature
from graph.catalog.former_names import FORMER_NAMES
from graph.catalog.fraud import FRAUD
from graph.catalog.identity import IDENTITY
from graph.catalog.relationships import RELATIONSHIPS

__all__ = ["DIMENSIONS", "FEATURES", "MAX_COUNT", "MAX_DAYS", "MAX_MONEY", "MAX_RATIO", "Feature"]

_DIMENSIONS: Final = (*IDENTITY, *CAPACITY, *BEHAVIOUR, *CREDIT, *RELATIONSHIPS, *FRAUD)
_FORMER: Final = {name: former for former, name in FORMER_NAMES.items()}
FEATURES: Final[tuple[Feature, ...]] = tuple(
    replace(f, effort=EFFORT.get(f.name), formerly=_FORMER.get(f.name, "")) for f in _DIMENSIONS
)
DIMENSIONS: Final = tuple(dict.fromkeys(f.dimension for f in FEATURES))
