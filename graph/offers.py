"""What the backend offers: a table of NetworkX's functions that are compiled, and when the plain one is to answer.

NetworkX reads `get_info` whenever it is imported, so nothing is imported here, NetworkX least of all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Given = Mapping[str, Any]  # the arguments of a call, by name
Refusal = Callable[[Given], str | None]  # why the plain function is to answer, or None

# For which graphs of NetworkX's own: large ones that must be converted for it, those converted before, or none.
Worth = Literal["converting", "a graph at hand", "ours alone"]


@dataclass(frozen=True)
class Offer:
    """A function of NetworkX that `graph.compiled.<module>` has too."""

    module: str
    unless: tuple[Refusal, ...] = ()
    worth: Worth = "a graph at hand"


def _directed(given: Given) -> str | None:
    return "directed graphs are NetworkX's" if given["G"].is_directed() else None


def _undirected(given: Given) -> str | None:
    return None if given["G"].is_directed() else "what undirected edges give each other is NetworkX's to say"


def _weighted(given: Given) -> str | None:
    return "weighted triangles are NetworkX's" if given["weight"] is not None else None


def _weight_called(given: Given) -> str | None:
    return "a weight that is a function is NetworkX's" if callable(given["weight"]) else None


def _no_limits(given: Given) -> str | None:
    if given["max_level"] is not None or given["threshold"] != 1e-7:
        return "levels and thresholds are those of NetworkX's own passes"
    return None


def _sorted(given: Given) -> str | None:
    return "neighbours in another order are NetworkX's" if given["sort_neighbors"] is not None else None


def _some_rows(given: Given) -> str | None:
    if given["nodelist"] is not None or given["weight"] is None:
        return "matrices of some nodes, or in another order, are NetworkX's"
    return None


def _distance(given: Given) -> str | None:
    return "circles by weighted distance are NetworkX's" if given["distance"] is not None else None


OFFERS: Final[dict[str, Offer]] = {
    "average_clustering": Offer("clustering", (_directed, _weighted), worth="converting"),
    "average_neighbor_degree": Offer("centrality", (_weight_called,)),
    "bfs_edges": Offer("paths", (_sorted,), worth="ours alone"),
    "clustering": Offer("clustering", (_directed, _weighted), worth="converting"),
    "connected_components": Offer("components"),
    "core_number": Offer("cores", (_directed,), worth="converting"),
    "degree_centrality": Offer("centrality"),
    "ego_graph": Offer("paths", (_distance,), worth="ours alone"),
    "hits": Offer("centrality", worth="converting"),
    "in_degree_centrality": Offer("centrality"),
    "is_connected": Offer("components"),
    "is_strongly_connected": Offer("components"),
    "is_weakly_connected": Offer("components"),
    "louvain_communities": Offer("communities", (_directed, _no_limits), worth="converting"),
    "number_connected_components": Offer("components"),
    "number_of_selfloops": Offer("matrices"),
    "number_strongly_connected_components": Offer("components"),
    "number_weakly_connected_components": Offer("components"),
    "out_degree_centrality": Offer("centrality"),
    "overall_reciprocity": Offer("clustering", (_undirected,)),
    "pagerank": Offer("centrality", (_weight_called,), worth="converting"),
    "reciprocity": Offer("clustering", (_undirected,)),
    "single_source_shortest_path_length": Offer("paths", worth="ours alone"),
    "strongly_connected_components": Offer("components"),
    "to_scipy_sparse_array": Offer("matrices", (_some_rows, _weight_called)),
    "transitivity": Offer("clustering", (_directed,), worth="converting"),
    "triangles": Offer("clustering", worth="converting"),
    "weakly_connected_components": Offer("components"),
}


def get_info() -> dict[str, Any]:
    """What NetworkX shows of the backend in its own documentation."""
    return {
        "backend_name": "iftah",
        "project": "iftah",
        "package": "graph",
        "short_summary": "Compressed sparse rows, by SciPy and NetworKit.",
        "functions": {name: {} for name in OFFERS},
    }
