"""Test that one stuck part does not block the others: `python -m tests.soak.outages`, about two minutes.

The cases: a held write lock, a name server that does not answer, endless request heads, a killed parent process. We use real
servers, on SQLite and, if one answers, on PostgreSQL. The exit status is 1 on any fault.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.fresh import databases
from tests.soak import heads, lock, names, orphans

Result = tuple[str, list[str]]  # the observations and the faults


def held_lock(url: str) -> Result:
    """60 writers wait for a lock."""
    result = lock.hold_lock(url)
    summary = f"health {result.health.slowest:.2f} s, reads {result.reads.slowest:.2f} s, writers {result.writes.slowest:.1f} s at most"
    return summary, result.problems()


def slow_name_server(url: str) -> Result:
    """45 sign-ups wait for a name server."""
    sign_up_stats, question_stats = names.slow_names(url)
    summary = f"questions of others {question_stats.slowest:.2f} s at most, sign-ups {sign_up_stats.slowest:.1f} s"
    return summary, names.problems(sign_up_stats, question_stats)


def endless_heads(url: str) -> Result:
    """72 callers send 60 MB of head each, 24 send half of one."""
    growth, half, other_answers = heads.endless_heads(url)
    summary = f"memory +{growth / 2**20:.0f} MB, half a head open for {half:.0f} s, others {other_answers.slowest:.2f} s at most"
    return summary, heads.problems(growth, half, other_answers)


def killed_parents(url: str) -> Result:
    """The first process of several is killed."""
    if url.startswith("sqlite"):
        return "one process only", []
    durations = orphans.orphans(url)
    return f"all gone after {max(durations):.1f} s at most", orphans.problems(durations)


CASES: Final[tuple[Callable[[str], Result], ...]] = (held_lock, slow_name_server, endless_heads, killed_parents)


def results(only: str = "") -> Iterator[tuple[str, str, str, list[str]]]:
    """Run each case on a database of its own."""
    for case in CASES:
        with databases(only) as urls:
            for database, url in urls.items():
                summary, problems = case(url)
                yield database, (case.__doc__ or "").rstrip("."), summary, problems


def main(only: str = "") -> int:
    """Print the observations."""
    table = Table("database", "case", "seen", "wrong", title="what stands still, and the rest")
    failed = False
    for database, case, summary, problems in results(only):
        table.add_row(database, case, summary, "; ".join(problems) or "nothing")
        failed = failed or bool(problems)
    Console(width=180).print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
