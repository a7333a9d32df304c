"""Measure what an idle server costs: `python -m tests.bench.idle [seconds database]`.

A server of a small town runs, and nobody asks. `of a core` is the processor time of its processes by the time of the clock; beside it
is that of an empty endpoint on uvicorn, which has nothing to do in the background. The database's own processes are not in it.
"""

import sys
import time
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.table import Table

from api.store.database import open_database
from tests.bench.fresh import databases, processor_seconds, running_server, settle

SECONDS: Final = 20.0
PEOPLE: Final = 200
SETTLING_SECONDS: Final = 5.0  # in which a server finishes what it does at its start
GOAL: Final = 0.01


def main(seconds: float = SECONDS, only: str = "") -> None:
    """Print the figures as a table."""
    table = Table("database", "server", "of a core", "goal", title=f"nobody asks for {seconds:g} s")
    with databases(only) as urls:
        for database, url in urls.items():
            settle(url, PEOPLE)
            for server, share in _shares(url, seconds):
                table.add_row(database, server, f"{share:.4f}", f"{GOAL:.2f}" if server == "ours" else "")
    Console().print(table)


def _shares(url: str, seconds: float) -> Iterator[tuple[str, float]]:
    open_database(url).dispose()
    with running_server(url, "-m", "tests.bench.ask", "--bare", ready="/empty") as (pid, _):
        yield "empty", _share(pid, seconds)
    with running_server(url) as (pid, _):
        yield "ours", _share(pid, seconds)


def _share(pid: int, seconds: float) -> float:
    """The processor time of a process in the next seconds, of one core."""
    time.sleep(min(SETTLING_SECONDS, seconds))
    before, started_at = processor_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (processor_seconds(pid) - before) / (time.monotonic() - started_at)


if __name__ == "__main__":
    main(*(kind(a) for kind, a in zip((float, str), sys.argv[1:], strict=False)))
