"""What happened, who is connected, what may be seen: evidence in, features out. Pure: no clock, disk or network."""

from graph.catalog import FEATURES, Feature

__all__ = ["Feature", "schema"]


def schema() -> tuple[Feature, ...]:
    """Every feature there is, in the catalogue's order: what rules may speak of."""
    return FEATURES
