"""Engines that are replaced while others decide: nobody waits, nobody is disturbed, and nothing is left behind."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from threading import Event

import pytest

from engine.decide import Reference, assess
from engine.engines import Engines
from engine.lang.check import release_of
from engine.lang.online import Online
from engine.lang.program import Program
from tests.engine import small
from tests.engine.small import DAY

MEGABYTE = 2**20
PROGRAMS = [small.release("trust.yaml", "base: 500", f"base: {base}") for base in (400, 500, 600)]
needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


class Held:
    """What a server has: the engine in force, replaced in one step."""

    def __init__(self, engine: Online) -> None:
        self.engine = engine


def resident() -> int:
    """Bytes of memory held by this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def replaced(held: Held, times: int) -> None:
    following: Iterator[Program] = islice(cycle(PROGRAMS), times)
    for program in following:
        held.engine = Online(program)
        assess(held.engine, small.PERSON, DAY)


@needs_proc
def test_engines_that_nobody_holds_any_more_leave_nothing_behind() -> None:
    held = Held(Online(PROGRAMS[0]))
    replaced(held, 200)
    before = resident()
    replaced(held, 720)
    assert resident() - before < 8 * MEGABYTE


@needs_proc
def test_the_engines_of_a_whole_release_leave_nothing_behind_either() -> None:
    card = ("trust.yaml", "recent: credit.last_missed >= 2024-01-01", "recent: watch.thrice")
    release = release_of(small.changed(*card), small.SCHEMA, small.KINDS)

    def made(times: int) -> None:
        for _ in range(times):
            watchers = Engines(release).watchers(DAY)
            assert watchers.flags([], 0, {"credit"}) == {"watch.thrice": False}

    made(100)
    before = resident()
    made(900)
    assert resident() - before < 20 * MEGABYTE


def test_who_decides_keeps_the_engine_that_was_taken_while_it_is_replaced() -> None:
    expected = {r.scorecard.base: assess(Reference(r), small.PERSON, DAY) for r in PROGRAMS}
    held, done = Held(Online(PROGRAMS[0])), Event()

    def decides(_: int) -> int:
        count = 0
        while not done.is_set():
            engine = held.engine
            for _ in range(5):
                assert assess(engine, small.PERSON, DAY) == expected[engine.program.scorecard.base]
                count += 1
        return count

    with ThreadPoolExecutor(4) as threads:
        deciding = [threads.submit(decides, n) for n in range(4)]
        replaced(held, 300)
        done.set()
        assert all(d.result() > 0 for d in deciding)


def test_an_engine_closed_by_hand_is_not_freed_again_when_it_is_let_go() -> None:
    lasting = Online(PROGRAMS[1])
    for _ in range(50):
        engine = Online(PROGRAMS[0])
        assess(engine, small.PERSON, DAY)
        engine.close()
        del engine
        assert assess(lasting, small.PERSON, DAY).score == 670
    lasting.close()
