"""The NetworkX backend `iftah`: the object that NetworkX asks when it selects an implementation of a function.

NetworkX finds `BACKEND` by the entry point `networkx.backends` and calls its dispatch protocol
(`networkx.utils.backends` of NetworkX 3.6 and 3.7). The table in `graph.backend.backend_info` lists the functions. We
import compiled code only when you call it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from inspect import Signature, signature
from typing import Any, Final

import networkx as nx

from graph.backend.backend_info import OFFERS

MIN_SIZE_TO_CONVERT: Final = 10_000  # nodes plus edges from which converting a graph costs less than it saves
_OTHER_PARTITION: Final = "expects the partition that NetworkX finds with one seed; ours differs and is as good"
EXPECTED_FAILURES: Final = {
    "test_louvain.py::test_karate_club_partition": _OTHER_PARTITION,
    "test_louvain.py::test_undirected_selfloops": _OTHER_PARTITION,
    "test_louvain.py::test_none_weight_param": _OTHER_PARTITION,
    "test_louvain.py::test_petersen": _OTHER_PARTITION,  # from 3.7
    "test_louvain.py::test_multigraph": "expects a multigraph, which we do not support, to have the same partition as a graph",
}


def refusal(name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str | None:
    """Return the reason, for NetworkX's log, why NetworkX's own function must run; None if we run the call."""
    offer = OFFERS.get(name)
    if offer is None:
        return "not compiled"
    bound = _signature(name).bind(*args, **kwargs)
    bound.apply_defaults()
    if not _is_ours(graph := bound.arguments["G"]) and type(graph) not in (nx.Graph, nx.DiGraph):
        return "multigraphs and subclasses of NetworkX's graphs are not supported"
    reasons = (reason(bound.arguments) for reason in offer.refusals)
    return next((text for text in reasons if text), None) or _unknown_arguments(name)


@cache
def _signature(name: str) -> Signature:
    return signature(_registered_function(name).orig_func)


@cache
def _unknown_arguments(name: str) -> str | None:
    """Return a reason if NetworkX's function has arguments that ours lacks: a later NetworkX gave them a meaning."""
    unknown = _signature(name).parameters.keys() - signature(_compiled_function(name)).parameters.keys()
    return f"this NetworkX has arguments not compiled here: {', '.join(sorted(unknown))}" if unknown else None


def _compiled_function(name: str) -> Callable[..., object]:
    function: Callable[..., object] = getattr(import_module(f"graph.compiled.{OFFERS[name].module}"), name)
    return function


def _registered_function(name: str) -> "nx.utils.backends._dispatchable":
    """Return the dispatching function of that name. Raises KeyError if NetworkX has none."""
    return nx.utils.backends._registered_algorithms[name]


def _is_ours(value: object) -> bool:
    return getattr(value, "__networkx_backend__", None) == "iftah"


class Backend:
    """The methods of the dispatch protocol; NetworkX finds the functions by `__getattr__`.

    Our graphs *are* NetworkX graphs. So if we have no compiled function for a call, NetworkX's own code runs on the
    same graph: you need no copy and no setting.
    """

    def __getattr__(self, name: str) -> Callable[..., object]:
        algorithm = nx.utils.backends._registered_algorithms.get(name)
        if algorithm is None or not algorithm.graphs or "networkx" not in algorithm.backends:
            raise AttributeError(name)
        return lambda *args, **kwargs: _run(name, args, kwargs)

    @staticmethod
    def convert_from_nx(graph: nx.Graph, **options: object) -> object:
        """Convert a NetworkX graph to compressed rows. Raises NotImplementedError for parallel edges."""
        options = {key: value for key, value in options.items() if key not in ("name", "graph_name")}
        return import_module("graph.compiled.conversion").from_networkx(graph, **options)

    @staticmethod
    def convert_to_nx(obj: object, *, name: str | None = None) -> object:  # noqa: ARG004  # the protocol's
        """Return a plain NetworkX graph from one of ours; return other values as they are."""
        return import_module("graph.compiled.conversion").to_networkx(obj)

    @staticmethod
    def can_run(name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bool | str:
        """Return True, or the reason why not. For graphs of ours we run functions without a compiled version too, by
        NetworkX's code.
        """
        values = (*args, *kwargs.values())
        if any(_is_ours(value) or (isinstance(value, list) and any(map(_is_ours, value))) for value in values):
            return True
        return refusal(name, args, kwargs) or True

    @staticmethod
    def on_start_tests(items: Sequence[Any]) -> None:
        """Mark NetworkX's own tests that check more than its documentation promises."""
        import pytest  # only NetworkX's tests call this

        for item in items:
            reason = EXPECTED_FAILURES.get(f"{item.path.name}::{item.name}")
            if reason is not None:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    @staticmethod
    def should_run(name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bool | str:
        """Whether converting the plain graph pays: we converted it before, or it is large and the function slow."""
        if name not in OFFERS:
            return "not compiled"
        worth, graph = OFFERS[name].worth, _signature(name).bind(*args, **kwargs).arguments["G"]
        if worth == "ours alone":
            return "looking around one node needs no conversion"
        if (getattr(graph, "__networkx_cache__", None) or {}).get("backends", {}).get("iftah"):
            return True
        if worth == "a graph at hand":
            return "converting the graph costs more than the plain function"
        size = len(graph) + graph.number_of_edges()
        return size >= MIN_SIZE_TO_CONVERT or f"{size} nodes and edges are fewer than {MIN_SIZE_TO_CONVERT}"


def _run(name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
    plain = _registered_function(name).orig_func
    if refusal(name, args, kwargs):
        return plain(*args, **kwargs)
    try:
        return _compiled_function(name)(*args, **kwargs)
    except NotImplementedError:  # only the arrays showed that this case is not supported
        return plain(*args, **kwargs)


BACKEND: Final = Backend()
