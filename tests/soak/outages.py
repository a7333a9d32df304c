"""Whether one thing that stands still takes anything else down: `python -m tests.soak.outages`, about two minutes.

A write lock that is held, a name server that does not answer, request heads without an end, a first process that is killed. Real
servers, on SQLite and, where one answers, on PostgreSQL. Ends with 1 when something is not as it must be.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.fresh import databases
from tests.soak import heads, lock, names, orphans

Result = tuple[str, list[str]]  # what was seen, and what of it is wrong


def lock_held(url: str) -> Result:
    """60 writers wait for a lock."""
    found = lock.held(url)
    told = f"health {found.health.slowest:.2f} s, reads {found.reads.slowest:.2f} s, writers {found.writes.slowest:.1f} s at most"
    return told, found.problems()


def names_slow(url: str) -> Result:
    """45 sign-ups wait for a name server."""
    signed_up, answered = names.slow_names(url)
    told = f"questions of others {answered.slowest:.2f} s at most, sign-ups {signed_up.slowest:.1f} s"
    return told, names.problems(signed_up, answered)


def heads_endless(url: str) -> Result:
    """72 callers send 60 MB of head each, 24 send half of one."""
    grown, half, others = heads.endless_heads(url)
    told = f"memory +{grown / 2**20:.0f} MB, half a head open for {half:.0f} s, others {others.slowest:.2f} s at most"
    return told, heads.problems(grown, half, others)


def parents_killed(url: str) -> Result:
    """The first process of several is killed."""
    if url.startswith("sqlite"):
        return "one process only", []
    took = orphans.orphans(url)
    return f"all gone after {max(took):.1f} s at most", orphans.problems(took)


CASES: Final[tuple[Callable[[str], Result], ...]] = (lock_held, names_slow, heads_endless, parents_killed)


def results(only: str = "") -> Iterator[tuple[str, str, str, list[str]]]:
    """Each case on each database of its own."""
    for case in CASES:
        with databases(only) as urls:
            for database, url in urls.items():
                told, wrong = case(url)
                yield database, (case.__doc__ or "").rstrip("."), told, wrong


def main(only: str = "") -> int:
    """Print what was seen."""
    table = Table("database", "case", "seen", "wrong", title="what stands still, and the rest")
    failed = False
    for database, case, told, wrong in results(only):
        table.add_row(database, case, told, "; ".join(wrong) or "nothing")
        failed = failed or bool(wrong)
    Console(width=180).print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
