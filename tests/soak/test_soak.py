"""The soak still runs, and fails when it should. What it finds in a million decisions is for `make soak`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.decide import Reference, decide
from engine.lang.online import Online
from tests.bench.decide import people_of_a_town, questions
from tests.soak.__main__ import main, resident, two_releases, wrong


def test_a_quick_one_ends_well_and_prints_what_it_read() -> None:
    command = [sys.executable, "-m", "tests.soak", "--quick"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("decisions", "MB", "5,000", "grew by", "threads", "wrong"):
        assert words in done.stdout


def test_it_ends_with_1_when_memory_grows_beyond_what_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--within", "-1"]) == 1  # not even by nothing
    assert "of -1 at most" in capsys.readouterr().out


def test_a_decision_that_is_not_the_reference_s_is_counted() -> None:
    first, second = two_releases()
    asked = questions(first, people_of_a_town(first, 20))
    engines = [Online(first), Online(second)]
    try:
        right = [[decide(Reference(release), question) for question in asked] for release in (first, second)]
        assert wrong(engines, right, 400) == 0
        swapped = list(reversed(engines))
        assert wrong(swapped, right, 400) == 400, "a decision names its release"
    finally:
        for engine in engines:
            engine.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_resident_memory_is_seen_to_grow() -> None:
    before = resident()
    held = bytearray(b"1") * (64 * 2**20)
    assert resident() - before > 32, "what was freed before may be used again"
    assert held[-1] == ord("1")
