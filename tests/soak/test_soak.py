"""The soak test still runs, and fails when it should. `make soak` makes the million decisions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.decide.decide import ReferenceEvaluator, decide
from engine.lang.engines.durable import DurableEvaluator
from tests.bench.decide import people_of_a_town, questions
from tests.effort import only_in_full
from tests.paths import ROOT
from tests.soak.__main__ import count_mismatches, main, resident, two_releases


@only_in_full
def test_a_quick_soak_succeeds_and_prints_its_measurements() -> None:
    command = [sys.executable, "-m", "tests.soak", "--quick"]
    root = ROOT
    completed = subprocess.run(
        command, cwd=root, env=os.environ, capture_output=True, text=True, timeout=240, check=False
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    for words in ("decisions", "MB", "5,000", "grew by", "threads", "wrong"):
        assert words in completed.stdout


def test_the_soak_exits_with_1_when_memory_exceeds_its_limit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--within", "-1"]) == 1  # no growth at all is allowed
    assert "of -1 at most" in capsys.readouterr().out


def test_a_decision_that_differs_from_the_reference_is_counted() -> None:
    first, second = two_releases()
    town_questions = questions(first, people_of_a_town(first, 20))
    evaluators = [DurableEvaluator(first), DurableEvaluator(second)]
    try:
        expected = [
            [decide(ReferenceEvaluator(release), question) for question in town_questions]
            for release in (first, second)
        ]
        assert count_mismatches(evaluators, expected, 400) == 0
        swapped = list(reversed(evaluators))
        assert count_mismatches(swapped, expected, 400) == 400, "a decision names its release"
    finally:
        for evaluator in evaluators:
            evaluator.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_growth_of_resident_memory_is_detected() -> None:
    before = resident()
    block = bytearray(b"1") * (64 * 2**20)
    assert resident() - before > 32, "what was freed before may be used again"
    assert block[-1] == ord("1")
