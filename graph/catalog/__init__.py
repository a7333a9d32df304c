"""The catalogue: the features that are computed in Python, as they need a whole graph or follow events through time.

`rules/features.yaml` declares all others.
"""

from dataclasses import replace
from typing import Final

from graph.catalog.behaviour import BEHAVIOUR
from graph.catalog.capacity import CAPACITY
from graph.catalog.credit import CREDIT
from graph.catalog.feature import MAX_COUNT, MAX_DAYS, MAX_MONEY, Feature
from graph.catalog.former_names import FORMER_NAMES
from graph.catalog.fraud import FRAUD
from graph.catalog.relationships import RELATIONSHIPS

__all__ = ["FEATURES", "MAX_COUNT", "MAX_DAYS", "MAX_MONEY", "Feature"]

_LINES: Final = (*CAPACITY, *BEHAVIOUR, *CREDIT, *RELATIONSHIPS, *FRAUD)
_FORMER: Final = {name: former for former, name in FORMER_NAMES.items()}
FEATURES: Final[tuple[Feature, ...]] = tuple(replace(f, formerly=_FORMER.get(f.name, "")) for f in _LINES)
