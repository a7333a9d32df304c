"""Check that you can replace engines while others decide: nobody waits, no decision changes, and no memory leaks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from threading import Event

import pytest

from engine.decide.decide import ReferenceEvaluator, assess
from engine.decide.evaluators import Evaluators
from engine.lang.check.release import release_of
from engine.lang.engines.durable import DurableEvaluator
from engine.lang.model.program import Program
from tests.engine import small_rules
from tests.engine.small_rules import DAY

MEGABYTE = 2**20
PROGRAMS = [small_rules.release("trust.yaml", "base: 500", f"base: {base}") for base in (400, 500, 600)]
needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


class EvaluatorSlot:
    """Imitates a server: it holds the engine in force, and replaces it in one step."""

    def __init__(self, evaluator: DurableEvaluator) -> None:
        self.evaluator = evaluator


def resident() -> int:
    """The resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def replace_evaluator(slot: EvaluatorSlot, times: int) -> None:
    programs: Iterator[Program] = islice(cycle(PROGRAMS), times)
    for program in programs:
        slot.evaluator = DurableEvaluator(program)
        assess(slot.evaluator, small_rules.PERSON, DAY)


@needs_proc
def test_unreferenced_engines_are_freed() -> None:
    slot = EvaluatorSlot(DurableEvaluator(PROGRAMS[0]))
    replace_evaluator(slot, 200)
    before = resident()
    replace_evaluator(slot, 720)
    assert resident() - before < 8 * MEGABYTE


@needs_proc
def test_the_engines_of_a_release_are_freed() -> None:
    card = ("trust.yaml", "recent: credit.last_missed >= 2024-01-01", "recent: watch.thrice")
    release = release_of(small_rules.base_with(*card), small_rules.SCHEMA, small_rules.KINDS)

    def open_often(times: int) -> None:
        for _ in range(times):
            pattern_evaluators = Evaluators(release).pattern_evaluators(DAY)
            assert pattern_evaluators.flags([], 0, {"credit"}) == {"watch.thrice": False}

    open_often(100)
    before = resident()
    open_often(900)
    assert resident() - before < 20 * MEGABYTE


def test_a_decision_keeps_its_engine_while_the_release_is_replaced() -> None:
    expected = {r.scorecard.base: assess(ReferenceEvaluator(r), small_rules.PERSON, DAY) for r in PROGRAMS}
    slot, stop = EvaluatorSlot(DurableEvaluator(PROGRAMS[0])), Event()

    def decides(_: int) -> int:
        count = 0
        while not stop.is_set():
            evaluator = slot.evaluator
            for _ in range(5):
                assert assess(evaluator, small_rules.PERSON, DAY) == expected[evaluator.program.scorecard.base]
                count += 1
        return count

    with ThreadPoolExecutor(4) as threads:
        deciding = [threads.submit(decides, n) for n in range(4)]
        replace_evaluator(slot, 300)
        stop.set()
        assert all(d.result() > 0 for d in deciding)


def test_a_closed_engine_is_not_freed_twice() -> None:
    lasting = DurableEvaluator(PROGRAMS[1])
    for _ in range(50):
        evaluator = DurableEvaluator(PROGRAMS[0])
        assess(evaluator, small_rules.PERSON, DAY)
        evaluator.close()
        del evaluator
        assert assess(lasting, small_rules.PERSON, DAY).score == 670
    lasting.close()
