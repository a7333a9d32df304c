"""Say over HTTP what a hint says in the terminal: name the route in the place of a command, or the person who has to run it.

The parts below HTTP write hints for the terminal, where most of them are read. `tests/api/http/test_hints.py` looks at each of them.
"""

import re
from typing import Final

# In this order. A command whose route needs a number that the hint does not know has `{number}`.
_ROUTES: Final[tuple[tuple[str, str], ...]] = (
    (r"`iftah releases (\d+)`", r"GET /v1/proposals/\1"),
    (r"`iftah releases --accept-restored[^`]*`", "an administrator accepts it"),
    (r"`iftah releases`", "GET /v1/proposals and GET /v1/releases"),
    (r"`iftah measure (\d+)`", r"POST /v1/proposals/\1/measurement"),
    (r"`iftah propose --revise (\d+)`", r"PUT /v1/proposals/\1"),
    (r"`iftah propose [^`]*`", "POST /v1/proposals"),
    (r"`iftah rollback`", "POST /v1/proposals/{number}/stop"),
    (r"`iftah break-glass --end`", "DELETE /v1/releases/break-glass"),
    (r"that `iftah key new` prints", "of your public key"),
    (r"`iftah key new`", "POST /v1/keys"),
    (r"`iftah key list`", "GET /v1/keys"),
    (r"`iftah token list`, or ", ""),
    (r"with `iftah check`", "in the `problems` of POST /v1/proposals"),
    (r": see `iftah test`", ""),
    (r"propose it with one: --plan", "propose it with a `plan`"),
    (r": -m$", ""),
    # These have no route.
    (r"(?:run )?(`iftah (?:build|score|load|audit digest)[^`]*`)", r"an administrator runs \1"),
)


def for_http(text: str) -> str:
    """The text for a caller over HTTP."""
    for pattern, by in _ROUTES:
        text = re.sub(pattern, by, text)
    return text
