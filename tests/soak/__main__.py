"""Soak test of durable-rules: `python -m tests.soak [--quick]`, or `make soak`. About two minutes.

We make a million decisions in one process, by the shipped rules, about people of a town. We read the resident memory at every
tenth; it must not grow by more than 20 MB after the warm-up. Then eight threads decide under two releases at once, and we compare
each decision with the reference's. The exit status is 1 if memory grew or a decision was wrong.
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

from api.releases import rules_folder
from api.releases.catalogue import kinds, schema
from engine.decide.decide import Decision, DecisionInputs, ReferenceEvaluator, decide
from engine.lang.check.release import release_of
from engine.lang.engines.durable import DurableEvaluator
from engine.lang.model.program import Program
from tests.bench.decide import DAY, RULES, people_of_a_town, questions

MEGABYTE: Final = 2**20
THREADS: Final = 8
READINGS: Final = 10
STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True)
class SoakSize:
    """The sizes of a run."""

    people: int
    decisions: int
    in_threads: int


WHOLE, QUICK = SoakSize(300, 1_000_000, 200_000), SoakSize(20, 5_000, 2_000)


def resident() -> float:
    """Megabytes resident in this process; without /proc, its peak."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize() / MEGABYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


def memory_readings(
    program: Program, town_questions: Sequence[DecisionInputs], decisions: int
) -> Iterator[tuple[int, float]]:
    """Decisions made and resident megabytes: after the warm-up of a tenth, and after each tenth."""
    evaluator = DurableEvaluator(program)
    try:
        tenth = decisions // READINGS
        for count in range(-tenth, decisions + 1):
            if count >= 0 and count % tenth == 0:
                yield count, resident()
            decide(evaluator, town_questions[count % len(town_questions)])
    finally:
        evaluator.close()


def count_mismatches(
    evaluators: Sequence[DurableEvaluator], expected: Sequence[Sequence[Decision]], decisions: int
) -> int:
    """The number of wrong decisions by eight threads, which use every engine in turn: one decision per question and engine."""

    def of_a_thread(first: int) -> int:
        mismatches = 0
        for number in range(first, decisions, THREADS):
            turn = number // THREADS % len(evaluators)
            expected_decision = expected[turn][number % len(expected[turn])]
            mismatches += decide(evaluators[turn], expected_decision.question) != expected_decision
        return mismatches

    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(of_a_thread, range(THREADS)))


def two_releases() -> tuple[Program, Program]:
    """The shipped rules, and the same rules with another base."""
    shipped = rules_folder.load_folder(RULES)
    text = shipped.files["trust.yaml"]
    assert text.count("base: 480") == 1
    other = {**shipped.files, "trust.yaml": text.replace("base: 480", "base: 500")}
    return shipped.at(DAY), release_of(other, schema(), kinds()).at(DAY)


def main(arguments: list[str]) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="whether durable-rules lasts")
    parser.add_argument("--quick", action="store_true", help="a few thousand decisions, to see that it runs")
    parser.add_argument("--within", type=float, default=20, help="megabytes that memory may grow by (20)")
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else WHOLE
    first, second = two_releases()
    town_questions = questions(first, people_of_a_town(first, size.people))

    memory = Table("decisions", "MB", title="one process, resident memory")
    readings = list(memory_readings(first, town_questions, size.decisions))
    for count, megabytes in readings:
        memory.add_row(f"{count:,}", f"{megabytes:,.1f}")
    growth = max(megabytes for _, megabytes in readings) - readings[0][1]

    evaluators = DurableEvaluator(first), DurableEvaluator(second)
    expected = [[decide(ReferenceEvaluator(e.program), question) for question in town_questions] for e in evaluators]
    mismatches = count_mismatches(evaluators, expected, size.in_threads)
    threads = Table("threads", "releases", "decisions", "wrong", title="compared with the reference")
    threads.add_row(f"{THREADS}", f"{len(evaluators)}", f"{size.in_threads:,}", f"{mismatches:,}")
    Console().print(memory, f"grew by {growth:.1f} MB, of {options.within:g} at most", threads)
    return 1 if growth > options.within or mismatches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
