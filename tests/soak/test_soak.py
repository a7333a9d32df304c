"""The soak test still runs, and fails when it should. `make soak` makes the million decisions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.releases.release_log import read_state
from api.runtime.rules_in_force import EvaluatorsCache, context_of
from api.store import clock
from api.store.database import Database, open_database, reading
from engine.decide.decide import ReferenceEvaluator, decide
from engine.lang.engines.durable import DurableEvaluator
from tests.api.audit_client import tamper
from tests.api.proposals.tiny_rules import tiny_files
from tests.bench.decide import people_of_a_town, questions
from tests.bench.fresh import on_postgres
from tests.effort import only_in_full
from tests.paths import ROOT
from tests.soak import release_checks, releases
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


def ask_and_release(database: Database, home: Path) -> None:
    """A decision under each of two releases."""
    people = releases.people_of(database, home)
    for number, hours in enumerate((12, 13)):
        if number:
            people.release(tiny_files(hours))
        context = context_of(database, read_state(database), EvaluatorsCache(), clock.now())
        question = EligibilityQuestion("shop-0", f"T-{number}", "p-1", "", 10_000, "", clock.now(), service="hire")
        assert answer_question(context, question).outcome == "ADMIT"
        context.evaluators.close()


def test_the_soak_of_releases_finds_what_the_log_does_not_name(tmp_path: Path) -> None:
    load = releases.prepare(f"sqlite:///{tmp_path / 'iftah.db'}", tmp_path)
    database = open_database(load.url)
    ask_and_release(database, tmp_path)

    def problems() -> list[str]:
        with reading(database) as connection:
            wrong_decisions = release_checks.decision_problems(connection, database, read_state(database))
        return wrong_decisions + release_checks.state_problems(database)

    assert problems() == []
    first, second = (releases.rules_of(hours).release.id for hours in (12, 13))
    tamper(database, f"update decisions set release = '{first}' where release = '{second}'")
    wrong = f"decision 2 was made under {first[:12]}, not {second[:12]}"
    assert problems() == [wrong, f"decision 2 is not what {first[:12]} alone decides"]
    tamper(database, f"update decisions set release = '{second}' where seq = 2", "update releases set loaded_at = 1")
    assert problems() == ["the table of releases names another one than the log"]
    tamper(database, "update chain_head set length = length - 1 where id = 3")
    assert "release log" in release_checks.state_problems(database)[0]
    database.dispose()


@only_in_full
def test_a_few_kills_leave_one_release_in_force(tmp_path: Path) -> None:
    with on_postgres() as url:
        if not url:
            pytest.skip("no PostgreSQL answers: one process serves SQLite")
        result = releases.soak(url, tmp_path, 3)
    assert result.problems == []
    assert result.figures["answers"] != "0"
