"""The NetworkX backend `iftah`: which functions run on compressed rows, when, and what NetworkX is told about it.

NetworkX finds `BACKEND` by the entry point `networkx.backends` and asks it as its dispatch protocol says (NetworkX 3.6,
`networkx.utils.backends`). Nothing compiled is imported before it is called, since NetworkX reads `get_info` whenever it
is imported itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from inspect import Signature, signature
from typing import Any, Final

import networkx as nx

Given = Mapping[str, Any]  # the arguments of a call, by name
Refusal = Callable[[Given], str | None]  # why the plain function is to answer, or None
WORTH_CONVERTING: Final = 20_000  # nodes and edges from which converting a graph costs less than it saves


@dataclass(frozen=True)
class Offer:
    """A function of NetworkX that `graph.compiled.<module>` has too."""

    module: str
    unless: tuple[Refusal, ...] = ()
    worth: bool = False  # so much faster that converting a graph for it alone pays


def _directed(given: Given) -> str | None:
    return "directed graphs are NetworkX's" if given["G"].is_directed() else None


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


def _distance(given: Given) -> str | None:
    return "circles by weighted distance are NetworkX's" if given["distance"] is not None else None


OFFERS: Final[dict[str, Offer]] = {
    "average_clustering": Offer("clustering", (_directed, _weighted), worth=True),
    "average_neighbor_degree": Offer("centrality", (_weight_called,)),
    "bfs_edges": Offer("paths", (_sorted,)),
    "clustering": Offer("clustering", (_directed, _weighted), worth=True),
    "connected_components": Offer("components"),
    "core_number": Offer("cores", (_directed,), worth=True),
    "degree_centrality": Offer("centrality"),
    "ego_graph": Offer("paths", (_distance,)),
    "hits": Offer("centrality", worth=True),
    "in_degree_centrality": Offer("centrality"),
    "is_connected": Offer("components"),
    "is_strongly_connected": Offer("components"),
    "is_weakly_connected": Offer("components"),
    "louvain_communities": Offer("communities", (_directed, _no_limits), worth=True),
    "number_connected_components": Offer("components"),
    "number_strongly_connected_components": Offer("components"),
    "number_weakly_connected_components": Offer("components"),
    "out_degree_centrality": Offer("centrality"),
    "overall_reciprocity": Offer("clustering"),
    "pagerank": Offer("centrality", (_weight_called,), worth=True),
    "reciprocity": Offer("clustering"),
    "single_source_shortest_path_length": Offer("paths"),
    "strongly_connected_components": Offer("components"),
    "transitivity": Offer("clustering", (_directed,), worth=True),
    "triangles": Offer("clustering", worth=True),
    "weakly_connected_components": Offer("components"),
}


_ONE_PARTITION: Final = "asks for the partition that one seed gives in NetworkX; ours is as good and another"
EXPECTED_FAILURES: Final = {
    "test_louvain.py::test_karate_club_partition": _ONE_PARTITION,
    "test_louvain.py::test_undirected_selfloops": _ONE_PARTITION,
    "test_louvain.py::test_none_weight_param": _ONE_PARTITION,
    "test_louvain.py::test_multigraph": "wants a multigraph, which is NetworkX's, and a graph to have one partition",
}


def refusal(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """Why a call is the plain function's, in NetworkX's log; None if it is one of ours."""
    offer = OFFERS.get(name)
    if offer is None:
        return "not compiled"
    bound = _signature(name).bind(*args, **kwargs)
    bound.apply_defaults()
    if not _is_ours(graph := bound.arguments["G"]) and type(graph) not in (nx.Graph, nx.DiGraph):
        return "parallel edges, and graphs whose class may say otherwise than their dicts, are NetworkX's"
    reasons = (reason(bound.arguments) for reason in offer.unless)
    return next((said for said in reasons if said), None)


@cache
def _signature(name: str) -> Signature:
    return signature(_registered(name).orig_func)


def _registered(name: str) -> Any:
    """The dispatching function of that name; KeyError if NetworkX has none."""
    return nx.utils.backends._registered_algorithms[name]


def _is_ours(value: Any) -> bool:
    return getattr(value, "__networkx_backend__", None) == "iftah"


class Backend:
    """What the protocol asks of a backend; its functions are found by `__getattr__`.

    A graph of ours *is* a NetworkX graph, so a function that is not compiled, or not for such arguments, is answered by
    NetworkX's own code on that very graph: no copy, and no setting to make.
    """

    def __getattr__(self, name: str) -> Callable[..., Any]:
        known = nx.utils.backends._registered_algorithms.get(name)
        if known is None or not known.graphs or "networkx" not in known.backends:
            raise AttributeError(name)
        return lambda *args, **kwargs: _run(name, args, kwargs)

    @staticmethod
    def convert_from_nx(graph: Any, **wanted: Any) -> Any:
        """A NetworkX graph over compressed rows. NotImplementedError for parallel edges."""
        wanted = {key: value for key, value in wanted.items() if key not in ("name", "graph_name")}
        return import_module("graph.compiled.conversion").from_networkx(graph, **wanted)

    @staticmethod
    def convert_to_nx(obj: Any, *, name: str | None = None) -> Any:  # noqa: ARG004  # the protocol's
        """A plain NetworkX graph of one of ours; anything else as it is."""
        return import_module("graph.compiled.conversion").to_networkx(obj)

    @staticmethod
    def can_run(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool | str:
        """True, or why not: what is not compiled is run for graphs of ours alone, by NetworkX's code."""
        if any(map(_is_ours, (*args, *kwargs.values()))):
            return True
        return refusal(name, args, kwargs) or True

    @staticmethod
    def on_start_tests(items: Sequence[Any]) -> None:
        """Mark those of NetworkX's own tests that ask for more than its documentation promises."""
        import pytest  # the tests of NetworkX are running

        for item in items:
            reason = EXPECTED_FAILURES.get(f"{item.path.name}::{item.name}")
            if reason is not None:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    @staticmethod
    def should_run(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool | str:
        """Whether converting the plain graph pays: it was converted before, or it is large and the function slow."""
        graph = _signature(name).bind(*args, **kwargs).arguments["G"]
        if (getattr(graph, "__networkx_cache__", None) or {}).get("backends", {}).get("iftah"):
            return True
        if not OFFERS[name].worth:
            return "converting the graph costs more than the plain function"
        size = len(graph) + graph.number_of_edges()
        return size >= WORTH_CONVERTING or f"{size} nodes and edges are fewer than {WORTH_CONVERTING}"


def _run(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    plain = _registered(name).orig_func
    if refusal(name, args, kwargs):
        return plain(*args, **kwargs)
    compiled = getattr(import_module(f"graph.compiled.{OFFERS[name].module}"), name)
    try:
        return compiled(*args, **kwargs)
    except NotImplementedError:  # it saw only in the arrays that the case is not its own
        return plain(*args, **kwargs)


BACKEND: Final = Backend()


def get_info() -> dict[str, Any]:
    """What NetworkX shows of the backend in its own documentation."""
    return {
        "backend_name": "iftah",
        "project": "iftah",
        "package": "graph",
        "short_summary": "Compressed sparse rows, by SciPy and NetworKit.",
        "functions": {name: {} for name in OFFERS},
    }
