"""The balance of money in and out."""

import narwhals as nw

from graph.features.integer_math import integer, ratio


def net_inflow_share() -> nw.Expr:
    """Compute `capacity.net_inflow_share` from takings and spending, in one currency."""
    takings, spending = nw.coalesce("takings", integer(0)), nw.coalesce("spent", integer(0))
    return nw.when(_is_one_currency()).then(ratio(takings, takings + spending))


def _is_one_currency() -> nw.Expr:
    """Whether takings and spending are both in the same single currency, or one of them is empty."""
    taken_in = nw.coalesce("takings currency", nw.when(nw.col("takings").is_null()).then(nw.col("spent in")))
    spent_in = nw.coalesce("spent in", nw.when(nw.col("spent").is_null()).then(nw.col("takings currency")))
    return taken_in == spent_in
