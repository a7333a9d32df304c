"""A server checks and measures proposals in the background, one failure does not stop the others, and the first worker wins."""

import logging
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete

from api.http.app import create_app
from api.jobs import proposal_checker
from api.jobs.proposal_checker import ProposalChecker, advance_proposal
from api.proposals import measurement
from api.proposals.actors import THE_SYSTEM
from api.releases import probe
from api.releases.probe import ProbeKilled
from api.releases.release_log import read_state
from api.store import clock
from api.store.database import writing
from api.store.tables import RELEASE_OBJECTS
from engine.errors import Rejected
from tests.api.http.proposal_client import ProposalClient, rental_context, rental_files
from tests.api.town import shipped_release

BROKEN = {"trust.yaml": "kind: scorecard"}


@pytest.fixture
def client(database: Engine) -> ProposalClient:
    return ProposalClient(rental_context(database))


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 120
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def kinds(client: ProposalClient, number: int) -> list[str]:
    return [step["kind"] for step in client.wang.get(f"proposals/{number}")["steps"]]


def test_a_server_checks_and_measures_drafts_while_it_answers(database: Engine) -> None:
    """The health route needs a build, so another route answers here."""
    context = rental_context(database)
    with TestClient(create_app(context, background=True), raise_server_exceptions=False) as http:
        client = ProposalClient(context, http=http)
        number, broken = client.draft(rental_files(80), message="a change"), client.draft(BROKEN)
        assert client.state(number) in ("draft", "checked", "measured")
        wait_for(lambda: client.state(number) == "measured")
        wait_for(lambda: client.wang.get(f"proposals/{broken}")["problems"])
        assert client.state(broken) == "draft"
        assert http.get("/v1/health/live").status_code == 200
    assert kinds(client, number) == ["draft", "check", "measurement"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_failure_is_logged_once_and_the_other_proposals_go_on(
    client: ProposalClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, broken = client.draft(rental_files(80)), client.draft(BROKEN)
    bundle = read_state(client.context.database).proposals[lost].bundle
    with writing(client.context.database) as connection:
        triggers = "select name from sqlite_master where type = 'trigger' and tbl_name = 'release_objects'"
        for (name,) in connection.exec_driver_sql(triggers).all():
            connection.exec_driver_sql(f"drop trigger {name}")
        connection.execute(delete(RELEASE_OBJECTS).where(RELEASE_OBJECTS.c.hash == bundle))
    monkeypatch.setattr(proposal_checker, "RETRY_SECONDS", 0.0)
    caplog.set_level(logging.INFO, "iftah")
    checker = ProposalChecker()
    for _ in range(3):
        checker.look(client.context, Event())
    lines = [record.getMessage() for record in caplog.records if "check proposal" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].startswith(f"to check proposal {lost}: not done: ")
    assert kinds(client, broken) == ["draft", "check"]


def test_of_two_workers_the_first_one_puts_its_result_on_record(client: ProposalClient) -> None:
    number = client.draft(rental_files(80))
    with ThreadPoolExecutor(2) as threads:
        workers = [threads.submit(advance_proposal, client.context.database, number, Event()) for _ in range(2)]
        errors = [error.code for worker in workers if isinstance(error := worker.exception(), Rejected)]
    assert set(errors) <= proposal_checker.OVERTAKEN
    assert kinds(client, number) == ["draft", "check", "measurement"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_late_worker_does_not_void_a_signature(client: ProposalClient) -> None:
    number, now = client.in_review(rental_files(80)), clock.micros(clock.now())
    measurement.measure_proposal(client.context.database, THE_SYSTEM, number, now)
    assert measurement.check_proposal(client.context.database, number, now).state == "in review"
    assert client.state(number) == "in review"
    assert kinds(client, number)[-1] == "submission"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_server_that_stops_puts_no_half_check_on_record(client: ProposalClient) -> None:
    number, stop = client.draft(rental_files(80)), Event()
    stop.set()
    with pytest.raises(Rejected, match="the probe was stopped with the server"):
        advance_proposal(client.context.database, number, stop)
    assert kinds(client, number) == ["draft"]


DYING_PROBE = """
import os, signal, sys
from pathlib import Path
from api.releases import probe
starts = Path(sys.argv[1])
starts.write_text(starts.read_text() + "x")
if len(starts.read_text()) <= int(sys.argv[2]):
    os.kill(os.getpid(), signal.SIGKILL)
probe.disagreement = lambda evaluators: None
probe.main()
"""


@pytest.fixture
def dying_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """Let the system kill the process that checks, so many times. Returns the file with a letter for each start."""

    def install(kills: int) -> Path:
        starts = tmp_path / "starts"
        starts.write_text("")
        command = [sys.executable, "-c", DYING_PROBE, str(starts), str(kills)]
        monkeypatch.setattr(probe, "Probe", partial(probe.Probe, command))
        monkeypatch.setattr(proposal_checker, "RETRY_SECONDS", 0.0)
        return starts

    return install


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_killed_check_is_tried_again_and_says_nothing_about_the_rules(
    client: ProposalClient, dying_probe: Callable[[int], Path], caplog: pytest.LogCaptureFixture
) -> None:
    starts, number = dying_probe(2), client.draft(rental_files(80))
    caplog.set_level(logging.INFO, "iftah")
    for letters in ("x", "xx"):
        client.check()
        assert starts.read_text() == letters
        assert (kinds(client, number), client.wang.get(f"proposals/{number}")["problems"]) == (["draft"], [])
    client.check()
    assert client.state(number) == "measured"
    lines = [record.getMessage() for record in caplog.records if "check proposal" in record.getMessage()]
    begin = f"to check proposal {number}: not done: rules: the probe was killed by SIGKILL ("
    assert [line.startswith(begin) for line in lines] == [True, False]
    assert lines[1] == f"to check proposal {number}: done again"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_check_that_is_always_killed_ends_and_says_so(
    client: ProposalClient, dying_probe: Callable[[int], Path]
) -> None:
    starts, number = dying_probe(99), client.draft(rental_files(80))
    for _ in range(measurement.MAX_KILLS + 2):
        client.check()
    assert len(starts.read_text()) == measurement.MAX_KILLS
    proposal = client.wang.get(f"proposals/{number}")
    assert proposal["state"] == "draft"
    (problem,) = proposal["problems"]
    assert problem.startswith("the rules were not checked: the probe was killed by SIGKILL, 3 times (")
    body = {"files": rental_files(80), "message": "check it again"}
    assert client.wang.send("PUT", f"proposals/{number}", body).status_code == 200
    client.check()
    assert len(starts.read_text()) == measurement.MAX_KILLS + 1
    assert client.wang.get(f"proposals/{number}")["problems"] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_command_checks_again_at_once(client: ProposalClient, dying_probe: Callable[[int], Path]) -> None:
    starts, number = dying_probe(2), client.draft(rental_files(80))
    now = clock.micros(clock.now())
    assert measurement.check_patiently(client.context.database, number, now, pause_seconds=0.0).state == "checked"
    assert starts.read_text() == "xxx"


def test_a_probe_without_memory_is_not_a_problem_of_the_rules() -> None:
    script = (
        "from api.releases import probe\ndef fail(files): raise MemoryError\nprobe._run_checks = fail\nprobe.main()"
    )
    release = shipped_release()
    with pytest.raises(ProbeKilled, match="had not enough memory"):
        probe.run_probe(release, [sys.executable, "-c", script])
