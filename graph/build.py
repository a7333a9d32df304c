"""The two layers over the same people: ties (who stands by whom) and money (who pays whom), as NetworkX graphs.

The ties in force are worked out once, as Narwhals expressions, for the graphs here and for the local features alike.
"""

from typing import Any, Final

import narwhals as nw
import networkx as nx
import polars as pl

TIE_WEIGHT: Final = {"household": 10, "family": 8, "friend": 5, "colleague": 3}  # on the 1..10 scale of `strength`


def ties_in_force(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The positive ties of a view: `a`, `b`, `tie`, `strength` (1..10), each once.

    A vouch runs from `a` to `b`; any other tie is mutual and `a < b`. A tie is in force when it was formed after it last
    ended (an end at the same moment wins), and then has the strength last told (the lowest of those told at one moment),
    by default that of `TIE_WEIGHT`. Ties of no or negative strength are nobody's business here: relationships count only
    upwards.
    """
    directed = nw.col("tie") == "vouch"
    first, second = nw.min_horizontal("subject", "other"), nw.max_horizontal("subject", "other")
    ties = events.filter(nw.col("kind").is_in(["tie.formed", "tie.ended"]), nw.col("for_subject")).select(
        "kind",
        "tie",
        "happened_at",
        "strength",
        a=nw.when(directed).then(nw.col("subject")).otherwise(first),
        b=nw.when(directed).then(nw.col("other")).otherwise(second),
    )
    key = ["a", "b", "tie"]
    latest = ties.filter(nw.col("happened_at") == nw.col("happened_at").max().over(key))
    told = latest.select(
        *key,
        ended=nw.when(nw.col("kind") == "tie.ended").then(1).otherwise(0),
        strength=nw.coalesce(nw.col("strength"), _usual()),
    )
    last = told.group_by(key).agg(nw.col("ended").max(), nw.col("strength").min())
    return last.filter(nw.col("ended") == 0, nw.col("strength") > 0).drop("ended")


def _usual() -> nw.Expr:
    usual = nw.lit(0, nw.Int64())
    for tie, weight in TIE_WEIGHT.items():
        usual = nw.when(nw.col("tie") == tie).then(nw.lit(weight, nw.Int64())).otherwise(usual)
    return usual


def tie_rows(view: pl.DataFrame) -> pl.DataFrame:
    """`ties_in_force`, collected: what `social_of` and `trust_of` are made from when both are wanted."""
    ties: pl.DataFrame = ties_in_force(nw.from_native(view.lazy())).to_native().collect()
    return ties


def social(view: pl.DataFrame) -> nx.Graph:
    """The people of a view who are tied, and an edge between each two: `weight` and `ties` (their kinds, sorted).

    The weight is the sum of the strengths of the pair's ties, vouches of both directions included.
    Cost: O(ties log ties). Nodes and edges come in sorted order.
    """
    return social_of(tie_rows(view))


def social_of(ties: pl.DataFrame) -> nx.Graph:
    """`social` from the ties in force."""
    pair = {"a": pl.min_horizontal("a", "b"), "b": pl.max_horizontal("a", "b")}
    edges = (
        ties.with_columns(**pair)
        .group_by("a", "b")
        .agg(pl.col("strength").sum().alias("weight"), pl.col("tie").unique().sort().alias("ties"))
        .sort("a", "b")
    )
    graph = nx.Graph()
    graph.add_nodes_from(sorted({*edges["a"], *edges["b"]}))
    graph.add_edges_from((a, b, {"weight": w, "ties": tuple(ties)}) for a, b, w, ties in edges.iter_rows())
    return graph


def trust(view: pl.DataFrame) -> nx.DiGraph:
    """Who lends trust to whom: the nodes of `social`; mutual ties run both ways, a vouch only to whom it is for.

    So nobody gains by vouching for others. Edge `weight`: the sum of the strengths. Cost: O(ties log ties).
    """
    return trust_of(tie_rows(view))


def trust_of(ties: pl.DataFrame) -> nx.DiGraph:
    """`trust` from the ties in force."""
    back = ties.filter(pl.col("tie") != "vouch").select(pl.col("b").alias("a"), pl.col("a").alias("b"), "strength")
    edges = (
        pl.concat([ties.select("a", "b", "strength"), back])
        .group_by("a", "b")
        .agg(pl.col("strength").sum())
        .sort("a", "b")
    )
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted({*edges["a"], *edges["b"]}))
    graph.add_weighted_edges_from(edges.iter_rows())
    return graph


def money(view: pl.DataFrame, currency: str | None = None) -> nx.DiGraph:
    """Payer to payee: `amount` (the sum, in minor units) and `count`, of the payments in one currency.

    `currency` None: the one most payments are in (the first by name of equals). Merchants are nodes like people.
    Cost: O(payments).
    """
    paid = view.filter(pl.col("kind") == "payment.made")
    if currency is None:
        by_use = paid.group_by("currency").len().sort("len", "currency", descending=[True, False])
        currency = by_use["currency"][0] if by_use.height else ""
    edges = (
        paid.filter(pl.col("currency") == currency)
        .group_by("subject", "other")
        .agg(pl.col("amount").cast(pl.Int128).sum(), pl.len().alias("count"))
        .sort("subject", "other")
    )
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted({*edges["subject"], *edges["other"]}))
    graph.add_edges_from((a, b, {"amount": total, "count": n}) for a, b, total, n in edges.iter_rows())
    return graph
