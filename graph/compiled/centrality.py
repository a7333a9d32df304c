"""How central each node is: PageRank, HITS, degrees, and the degrees of those around."""

from collections.abc import Mapping
from typing import Any, Literal

import networkx as nx
import numpy as np

from graph.compiled.csr import Array
from graph.compiled.graphs import Compiled

Values = Mapping[Any, float]
Direction = Literal["in", "out", "in+out"]


def pagerank(
    G: Compiled,  # noqa: N803  # NetworkX's name for it, which callers may use
    alpha: float = 0.85,
    personalization: Values | None = None,
    max_iter: int = 100,
    tol: float = 1e-6,
    nstart: Values | None = None,
    weight: str | None = "weight",
    dangling: Values | None = None,
) -> dict[Any, float]:
    """`nx.pagerank`: Page, Brin, Motwani and Winograd 1999, by power iteration, until the L1 change is below n * `tol`.

    Cost: O(nodes + edges) an iteration. ZeroDivisionError when nobody in the graph has a positive personalisation;
    PowerIterationFailedConvergence after `max_iter`.
    """
    n = len(G)
    if n == 0:
        return {}
    even = np.full(n, 1 / n)
    teleport = even if personalization is None else _spread(G, personalization)
    sinks_to = teleport if dangling is None else _spread(G, dangling)
    start = even if nstart is None else _spread(G, nstart)
    return G.named(_power_iteration(G.csr.matrix(weight), alpha, teleport, sinks_to, start, max_iter, n * tol))


def _spread(graph: Compiled, given: Values) -> Array:
    """What each node is given, in shares of the whole; those not in the graph do not count."""
    values = np.zeros(len(graph))
    known = {node: value for node, value in given.items() if node in graph.index}
    values[graph.codes(known)] = list(known.values())
    if values.sum() == 0:
        raise ZeroDivisionError
    shares: Array = values / values.sum()
    return shares


def _power_iteration(
    matrix: Any, alpha: float, teleport: Array, sinks_to: Array, start: Array, most: int, enough: float
) -> Array:
    out = matrix.sum(axis=1)
    sinks = out == 0
    shares = np.divide(alpha, out, out=np.zeros_like(out), where=~sinks)
    incoming = matrix.T
    ranks: Array = start
    for _ in range(most):
        before = ranks
        ranks = incoming @ (shares * ranks) + alpha * ranks[sinks].sum() * sinks_to + (1 - alpha) * teleport
        if np.abs(ranks - before).sum() < enough:
            return ranks
    raise nx.PowerIterationFailedConvergence(most)


def hits(
    G: Compiled,  # noqa: N803
    max_iter: int = 100,
    tol: float = 1e-8,
    nstart: Values | None = None,
    normalized: bool = True,
    *,
    method: str = "power_iteration",
) -> tuple[dict[Any, float], dict[Any, float]]:
    """`nx.hits`: hubs and authorities (Kleinberg 1999), by power iteration, until the L1 change is below `tol`.

    These are the values of NetworkX 3.7; before, its answer depended on the run where several pairs of singular vectors
    are equally strong, as on stars, paths and disjoint edges. `nstart` needs a value for every node: NetworkXError without.
    Another `method` is NetworkX's. Cost: O(edges) an iteration. PowerIterationFailedConvergence after `max_iter`.
    """
    if len(G) == 0:
        return {}, {}
    hubs = np.full(len(G), 1 / len(G)) if nstart is None else _start(G, nstart)
    if method != "power_iteration":
        raise NotImplementedError("singular vectors are NetworkX's")
    hubs, authorities = _hub_iteration(G.csr.matrix("weight"), hubs, max_iter, tol)
    if normalized:
        return G.named(hubs / hubs.sum()), G.named(authorities / authorities.sum())
    return G.named(hubs), G.named(authorities / authorities.max())


def _start(graph: Compiled, nstart: Values) -> Array:
    """The starting value of each node, in shares of the whole, shape (n,)."""
    missing = graph.nodes - nstart.keys()
    if missing:
        raise nx.NetworkXError(f"nstart must have a value for every node; missing: {missing}")
    values = np.array([nstart[node] for node in graph], dtype=float)
    total = values.sum()
    if total == 0:
        raise nx.NetworkXError("nstart values must not sum to zero")
    shares: Array = values / total
    return shares


def _hub_iteration(matrix: Any, hubs: Array, max_iter: int, tol: float) -> tuple[Array, Array]:
    """The hubs, the largest of which is 1, and the authorities they make."""
    incoming = matrix.T
    for _ in range(max_iter):
        before, authorities = hubs, incoming @ hubs
        hubs = matrix @ authorities
        largest = hubs.max()
        if largest == 0 or not np.isfinite(largest):  # no edges, or weights beyond floats: it never settles
            break
        hubs = hubs / largest
        if np.abs(hubs - before).sum() < tol:
            return hubs, authorities
    raise nx.PowerIterationFailedConvergence(max_iter)


def degree_centrality(G: Compiled) -> dict[Any, float]:  # noqa: N803
    """`nx.degree_centrality`: the share of the others each node is tied to. Cost: O(nodes)."""
    return _shares(G, G.degrees())


def in_degree_centrality(G: Any) -> dict[Any, float]:  # noqa: N803
    """`nx.in_degree_centrality`: the share of the others that point at each node. Cost: O(nodes + edges)."""
    return _shares(G, G.in_degrees())


def out_degree_centrality(G: Any) -> dict[Any, float]:  # noqa: N803
    """`nx.out_degree_centrality`: the share of the others each node points at. Cost: O(nodes)."""
    return _shares(G, G.out_degrees())


def _shares(graph: Compiled, degrees: Array) -> dict[Any, float]:
    if len(graph) <= 1:
        return dict.fromkeys(graph, 1)
    return graph.named(degrees * (1 / (len(graph) - 1)))


def average_neighbor_degree(
    G: Compiled,  # noqa: N803
    source: Direction = "out",
    target: Direction = "out",
    nodes: Any = None,
    weight: str | None = None,
) -> dict[Any, float]:
    """`nx.average_neighbor_degree`: the mean degree of each node's neighbours, by weight (Barrat and others 2004).

    Cost: O(nodes + edges), whichever `nodes` are asked for.
    """
    if not G.is_directed() and (source, target) != ("out", "out"):
        raise nx.NetworkXError("source and target arguments are only supported for directed graphs")
    own = _degrees(G, source, "source", weight).astype(float)
    others = _degrees(G, target, "target", None).astype(float)
    matrix = G.csr.matrix(weight)
    sums = np.zeros(len(G))
    if "out" in source:
        sums += matrix @ others
    if "in" in source:
        sums += matrix.T @ others
    means = np.divide(sums, own, out=np.zeros(len(G)), where=own != 0)
    if nodes is None:
        return G.named(means)
    asked = list(G.nbunch_iter(nodes))
    return dict(zip(asked, means[G.codes(asked)].tolist(), strict=True))


def _degrees(graph: Any, direction: str, argument: str, weight: str | None) -> Any:
    if direction not in ("in", "out", "in+out"):
        raise nx.NetworkXError(f"{argument} argument {direction} must be 'in', 'out' or 'in+out'")
    if not graph.is_directed() or direction == "in+out":
        return graph.degrees(weight)
    return graph.in_degrees(weight) if direction == "in" else graph.out_degrees(weight)
