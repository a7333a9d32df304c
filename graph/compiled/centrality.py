"""How central each node is: PageRank, HITS, degrees, and the degrees of those around."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import networkx as nx
import numpy as np
from scipy.sparse import linalg

from graph.compiled.csr import Array
from graph.compiled.graphs import Compiled

Values = Mapping[Any, float]
_FEWEST: Final = 3  # nodes for which ARPACK has an answer
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
) -> tuple[dict[Any, float], dict[Any, float]]:
    """`nx.hits`: hubs and authorities (Kleinberg 1999), the first singular vectors, by ARPACK from an even start.

    Cost: O(edges) an iteration. PowerIterationFailedConvergence after `max_iter`.
    """
    if len(G) < _FEWEST:
        raise NotImplementedError("so small a graph is NetworkX's")
    if max_iter <= 0:
        raise nx.PowerIterationFailedConvergence(max_iter)
    matrix = G.csr.matrix("weight")
    beside = linalg.LinearOperator(matrix.shape, matvec=lambda v: matrix.T @ (matrix @ v), dtype=float)
    start = np.ones(len(G)) if nstart is None else np.array(list(nstart.values()), dtype=float)
    try:
        _, vectors = linalg.eigsh(beside, k=1, v0=start, maxiter=max_iter, tol=tol**2)
    except linalg.ArpackNoConvergence as slow:
        raise nx.PowerIterationFailedConvergence(max_iter) from slow
    authorities = vectors[:, 0]
    hubs = matrix @ authorities
    if normalized:
        hubs, authorities = hubs / hubs.sum(), authorities / authorities.sum()
    return G.named(hubs), G.named(authorities)


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
    own, others = _degrees(G, source, "source", weight), _degrees(G, target, "target", None).astype(float)
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
