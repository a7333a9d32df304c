"""The table of NetworkX functions that the backend offers, with the conditions under which NetworkX runs its own.

NetworkX reads `get_info` whenever it is imported, so we import nothing here, least of all NetworkX.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Arguments = Mapping[str, Any]  # the arguments of a call, by name
Refusal = Callable[[Arguments], str | None]  # the reason why NetworkX's function must run, or None

# The plain NetworkX graphs for which we run: large ones after conversion, converted ones only, or none.
Worth = Literal["converting", "a graph at hand", "ours alone"]


@dataclass(frozen=True)
class Offer:
    """A NetworkX function that `graph.compiled.<module>` implements too."""

    module: str
    refusals: tuple[Refusal, ...] = ()
    worth: Worth = "a graph at hand"


def _refuse_directed(arguments: Arguments) -> str | None:
    return "directed graphs are not supported" if arguments["G"].is_directed() else None


def _refuse_undirected(arguments: Arguments) -> str | None:
    return None if arguments["G"].is_directed() else "undirected graphs are not supported"


def _refuse_weighted(arguments: Arguments) -> str | None:
    return "weighted triangles are not supported" if arguments["weight"] is not None else None


def _refuse_callable_weight(arguments: Arguments) -> str | None:
    return "a weight that is a function is not supported" if callable(arguments["weight"]) else None


def _refuse_limits(arguments: Arguments) -> str | None:
    if arguments["max_level"] is not None or arguments["threshold"] != 1e-7:
        return "`max_level` and `threshold` are not supported"
    return None


def _refuse_sorting(arguments: Arguments) -> str | None:
    return "`sort_neighbors` is not supported" if arguments["sort_neighbors"] is not None else None


def _refuse_partial_matrix(arguments: Arguments) -> str | None:
    if arguments["nodelist"] is not None or arguments["weight"] is None:
        return "a matrix of some nodes, or in another order, is not supported"
    return None


def _refuse_distance(arguments: Arguments) -> str | None:
    return "`distance` is not supported" if arguments["distance"] is not None else None


OFFERS: Final[dict[str, Offer]] = {
    "average_clustering": Offer("clustering", (_refuse_directed, _refuse_weighted), worth="converting"),
    "average_neighbor_degree": Offer("centrality", (_refuse_callable_weight,)),
    "bfs_edges": Offer("paths", (_refuse_sorting,), worth="ours alone"),
    "clustering": Offer("clustering", (_refuse_directed, _refuse_weighted), worth="converting"),
    "connected_components": Offer("components"),
    "core_number": Offer("cores", (_refuse_directed,), worth="converting"),
    "degree_centrality": Offer("centrality"),
    "ego_graph": Offer("paths", (_refuse_distance,), worth="ours alone"),
    "hits": Offer("centrality", worth="converting"),
    "in_degree_centrality": Offer("centrality"),
    "is_connected": Offer("components"),
    "is_strongly_connected": Offer("components"),
    "is_weakly_connected": Offer("components"),
    "louvain_communities": Offer("communities", (_refuse_directed, _refuse_limits), worth="converting"),
    "number_connected_components": Offer("components"),
    "number_of_selfloops": Offer("matrices"),
    "number_strongly_connected_components": Offer("components"),
    "number_weakly_connected_components": Offer("components"),
    "out_degree_centrality": Offer("centrality"),
    "overall_reciprocity": Offer("clustering", (_refuse_undirected,)),
    "pagerank": Offer("centrality", (_refuse_callable_weight,), worth="converting"),
    "reciprocity": Offer("clustering", (_refuse_undirected,)),
    "single_source_shortest_path_length": Offer("paths", worth="ours alone"),
    "strongly_connected_components": Offer("components"),
    "to_scipy_sparse_array": Offer("matrices", (_refuse_partial_matrix, _refuse_callable_weight)),
    "transitivity": Offer("clustering", (_refuse_directed,), worth="converting"),
    "triangles": Offer("clustering", worth="converting"),
    "weakly_connected_components": Offer("components"),
}


def get_info() -> dict[str, object]:
    """Return the description of the backend for NetworkX's documentation."""
    return {
        "backend_name": "iftah",
        "project": "iftah",
        "package": "graph",
        "short_summary": "Compressed sparse rows, by SciPy and NetworKit.",
        "functions": {name: {} for name in OFFERS},
    }
