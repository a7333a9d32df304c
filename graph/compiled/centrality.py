"""Centrality of nodes: PageRank, HITS, degrees, and the degrees of neighbours."""

import warnings
from collections.abc import Mapping
from typing import Final, Literal

import networkx as nx
import numpy as np
from scipy import sparse

from graph.compiled.csr import Array, Node
from graph.compiled.graphs import Compiled, DiGraph, Graph

MAX_CHANGE: Final = 1e-3  # of all ranks in the last iteration, in sum; the ranks sum to 1
Values = Mapping[Node, float]
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
) -> dict[Node, float]:
    """Run `nx.pagerank` (Page, Brin, Motwani and Winograd 1999) by power iteration, until the L1 change is below n *
    `tol`.

    That is NetworkX's rule. In a graph of a million nodes, the default `tol` stops where the ranks may still be wrong by
    a quarter in sum. So we warn if n * `tol` is above `MAX_CHANGE`.

    Cost: O(nodes + edges) an iteration. Raises ZeroDivisionError if no node of the graph has a positive
    personalisation, and PowerIterationFailedConvergence after `max_iter`.
    """
    n = len(G)
    if n == 0:
        return {}
    if n * tol > MAX_CHANGE:
        warnings.warn(_loose_tolerance(n, tol), stacklevel=2)
    even = np.full(n, 1 / n)
    teleport = even if personalization is None else _normalise(G, personalization)
    sinks_to = teleport if dangling is None else _normalise(G, dangling)
    start = even if nstart is None else _normalise(G, nstart)
    return G.to_dict(_power_iteration(G.csr.matrix(weight), alpha, teleport, sinks_to, start, max_iter, n * tol))


def _loose_tolerance(n: int, tol: float) -> str:
    return (
        f"pagerank: with tol={tol:g}, NetworkX stops at a change of {n * tol:.2g} in sum over {n:,} nodes; "
        f"pass tol={MAX_CHANGE / n:.1g} or less to compare single ranks"
    )


def _normalise(graph: Compiled, weights: Values) -> Array:
    """Return each node's share of the total weight; we ignore nodes outside the graph."""
    values = np.zeros(len(graph))
    members = {node: value for node, value in weights.items() if node in graph.index}
    values[graph.codes(members)] = list(members.values())
    if values.sum() == 0:
        raise ZeroDivisionError
    shares: Array = values / values.sum()
    return shares


def _power_iteration(
    matrix: sparse.csr_array,
    alpha: float,
    teleport: Array,
    sinks_to: Array,
    start: Array,
    max_iter: int,
    tolerance: float,
) -> Array:
    out = matrix.sum(axis=1)
    sinks = out == 0
    shares = np.divide(alpha, out, out=np.zeros_like(out), where=~sinks)
    incoming = matrix.T
    ranks: Array = start
    for _ in range(max_iter):
        before = ranks
        ranks = incoming @ (shares * ranks) + alpha * ranks[sinks].sum() * sinks_to + (1 - alpha) * teleport
        if np.abs(ranks - before).sum() < tolerance:
            return ranks
    raise nx.PowerIterationFailedConvergence(max_iter)


def hits(
    G: Compiled,  # noqa: N803
    max_iter: int = 100,
    tol: float = 1e-8,
    nstart: Values | None = None,
    normalized: bool = True,
    *,
    method: str = "power_iteration",
) -> tuple[dict[Node, float], dict[Node, float]]:
    """Run `nx.hits` (hubs and authorities, Kleinberg 1999) by power iteration, until the L1 change is below `tol`.

    We return the values of NetworkX 3.7. The result of earlier versions depends on the run if several pairs of singular
    vectors are equally strong, as on stars, paths and disjoint edges. `nstart` needs a value for every node; otherwise
    NetworkXError. We leave any other `method` to NetworkX. Cost: O(edges) an iteration. Raises
    PowerIterationFailedConvergence after `max_iter`.
    """
    if len(G) == 0:
        return {}, {}
    hubs = np.full(len(G), 1 / len(G)) if nstart is None else _start(G, nstart)
    if method != "power_iteration":
        raise NotImplementedError("only the method `power_iteration` is supported")
    hubs, authorities = _hub_iteration(G.csr.matrix("weight"), hubs, max_iter, tol)
    if normalized:
        return G.to_dict(hubs / hubs.sum()), G.to_dict(authorities / authorities.sum())
    return G.to_dict(hubs), G.to_dict(authorities / authorities.max())


def _start(graph: Compiled, nstart: Values) -> Array:
    """Return the starting value of each node as a share of the total, shape (n,)."""
    missing = graph.nodes - nstart.keys()
    if missing:
        raise nx.NetworkXError(f"nstart must have a value for every node; missing: {missing}")
    values = np.array([nstart[node] for node in graph], dtype=float)
    total = values.sum()
    if total == 0:
        raise nx.NetworkXError("nstart values must not sum to zero")
    shares: Array = values / total
    return shares


def _hub_iteration(matrix: sparse.csr_array, hubs: Array, max_iter: int, tol: float) -> tuple[Array, Array]:
    """Return the hubs, scaled so that the largest is 1, and the authorities computed from them."""
    incoming = matrix.T
    for _ in range(max_iter):
        before, authorities = hubs, incoming @ hubs
        hubs = matrix @ authorities
        largest = hubs.max()
        if largest == 0 or not np.isfinite(
            largest
        ):  # no edges, or weights beyond the range of floats: the iteration cannot converge
            break
        hubs = hubs / largest
        if np.abs(hubs - before).sum() < tol:
            return hubs, authorities
    raise nx.PowerIterationFailedConvergence(max_iter)


def degree_centrality(G: Compiled) -> dict[Node, float]:  # noqa: N803
    """Run `nx.degree_centrality`: the share of the other nodes that are tied to each node. Cost: O(nodes)."""
    return _shares(G, G.degrees())


def in_degree_centrality(G: DiGraph) -> dict[Node, float]:  # noqa: N803
    """Run `nx.in_degree_centrality`: the share of the other nodes that point at each node. Cost: O(nodes + edges)."""
    return _shares(G, G.in_degrees())


def out_degree_centrality(G: DiGraph) -> dict[Node, float]:  # noqa: N803
    """Run `nx.out_degree_centrality`: the share of the other nodes that each node points at. Cost: O(nodes)."""
    return _shares(G, G.out_degrees())


def _shares(graph: Compiled, degrees: Array) -> dict[Node, float]:
    if len(graph) <= 1:
        return dict.fromkeys(graph, 1)
    return graph.to_dict(degrees * (1 / (len(graph) - 1)))


def average_neighbor_degree(
    G: Compiled,  # noqa: N803
    source: Direction = "out",
    target: Direction = "out",
    nodes: object = None,
    weight: str | None = None,
) -> dict[Node, float]:
    """Run `nx.average_neighbor_degree`: the mean degree of each node's neighbours, by weight (Barrat and others 2004).

    Cost: O(nodes + edges), whatever `nodes` you pass.
    """
    if not G.is_directed() and (source, target) != ("out", "out"):
        raise nx.NetworkXError("source and target arguments are only supported for directed graphs")
    own = _degrees(G, source, "source", weight).astype(float)
    neighbour_degrees = _degrees(G, target, "target", None).astype(float)
    matrix = G.csr.matrix(weight)
    sums = np.zeros(len(G))
    if "out" in source:
        sums += matrix @ neighbour_degrees
    if "in" in source:
        sums += matrix.T @ neighbour_degrees
    means = np.divide(sums, own, out=np.zeros(len(G)), where=own != 0)
    if nodes is None:
        return G.to_dict(means)
    node_list = list(G.nbunch_iter(nodes))
    return dict(zip(node_list, means[G.codes(node_list)].tolist(), strict=True))


def _degrees(graph: Compiled, direction: str, argument: str, weight: str | None) -> Array:
    if direction not in ("in", "out", "in+out"):
        raise nx.NetworkXError(f"{argument} argument {direction} must be 'in', 'out' or 'in+out'")
    if isinstance(graph, Graph) or direction == "in+out":
        return graph.degrees(weight)
    return graph.in_degrees(weight) if direction == "in" else graph.out_degrees(weight)
