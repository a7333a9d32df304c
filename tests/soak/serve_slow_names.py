"""Serve on a machine on which each name of one domain takes twenty seconds to resolve: `python -m tests.soak.serve_slow_names`."""

import socket
import sys
import time
from typing import Any, Final

from api.cli import main as commands

SECONDS: Final = 20


def main() -> None:
    """Serve."""
    resolve = socket.getaddrinfo

    def resolve_slowly(host: Any, *arguments: Any, **options: Any) -> Any:
        if str(host).endswith(".slow.example"):
            time.sleep(SECONDS)
        return resolve(host, *arguments, **options)

    socket.getaddrinfo = resolve_slowly
    sys.argv = ["iftah", "serve"]
    commands.main()


if __name__ == "__main__":
    main()
