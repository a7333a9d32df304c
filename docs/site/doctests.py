"""Extension of mkdocstrings: examples in docstrings (`>>>`) as blocks of code, and one sentence of the summary a paragraph."""

import re
from typing import Any, Final

from griffe import Docstring, Extension, Object

EXAMPLE: Final = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)


class Doctests(Extension):
    """Fence each example."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of an object when its module has been read."""
        if obj.docstring and ">>> " in obj.docstring.value:
            text = EXAMPLE.sub(lambda example: f"```pycon\n{example[0]}\n```", obj.docstring.value)
            obj.docstring = Docstring(text, lineno=obj.docstring.lineno, endlineno=obj.docstring.endlineno, parent=obj)
