"""Whether durable-rules lasts: `python -m tests.soak [--quick]`, or `make soak`. About two minutes.

A million decisions in one process, the shipped rules, people of a town: resident memory is read at every tenth, and must
not have grown by more than 20 MB since the warm-up. Then eight threads decide under two releases at once, each decision
compared with the reference's. Ends with 0, or with 1 when memory grew or a decision was wrong.
"""

import argparse
import resource
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from api.catalogue import kinds, schema
from api.releases import rules_folder
from engine.decide import Decision, Question, Reference, decide
from engine.lang.check import release_of
from engine.lang.online import Online
from engine.lang.program import Program
from tests.bench.decide import DAY, RULES, people_of_a_town, questions

MEGABYTE: Final = 2**20
THREADS: Final = 8
READINGS: Final = 10
STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    people: int
    decisions: int
    in_threads: int


WHOLE, QUICK = Size(300, 1_000_000, 200_000), Size(20, 5_000, 2_000)


def resident() -> float:
    """Megabytes held by this process; where there is no /proc, the most that it ever held."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize() / MEGABYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


def lasting(program: Program, asked: Sequence[Question], decisions: int) -> Iterator[tuple[int, float]]:
    """Decisions made so far, and resident megabytes: after the warm-up of a tenth, and at each tenth from there on."""
    engine = Online(program)
    try:
        tenth = decisions // READINGS
        for count in range(-tenth, decisions + 1):
            if count >= 0 and count % tenth == 0:
                yield count, resident()
            decide(engine, asked[count % len(asked)])
    finally:
        engine.close()


def wrong(engines: Sequence[Online], expected: Sequence[Sequence[Decision]], decisions: int) -> int:
    """How many decisions, made by eight threads under every engine in turn, are not what is expected: a decision for each
    question by each engine.
    """

    def of_a_thread(first: int) -> int:
        found = 0
        for number in range(first, decisions, THREADS):
            turn = number // THREADS % len(engines)
            right = expected[turn][number % len(expected[turn])]
            found += decide(engines[turn], right.question) != right
        return found

    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(of_a_thread, range(THREADS)))


def two_releases() -> tuple[Program, Program]:
    """The shipped rules, and the same from another base."""
    shipped = rules_folder.load(RULES)
    text = shipped.files["trust.yaml"]
    assert text.count("base: 480") == 1
    other = {**shipped.files, "trust.yaml": text.replace("base: 480", "base: 500")}
    return shipped.at(DAY), release_of(other, schema(), kinds()).at(DAY)


def main(arguments: list[str]) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="whether durable-rules lasts")
    parser.add_argument("--quick", action="store_true", help="a few thousand decisions, to see that it runs")
    parser.add_argument("--within", type=float, default=20, help="megabytes that memory may grow by (20)")
    given = parser.parse_args(arguments)
    size = QUICK if given.quick else WHOLE
    first, second = two_releases()
    asked = questions(first, people_of_a_town(first, size.people))

    memory = Table("decisions", "MB", title="one process, resident memory")
    readings = list(lasting(first, asked, size.decisions))
    for count, held in readings:
        memory.add_row(f"{count:,}", f"{held:,.1f}")
    grown = max(held for _, held in readings) - readings[0][1]

    engines = Online(first), Online(second)
    expected = [[decide(Reference(e.program), question) for question in asked] for e in engines]
    found = wrong(engines, expected, size.in_threads)
    threads = Table("threads", "releases", "decisions", "wrong", title="compared with the reference")
    threads.add_row(f"{THREADS}", f"{len(engines)}", f"{size.in_threads:,}", f"{found:,}")
    Console().print(memory, f"grew by {grown:.1f} MB, of {given.within:g} at most", threads)
    return 1 if grown > given.within or found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
