"""A person's own ties."""

import narwhals as nw

from graph.features.definitions.relationships import supporting_ties
from graph.features.integer_math import Frame, indicator


def ties(live: Frame) -> Frame:
    """Count a person's ties in force: one row for each `person` with any.

    A vouch counts for the person it is for, so you gain nothing by giving one.
    """
    return (
        supporting_ties(live)
        .group_by("person")
        .agg(
            nw.col("party").n_unique().alias("relationships.degree"),
            indicator(nw.col("tie") == "household").sum().alias("relationships.household"),
            indicator(nw.col("tie") == "vouch").sum().alias("relationships.vouches"),
        )
    )
