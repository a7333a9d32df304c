"""How much the tests of laws draw: `make test` takes a few seconds of them, `make agreement` all."""

import os


def pairs(usual: int, full: int) -> int:
    """`full` when IFTAH_AGREEMENT is `full`, else `usual`."""
    return full if os.environ.get("IFTAH_AGREEMENT") == "full" else usual
