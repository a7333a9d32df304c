"""The two layers over the same people: ties (who stands by whom) and money (who pays whom), as NetworkX graphs.

The ties in force are worked out once, as Narwhals expressions, for the graphs here and for the local features alike. Graphs
are built from columns, over compressed rows (`graph.compiled`): frozen, and NetworkX graphs to whoever reads them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import narwhals as nw
import networkx as nx
import numpy as np
import polars as pl

from graph.compiled.columns import from_columns
from graph.compiled.csr import CSR
from graph.ranges import Bools, Ints

TIE_WEIGHT: Final = {"household": 10, "family": 8, "friend": 5, "colleague": 3}  # on the 1..10 scale of `strength`
MOST_EXACT: Final = 2**63 - 1


def told(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """What is said of two people, for or against: `a`, `b`, `tie`, `strength` (-10..10), each once.

    A vouch runs from `a` to `b`; any other tie is mutual and `a < b`. A tie belongs to its contributor, for whom it is in
    force when it was formed after it last ended (an end at the same moment wins), and then has the strength last told (the
    lowest of those told at one moment), by default that of `TIE_WEIGHT`. What several contributors tell is one tie: in force
    while it is for one of them, and as strong as the strongest of those.
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
    told = latest.select(
        *key,
        ended=nw.when(nw.col("kind") == "tie.ended").then(1).otherwise(0),
        strength=nw.coalesce(nw.col("strength"), _usual()),
    )
    last = told.group_by(key).agg(nw.col("ended").max(), nw.col("strength").min())
    return last.filter(nw.col("ended") == 0).group_by(tie).agg(nw.col("strength").max())


def ties_in_force(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The ties of a view that are positive, as `told` has them: `strength` is 1..10.

    Ties of no or negative strength are nobody's business here: they join nobody.
    """
    return told(events).filter(nw.col("strength") > 0)


def _usual() -> nw.Expr:
    usual = nw.lit(0, nw.Int64())
    for tie, weight in TIE_WEIGHT.items():
        usual = nw.when(nw.col("tie") == tie).then(nw.lit(weight, nw.Int64())).otherwise(usual)
    return usual


def told_rows(view: pl.DataFrame) -> pl.DataFrame:
    """`told`, collected: what all ties and vouches are taken from when more than one thing is made of them."""
    rows: pl.DataFrame = told(nw.from_native(view.lazy())).to_native().collect()
    return rows


def tie_rows(view: pl.DataFrame) -> pl.DataFrame:
    """`ties_in_force`, collected: what `social_of` and `trust_of` are made from when both are wanted."""
    return told_rows(view).filter(pl.col("strength") > 0)


@dataclass(frozen=True)
class Layer:
    """The ties in force with numbers for people, 0 .. n - 1 in the order of `people`; a row a tie.

    `social` and `lending` are `social_of` and `trust_of` over those numbers, with `weight` alone, made when first asked for.
    """

    people: pl.Series
    a: Ints
    b: Ints
    strength: Ints
    vouch: pl.Series

    @cached_property
    def social(self) -> Any:
        """Who is tied to whom, an `nx.Graph`."""
        return from_columns(self.a, self.b, self.strength, nodes=len(self.people), directed=False)

    @cached_property
    def lending(self) -> Any:
        """Who lends trust to whom, an `nx.DiGraph`."""
        mutual = ~self.vouch.to_numpy()
        ends = np.concatenate([self.a, self.b[mutual]]), np.concatenate([self.b, self.a[mutual]])
        strength = np.concatenate([self.strength, self.strength[mutual]])
        return from_columns(*ends, strength, nodes=len(self.people), directed=True)

    @cached_property
    def answered(self) -> Bools:
        """Who lends trust to somebody that lends them some: who has a mutual tie, or a vouch that is returned."""
        n = len(self.people)
        one_way = self.vouch.to_numpy()
        given = self.a[one_way] * n + self.b[one_way]
        returned = np.isin(given, self.b[one_way] * n + self.a[one_way])
        found = np.zeros(n, bool)
        for end in (self.a, self.b):
            found[end[~one_way]] = found[end[one_way][returned]] = True
        return found


def layer(ties: pl.DataFrame) -> Layer:
    """The social layer of ties in force, in the columns of `tie_rows`. Cost: O(ties) to number; building a graph sorts them."""
    people = pl.concat([ties["a"], ties["b"]]).unique().sort().alias("person")
    a, b = (numbers(ties[end], people) for end in ("a", "b"))
    return Layer(people, a, b, ties["strength"].cast(pl.Int64).to_numpy(), ties["tie"] == "vouch")


def numbers(ids: pl.Series, known: pl.Series) -> Ints:
    """The place of each id among `known`, which has each once and all of them."""
    places = known.alias("id").to_frame().with_row_index("place")
    found = ids.alias("id").to_frame().join(places, on="id", how="left", maintain_order="left")
    return found["place"].cast(pl.Int64).to_numpy()


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
    kinds = _objects(map(tuple, edges["ties"].to_list()), edges.height)
    return _holding(edges, directed=False, weight=edges["weight"].cast(pl.Int64).to_numpy(), ties=kinds)


def trust(view: pl.DataFrame) -> nx.DiGraph:
    """Who lends trust to whom: the nodes of `social`; mutual ties run both ways, a vouch only to whom it is for.

    So nobody gains by vouching for others. Edge `weight`: the sum of the strengths. Cost: O(ties log ties).
    """
    return trust_of(tie_rows(view))


def trust_of(ties: pl.DataFrame) -> nx.DiGraph:
    """`trust` from the ties in force."""
    back = ties.filter(pl.col("tie") != "vouch").select(pl.col("b").alias("a"), pl.col("a").alias("b"), "strength")
    forth = pl.concat([ties.select("a", "b", "strength"), back])
    return from_columns(forth["a"], forth["b"], forth["strength"], directed=True)


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
        .group_by(a="subject", b="other")
        .agg(pl.col("amount").cast(pl.Int128).sum(), pl.len().alias("count"))
        .sort("a", "b")
    )
    exact = edges["amount"].is_between(-MOST_EXACT, MOST_EXACT).all()
    amount = edges["amount"].cast(pl.Int64).to_numpy() if exact else _objects(edges["amount"].to_list(), edges.height)
    return _holding(edges, directed=True, amount=amount, count=edges["count"].cast(pl.Int64).to_numpy())


def _objects(values: Iterable[Any], many: int) -> Any:
    return np.fromiter(values, object, many)


def _holding(edges: pl.DataFrame, *, directed: bool, **attributes: Any) -> Any:
    """A graph of the edges `a`, `b`, each pair once, that hold what stands in their row."""
    shape = from_columns(edges["a"], edges["b"], columns={"row": np.arange(1, edges.height + 1)}, directed=directed)
    row = shape.csr.columns["row"] - 1  # from 1, since a sum of 0 is no entry of a sparse matrix
    held = {name: values[row] for name, values in attributes.items()}
    return type(shape)(CSR(shape.csr.indptr, shape.csr.indices, held), shape.labels)
