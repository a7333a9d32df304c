"""Generate small random graphs twice: from columns, and by NetworkX, edge by edge."""

from dataclasses import dataclass
from typing import Any

import networkx as nx
import polars as pl
from hypothesis import strategies as st

from graph.compiled import from_columns

NAMES = ("ann", "bob", "Žofie", "李雷", "naïve", "", "0", "bob ", "Ω", "ё", "zoë", "ß")


@dataclass(frozen=True)
class Pair:
    compiled: Any
    plain: Any

    def __repr__(self) -> str:
        return f"{self.plain!r}: {list(self.plain)}, {list(self.plain.edges(data=True))}"


@st.composite
def pairs(
    draw: st.DrawFn, *, directed: bool, loops: bool = True, weighted: bool | None = None, codes: bool = False
) -> Pair:
    """The same graph both ways: isolated nodes, self-loops, parallel edges and both directions among them."""
    nodes: list[Any] = (
        list(range(draw(st.integers(0, 9)))) if codes else draw(st.lists(st.sampled_from(NAMES), unique=True))
    )
    some = st.sampled_from(nodes) if nodes else st.nothing()
    edges = draw(st.lists(st.tuples(some, some), max_size=40)) if nodes else []
    if not loops:
        edges = [(a, b) for a, b in edges if a != b]
    weights = draw(st.lists(st.integers(1, 9), min_size=len(edges), max_size=len(edges)))
    if weighted is None:
        weighted = draw(st.booleans())
    return Pair(
        compiled_graph(nodes, edges, weights if weighted else None, directed=directed, codes=codes),
        plain_graph(nodes, edges, weights if weighted else None, directed=directed),
    )


def compiled_graph(
    nodes: list[Any], edges: list[tuple[Any, Any]], weights: list[int] | None, *, directed: bool, codes: bool
) -> Any:
    kind = pl.Int64 if codes else pl.String
    source, target = (pl.Series([edge[end] for edge in edges], dtype=kind) for end in (0, 1))
    weight = None if weights is None else pl.Series(weights, dtype=pl.Int64)
    node_column = len(nodes) if codes else pl.Series(nodes, dtype=kind)
    return from_columns(source, target, weight, nodes=node_column, directed=directed)


def plain_graph(nodes: list[Any], edges: list[tuple[Any, Any]], weights: list[int] | None, *, directed: bool) -> Any:
    graph = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(nodes)
    if weights is None:
        graph.add_edges_from(edges)
        return graph
    for (a, b), weight in zip(edges, weights, strict=True):
        so_far = graph.edges[a, b]["weight"] if graph.has_edge(a, b) else 0
        graph.add_edge(a, b, weight=so_far + weight)
    return graph


UNDIRECTED, DIRECTED = pairs(directed=False), pairs(directed=True)
SIMPLE = pairs(directed=False, loops=False)
ANY = st.one_of(UNDIRECTED, DIRECTED, pairs(directed=False, codes=True), pairs(directed=True, codes=True))
