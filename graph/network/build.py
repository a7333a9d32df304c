"""Build two layers over the same people as NetworkX graphs: ties (personal relationships) and money (payments).

We compute the ties in force once, as Narwhals expressions, for these graphs and for the local features. We build graphs
from columns over compressed rows (`graph.compiled`). They are frozen, and you read them like any NetworkX graph.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

import narwhals as nw
import networkx as nx
import numpy as np
import polars as pl

from graph.algorithms.ranges import Bools, Ints
from graph.compiled.columns import from_columns
from graph.compiled.csr import CSR, Array
from graph.compiled.graphs import DiGraph, Graph
from graph.evidence.vocabulary import TIE_WEIGHT as TIE_WEIGHT

AnyGraph = TypeVar("AnyGraph", Graph, DiGraph)
MAX_INT64: Final = 2**63 - 1


def tie_ratings(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Compute the ratings between two people, for or against: `a`, `b`, `tie`, `strength` (-10..10), each once.

    A vouch runs from `a` to `b`; any other tie is mutual and `a < b`. We first decide for each contributor. Its tie is
    in force if it was formed after it last ended (an end at the same moment wins). It has the strength stated last (the
    lowest of those stated at one moment), by default that of `TIE_WEIGHT`. Then we merge the contributors: the tie is
    in force while it is for one of them, and it has the largest strength among those.
    """
    directed = nw.col("tie") == "vouch"
    first, second = nw.min_horizontal("subject", "other"), nw.max_horizontal("subject", "other")
    ties = events.filter(nw.col("kind").is_in(["tie.formed", "tie.ended"]), nw.col("for_subject")).select(
        "contributor",
        "kind",
        "tie",
        "happened_at",
        "strength",
        a=nw.when(directed).then(nw.col("subject")).otherwise(first),
        b=nw.when(directed).then(nw.col("other")).otherwise(second),
    )
    tie = ["a", "b", "tie"]
    key = ["contributor", *tie]
    latest = ties.filter(nw.col("happened_at") == nw.col("happened_at").max().over(key))
    statements = latest.select(
        *key,
        ended=nw.when(nw.col("kind") == "tie.ended").then(1).otherwise(0),
        strength=nw.coalesce(nw.col("strength"), _default_strength()),
    )
    last = statements.group_by(key).agg(nw.col("ended").max(), nw.col("strength").min())
    return last.filter(nw.col("ended") == 0).group_by(tie).agg(nw.col("strength").max())


def ties_in_force(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Select the ties with positive strength (1..10) from `tie_ratings`.

    We ignore ties of zero or negative strength here: they connect nobody.
    """
    return tie_ratings(events).filter(nw.col("strength") > 0)


def _default_strength() -> nw.Expr:
    strength = nw.lit(0, nw.Int64())
    for tie, weight in TIE_WEIGHT.items():
        strength = nw.when(nw.col("tie") == tie).then(nw.lit(weight, nw.Int64())).otherwise(strength)
    return strength


def tie_rating_rows(view: pl.DataFrame) -> pl.DataFrame:
    """Collect `tie_ratings` when several results need all ties and vouches."""
    rows: pl.DataFrame = tie_ratings(nw.from_native(view.lazy())).to_native().collect()
    return rows


def tie_rows(view: pl.DataFrame) -> pl.DataFrame:
    """Collect `ties_in_force` when you need both `social_of` and `trust_of`."""
    return tie_rating_rows(view).filter(pl.col("strength") > 0)


@dataclass(frozen=True)
class SocialLayer:
    """The ties in force, one row a tie, with numbers for people: 0 .. n - 1 in the order of `people`.

    `social` and `lending` are `social_of` and `trust_of` over these numbers, with the attribute `weight` only. Both are
    built on first use.
    """

    people: pl.Series
    a: Ints
    b: Ints
    strength: Ints
    vouch: pl.Series

    @cached_property
    def social(self) -> Graph:
        """The graph of ties, an undirected `nx.Graph`."""
        return from_columns(self.a, self.b, self.strength, nodes=len(self.people), directed=False)

    @cached_property
    def lending(self) -> DiGraph:
        """The graph of trust: an edge `u -> v` if u lends trust to v, an `nx.DiGraph`."""
        mutual = ~self.vouch.to_numpy()
        ends = np.concatenate([self.a, self.b[mutual]]), np.concatenate([self.b, self.a[mutual]])
        strength = np.concatenate([self.strength, self.strength[mutual]])
        return from_columns(*ends, strength, nodes=len(self.people), directed=True)

    @cached_property
    def reciprocated(self) -> Bools:
        """Mask of the people who lend trust to a person and receive trust from the same person: by a mutual tie or a
        returned vouch.
        """
        n = len(self.people)
        one_way = self.vouch.to_numpy()
        vouch_pairs = self.a[one_way] * n + self.b[one_way]
        returned = np.isin(vouch_pairs, self.b[one_way] * n + self.a[one_way])
        mask = np.zeros(n, bool)
        for end in (self.a, self.b):
            mask[end[~one_way]] = mask[end[one_way][returned]] = True
        return mask


def social_layer(ties: pl.DataFrame) -> SocialLayer:
    """Build the social layer from ties in force, in the columns of `tie_rows`. Cost: O(ties) to number the people; a
    graph also sorts.
    """
    people = pl.concat([ties["a"], ties["b"]]).unique().sort().alias("person")
    a, b = (positions(ties[end], people) for end in ("a", "b"))
    return SocialLayer(people, a, b, ties["strength"].cast(pl.Int64).to_numpy(), ties["tie"] == "vouch")


def positions(ids: pl.Series, index: pl.Series) -> Ints:
    """Return the position of each id in `index`, which holds every id exactly once."""
    places = index.alias("id").to_frame().with_row_index("place")
    joined = ids.alias("id").to_frame().join(places, on="id", how="left", maintain_order="left")
    return joined["place"].cast(pl.Int64).to_numpy()


def social(view: pl.DataFrame) -> nx.Graph:
    """Build the graph of tied people in a view. Edges have `weight` and `ties` (their kinds, sorted).

    The weight is the sum of the strengths of the pair's ties, vouches in both directions included. Cost: O(ties log
    ties). Nodes and edges are in sorted order.
    """
    return social_of(tie_rows(view))


def social_of(ties: pl.DataFrame) -> nx.Graph:
    """Build `social` from the ties in force."""
    pair = {"a": pl.min_horizontal("a", "b"), "b": pl.max_horizontal("a", "b")}
    edges = (
        ties.with_columns(**pair)
        .group_by("a", "b")
        .agg(pl.col("strength").sum().alias("weight"), pl.col("tie").unique().sort().alias("ties"))
        .sort("a", "b")
    )
    kinds = _object_array(map(tuple, edges["ties"].to_list()), edges.height)
    columns = {"weight": edges["weight"].cast(pl.Int64).to_numpy(), "ties": kinds}
    return _with_columns(from_columns(edges["a"], edges["b"], columns=_row_numbers(edges), directed=False), columns)


def trust(view: pl.DataFrame) -> nx.DiGraph:
    """Build the graph of trust on the nodes of `social`: a mutual tie runs both ways, a vouch only from the person who
    vouches.

    So you gain nothing by vouching for others. Edge `weight`: the sum of the strengths. Cost: O(ties log ties).
    """
    return trust_of(tie_rows(view))


def trust_of(ties: pl.DataFrame) -> nx.DiGraph:
    """Build `trust` from the ties in force."""
    back = ties.filter(pl.col("tie") != "vouch").select(pl.col("b").alias("a"), pl.col("a").alias("b"), "strength")
    forth = pl.concat([ties.select("a", "b", "strength"), back])
    return from_columns(forth["a"], forth["b"], forth["strength"], directed=True)


def money(view: pl.DataFrame, currency: str | None = None) -> nx.DiGraph:
    """Build the graph from payer to payee for one currency: edges have `amount` (the sum, in minor units) and `count`.

    `currency` None: the currency with the most payments (among equals, the first by name). Merchants are nodes like
    people. Cost: O(payments).
    """
    payments = view.filter(pl.col("kind") == "payment.made")
    if currency is None:
        by_use = payments.group_by("currency").len().sort("len", "currency", descending=[True, False])
        currency = by_use["currency"][0] if by_use.height else ""
    edges = (
        payments.filter(pl.col("currency") == currency)
        .group_by(a="subject", b="other")
        .agg(pl.col("amount").cast(pl.Int128).sum(), pl.len().alias("count"))
        .sort("a", "b")
    )
    fits_int64 = edges["amount"].is_between(-MAX_INT64, MAX_INT64).all()
    amount = (
        edges["amount"].cast(pl.Int64).to_numpy()
        if fits_int64
        else _object_array(edges["amount"].to_list(), edges.height)
    )
    columns = {"amount": amount, "count": edges["count"].cast(pl.Int64).to_numpy()}
    return _with_columns(from_columns(edges["a"], edges["b"], columns=_row_numbers(edges), directed=True), columns)


def _object_array(values: Iterable[object], size: int) -> Array:
    return np.fromiter(values, object, size)


def _row_numbers(edges: pl.DataFrame) -> dict[str, Array]:
    """Return the attribute `row`. It counts from 1, because a sparse matrix drops an entry of 0."""
    return {"row": np.arange(1, edges.height + 1)}


def _with_columns(graph: AnyGraph, columns: dict[str, Array]) -> AnyGraph:
    """Replace the edge attributes of a graph: `columns` hold one value for each number in the attribute `row`."""
    row = graph.csr.columns["row"] - 1
    attributes = {name: values[row] for name, values in columns.items()}
    return type(graph)(CSR(graph.csr.indptr, graph.csr.indices, attributes), graph.labels)
