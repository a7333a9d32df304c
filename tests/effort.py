"""The number of examples of property tests: `make test` takes a few seconds of them, `make agreement` all."""

import os


def by_effort(usual: int, full: int) -> int:
    """`full` if IFTAH_AGREEMENT is `full`, else `usual`."""
    return full if os.environ.get("IFTAH_AGREEMENT") == "full" else usual
