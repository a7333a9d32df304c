"""The NetworkX backend `iftah`: what NetworkX asks when it looks for who is to run a function.

It finds `BACKEND` by the entry point `networkx.backends`, and speaks its dispatch protocol (`networkx.utils.backends` of
NetworkX 3.6 and 3.7). What is offered is the table in `graph.offers`; nothing compiled is imported before it is called.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from inspect import Signature, signature
from typing import Any, Final

import networkx as nx

from graph.offers import OFFERS

WORTH_CONVERTING: Final = 10_000  # nodes and edges from which converting a graph costs less than it saves
_ONE_PARTITION: Final = "asks for the partition that one seed gives in NetworkX; ours is as good and another"
EXPECTED_FAILURES: Final = {
    "test_louvain.py::test_karate_club_partition": _ONE_PARTITION,
    "test_louvain.py::test_undirected_selfloops": _ONE_PARTITION,
    "test_louvain.py::test_none_weight_param": _ONE_PARTITION,
    "test_louvain.py::test_petersen": _ONE_PARTITION,  # from 3.7
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
    return next((said for said in reasons if said), None) or _newer(name)


@cache
def _signature(name: str) -> Signature:
    return signature(_registered(name).orig_func)


@cache
def _newer(name: str) -> str | None:
    """Why NetworkX answers when its function takes arguments that ours does not: a later NetworkX gave them a meaning."""
    unknown = _signature(name).parameters.keys() - signature(_compiled(name)).parameters.keys()
    return f"this NetworkX has arguments not compiled here: {', '.join(sorted(unknown))}" if unknown else None


def _compiled(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module(f"graph.compiled.{OFFERS[name].module}"), name)
    return function


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
        given = (*args, *kwargs.values())
        if any(_is_ours(value) or (isinstance(value, list) and any(map(_is_ours, value))) for value in given):
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
        return size >= WORTH_CONVERTING or f"{size} nodes and edges are fewer than {WORTH_CONVERTING}"


def _run(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    plain = _registered(name).orig_func
    if refusal(name, args, kwargs):
        return plain(*args, **kwargs)
    try:
        return _compiled(name)(*args, **kwargs)
    except NotImplementedError:  # it saw only in the arrays that the case is not its own
        return plain(*args, **kwargs)


BACKEND: Final = Backend()
