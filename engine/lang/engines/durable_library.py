"""Durable-rules' library, or one line that says how to get it.

Our build compiles it (setup.py). A plain `pip install durable-rules` on Python 3.13 leaves one that cannot be imported, and
Python finds that one first.
"""

from engine.errors import EngineError

try:
    import durable_rules_engine as rete
except ModuleNotFoundError:
    message, hint = (
        "durable-rules' library is not there",
        "in a checkout run `make env`, else install iftah's wheel again",
    )
    raise EngineError(message, where="durable_rules_engine", hint=hint) from None
except ImportError:
    message, hint = "another durable-rules cannot be imported", "run `python -m pip uninstall --yes durable-rules`"
    raise EngineError(message, where="durable_rules_engine", hint=hint) from None

__all__ = ["rete"]
