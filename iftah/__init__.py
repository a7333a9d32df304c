"""Iftah as a library: score people and decide about perks, from values or from events, without a database or a server.

Read a folder of rules, then ask. Every name below is loaded when you first use it, so `import iftah` itself is quick.

>>> import iftah
>>> release = iftah.load_rules("rules")
>>> values = {"identity.level": 2, "identity.tenure_days": 400, "credit.kept": 12, "credit.orders_kept": 2, "credit.missed": 0}
>>> score = iftah.assess(release, values, as_of="2026-01-01")
>>> score.score, score.band
(607, 'good')

A `Release` is the meaning of a rules folder. Its `id` is the hash of the rule files, so equal files have equal ids.

>>> isinstance(release, iftah.Release), len(release.id)
(True, 64)

`FEATURES` lists all features that the shipped rules can name, each a `Feature` with its type, unit, data class and meaning.

>>> isinstance(iftah.FEATURES[0], iftah.Feature), iftah.FEATURES[0].name
(True, 'identity.level')

We raise an `IftahError`, with one line of text for you and a stable `code`: `RulesError` for rule files with problems
(`problems` has each `Problem`, with its place), `Rejected` for an input that we do not accept, and `EngineError` when an
engine did not answer.

>>> try:
...     iftah.load_rules("no such folder")
... except iftah.Rejected as error:
...     print(error.code, isinstance(error, iftah.IftahError))
no_rules True
>>> issubclass(iftah.RulesError, iftah.IftahError), issubclass(iftah.EngineError, iftah.IftahError)
(True, True)
>>> iftah.Problem.__name__, iftah.__version__.count(".")
('Problem', 2)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from engine.errors import EngineError, IftahError, Rejected
    from engine.lang.model.problems import Problem, RulesError
    from engine.lang.model.program import Release
    from graph.catalog import Feature
    from iftah.evidence import features, visible
    from iftah.rules_folder import check, load_rules
    from iftah.scoring import assess, decide, explain, recourse

__version__: str
FEATURES: "tuple[Feature, ...]"
__all__ = [
    "FEATURES",
    "EngineError",
    "Feature",
    "IftahError",
    "Problem",
    "Rejected",
    "Release",
    "RulesError",
    "__version__",
    "assess",
    "check",
    "decide",
    "explain",
    "features",
    "load_rules",
    "recourse",
    "visible",
]
# The module of each name, and its name there.
_HOMES: Final[dict[str, tuple[str, str]]] = {
    "EngineError": ("engine.errors", "EngineError"),
    "Feature": ("graph.catalog", "Feature"),
    "IftahError": ("engine.errors", "IftahError"),
    "Problem": ("engine.lang.model.problems", "Problem"),
    "Rejected": ("engine.errors", "Rejected"),
    "Release": ("engine.lang.model.program", "Release"),
    "RulesError": ("engine.lang.model.problems", "RulesError"),
    "assess": ("iftah.scoring", "assess"),
    "check": ("iftah.rules_folder", "check"),
    "decide": ("iftah.scoring", "decide"),
    "explain": ("iftah.scoring", "explain"),
    "features": ("iftah.evidence", "features"),
    "load_rules": ("iftah.rules_folder", "load_rules"),
    "recourse": ("iftah.scoring", "recourse"),
    "visible": ("iftah.evidence", "visible"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("iftah")
    elif name == "FEATURES":
        value = import_module("iftah.shipped").shipped_features()
    elif name in _HOMES:
        module, own_name = _HOMES[name]
        value = getattr(import_module(module), own_name)
    else:
        raise AttributeError(f"module `iftah` has no attribute `{name}`")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
