"""Payments in both directions between two parties."""

import narwhals as nw

from graph.features.integer_math import Frame, indicator, ratio


def reciprocity(paid: Frame, received: Frame) -> Frame:
    """Compute `behaviour.reciprocity`, one row for each `person` who paid."""
    out = paid.select("person", "party").unique()
    back = received.select("person", "party").unique().with_columns(mutual=nw.lit(1))
    counts = (
        out.join(back, on=["person", "party"], how="left")
        .group_by("person")
        .agg(nw.len().alias("payees"), indicator(nw.col("mutual") == 1).sum().alias("mutual"))
    )
    share = ratio(nw.col("mutual").cast(nw.Int64()), nw.col("payees").cast(nw.Int64()))
    return counts.select("person", share.alias("behaviour.reciprocity"))
