"""Evidence, the networks built from it, and the features computed from them. Pure: no clock, disk, network or database."""

from graph.catalog import FEATURES, Feature

__all__ = ["Feature", "schema"]


def schema() -> tuple[Feature, ...]:
    """Return all features, in the order of the catalogue."""
    return FEATURES
