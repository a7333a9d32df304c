"""Rules change while a server answers: a real process on a real port, files that we write meanwhile, probes that hang or die."""

import json
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from api.http.server import bound_socket, serve
from api.jobs.reload import ReloadOptions
from api.releases import releases, rules_folder
from api.runtime import bootstrap
from api.settings.settings import settings
from api.store.database import open_database, writing
from engine.decide.decide import ReferenceEvaluator, decide, question_from_record
from tests.api import fork_server
from tests.api.database_templates import Template
from tests.api.refresh_town import current_scores
from tests.api.server_process import IsolatedServer
from tests.api.terminal import environment, run_in_process
from tests.api.town import shipped_release
from tests.paths import ROOT

HANGING_PROBE = "echo $$ > {}; exec sleep 600"  # its process id is there at once, also on a slow machine


# The probe without its comparison of engines. One test here and `tests/api/releases/test_probe.py` run all of it.
QUICK_PROBE = "from api.releases import probe; probe.disagreement = lambda evaluators: None; probe.main()"
QUICK_COMMAND = [sys.executable, "-P", "-c", QUICK_PROBE]

SHIPPED_ID = shipped_release().id


def serve_with(options: dict[str, Any]) -> None:
    """`iftah serve` with another probe, or other times: only a probe that hangs shows the effect."""
    current_settings = settings()
    with bound_socket(current_settings.host, current_settings.port) as listener:
        serve(bootstrap.load_context(current_settings), listener, ReloadOptions(current_settings.rules, **options))


@pytest.fixture(scope="module")
def town_file(town_template: Template) -> Path:
    return town_template.file


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, town_file: Path) -> Iterator[IsolatedServer]:
    options = {"command": QUICK_COMMAND, "quiet_seconds": 0.2}
    server = IsolatedServer(tmp_path_factory.mktemp("served"), town_file, serve_with, options)
    yield server
    server.stop()


@pytest.fixture
def server(shared_server: IsolatedServer) -> Iterator[IsolatedServer]:
    """`iftah serve`. It serves the folder that the earlier test left: a release, and no rejection."""
    shared_server.restore()
    yield shared_server
    assert shared_server.process.poll() is None


@pytest.fixture
def hanging_server(tmp_path: Path, town_file: Path) -> Iterator[tuple[IsolatedServer, Path]]:
    """A server whose probe hangs after it has written its process id into the file. The server waits two minutes for it."""
    pid = tmp_path / "pid"
    yield from _server_with_hanging_probe(tmp_path, town_file, pid, 120)


@pytest.fixture
def impatient_server(tmp_path: Path, town_file: Path) -> Iterator[tuple[IsolatedServer, Path]]:
    """The same, with a wait of one second."""
    yield from _server_with_hanging_probe(tmp_path, town_file, tmp_path / "pid", 1)


def _server_with_hanging_probe(
    folder: Path, town_file: Path, pid: Path, seconds: float
) -> Iterator[tuple[IsolatedServer, Path]]:
    options = {"command": ["sh", "-c", HANGING_PROBE.format(pid)], "probe_seconds": seconds}
    server = IsolatedServer(folder, town_file, serve_with, options)
    yield server, pid
    server.stop()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_pid(pid: Path) -> int:
    """The process id of a probe, once it has started."""
    for _ in range(600):
        if pid.exists() and pid.read_text():
            return int(pid.read_text())
        time.sleep(0.05)
    pytest.fail("no probe was started")


def test_every_answer_uses_one_release_while_the_rules_change(server: IsolatedServer) -> None:
    people, stop, failures = server.people(), threading.Event(), list[str]()
    release_before = server.health()["release"]
    record_count = len(server.records())

    def ask_repeatedly(start: int) -> None:
        while not stop.is_set():
            for person in people[start::4]:
                try:
                    server.ask(person)
                    stop.wait(0.01)
                except Exception as error:
                    failures.append(repr(error))

    threads = [threading.Thread(target=ask_repeatedly, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        change = server.rebase(10)
        changed_release = server.wait_for_new_release(release_before)["release"]
        server.ask(people[0])  # under each release at least once, for any length of the askers' round
        server.edit("trust.yaml", *reversed(change))
        server.wait_for_new_release(changed_release)
        server.ask(people[0])
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    records = server.records()[record_count:]
    assert {r["decision"]["release"] for r in records} == {release_before, changed_release}
    stored_releases = {name: releases.load_release(server.database, name) for name in (release_before, changed_release)}
    for record in records:
        question = question_from_record(record["decision"])
        replay = decide(ReferenceEvaluator(stored_releases[record["decision"]["release"]].at(question.day)), question)
        assert json.loads(replay.canonical()) == record["decision"]
    # ten points more for the same person, unless the range ends
    scores = {
        r["decision"]["release"]: r["decision"]["scored"]["score"] for r in records if _subject_of(r) == people[0]
    }
    assert scores[changed_release] - scores[release_before] == 10


def _subject_of(record: dict[str, Any]) -> str:
    return str(record["decision"]["question"]["subject"])


def test_health_and_the_log_state_the_start_of_a_new_release(server: IsolatedServer) -> None:
    health_before = server.health()
    server.rebase()
    health_after = server.wait_for_new_release(health_before["release"])
    assert datetime.fromisoformat(health_after["since"]) > datetime.fromisoformat(health_before["since"])
    assert health_after["rules_refused"] is None
    line = f"release {health_after['release'][:12]} serves, no longer {health_before['release'][:12]}: check "
    assert [entry for entry in server.log_lines() if line in entry]
    assert releases.load_release(server.database, health_after["release"]).id == health_after["release"]


def test_a_broken_file_leaves_the_release_in_force_until_it_is_fixed(server: IsolatedServer) -> None:
    release_before = server.health()["release"]
    server.edit("trust.yaml", "feature: credit.kept\n", "feature: credit.keptt\n")
    problems = server.wait_for_rejection()
    assert re.fullmatch(r"trust\.yaml:\d+:14 error R101 unknown name `credit\.keptt` \(did you mean .*\)", problems[0])
    assert server.health()["release"] == release_before
    server.ask(server.people()[0])
    assert server.records()[-1]["decision"]["release"] == release_before
    server.edit("trust.yaml", "feature: credit.keptt\n", "feature: credit.kept\n")
    assert server.wait_until(lambda health: health["rules_refused"] is None)["release"] == release_before


def test_every_problem_is_logged_once_and_not_at_every_look(server: IsolatedServer) -> None:
    line_count, release_before = len(server.log_lines()), server.health()["release"]
    for name in ("kept", "missed", "open"):
        server.edit("trust.yaml", f"feature: credit.{name}\n", f"feature: credit.{name}xx\n")
    assert server.wait_until(lambda health: (health["rules_refused"] or {}).get("problems") == 3)
    time.sleep(0.9)  # several looks
    log = "\n".join(server.log_lines()[line_count:])
    assert log.count(f"the rules folder is rejected, release {release_before[:12]} stays in force: 3 problems") == 1
    for name in ("kept", "missed", "open"):
        assert log.count(f"error R101 unknown name `credit.{name}xx`") == 1


def test_files_saved_together_are_one_change(server: IsolatedServer) -> None:
    line_count, release_before = len(server.log_lines()), server.health()["release"]
    server.edit("trust.yaml", "reason: few_promises_kept", "reason: kept_too_few")  # unknown, until the next line
    server.edit("reasons.yaml", "few_promises_kept:", "kept_too_few:")
    server.wait_for_new_release(release_before)
    assert not [line for line in server.log_lines()[line_count:] if "is rejected" in line]


CASE = """kind: cases
as_of: 2026-01-01
base: {identity.level: 2, credit.written_off_5y: 0, credit.missed_12m: 0, watch.missed_thrice: false}
cases:
  - {name: a room at 600, score: 600, perk: hotel, amount: 1000 CNY, expect: {outcome: ADMIT}}
"""


def test_a_folder_with_failing_cases_does_not_go_live(server: IsolatedServer) -> None:
    release_before = server.health()["release"]
    (server.rules / "hotel.cases.yaml").write_text(CASE, encoding="utf-8")
    change = "hotel.bad_record, when: bad_record,", "hotel.bad_record, when: credit.written_off_5y >= 0,"
    server.edit("perks.yaml", *change)  # nobody gets a room any more, and the rules check
    (problem,) = server.wait_for_rejection()
    assert problem.startswith("hotel.cases.yaml:5:5 error case a room at 600: ")
    assert server.health()["release"] == release_before
    server.edit("perks.yaml", *reversed(change))
    server.wait_until(lambda health: health["rules_refused"] is None)
    server.rebase()  # the case passes
    assert server.wait_for_new_release(release_before)["rules_refused"] is None
    (server.rules / "hotel.cases.yaml").unlink()
    assert server.wait_until(
        lambda health: "0 cases, 1 before" in (health["policy_changed"] or {"changes": []})["changes"]
    )
    assert any("lost content: 0 cases, 1 before" in line for line in server.log_lines())


def test_a_folder_that_differs_from_its_manifest_does_not_go_live(server: IsolatedServer) -> None:
    release_before = server.health()["release"]
    sums = {n: sha256(p.read_bytes()).hexdigest() for n, p in rules_folder.rule_paths(server.rules)}
    manifest = server.rules / rules_folder.MANIFEST
    manifest.write_text("".join(f"{sum_}  {name}\n" for name, sum_ in sums.items()), encoding="utf-8")
    server.rebase()  # a file of a copy in progress
    assert server.wait_for_rejection() == ["trust.yaml is not what the manifest says: SHA256SUMS is to be written last"]
    assert server.health()["release"] == release_before
    sums["trust.yaml"] = sha256((server.rules / "trust.yaml").read_bytes()).hexdigest()
    manifest.write_text("".join(f"{sum_} *./{name}\n" for name, sum_ in sums.items()), encoding="utf-8")
    assert server.wait_for_new_release(release_before)["rules_refused"] is None
    manifest.unlink()


def test_a_change_of_comments_keeps_the_release(server: IsolatedServer) -> None:
    health_before = server.health()
    server.edit("trust.yaml", "kind: scorecard", "kind: scorecard # as it was")
    server.edit("perks.yaml", "    currency: CNY\n    most: 200 CNY\n", "    currency: XYZ\n    most: 200 CNY\n")
    assert "error R013" in server.wait_for_rejection()[0]
    server.edit("perks.yaml", "    currency: XYZ\n", "    currency: CNY\n")
    health_after = server.wait_until(lambda health: health["rules_refused"] is None)
    assert (health_after["release"], health_after["since"]) == (health_before["release"], health_before["since"])


def test_a_missing_folder_is_refused_and_serves_when_restored(server: IsolatedServer, tmp_path: Path) -> None:
    release_before, backup = server.health()["release"], shutil.copytree(server.rules, tmp_path / "kept")
    shutil.rmtree(server.rules)
    assert server.wait_for_rejection() == [
        "rules: there is no such folder (name the folder of rule files with IFTAH_RULES)"
    ]
    server.ask(server.people()[0])
    server.rules.mkdir()
    server.wait_until(lambda health: "there are no rule files" in health["rules_refused"]["first"][0])
    server.rules.rmdir()
    shutil.copytree(backup, server.rules)
    server.rebase()
    assert server.wait_until(lambda health: health["rules_refused"] is None)["release"] != release_before


def test_a_change_of_policy_is_in_the_log_and_in_health(server: IsolatedServer) -> None:
    line_count, release_before = len(server.log_lines()), server.health()["release"]
    server.edit("policy.yaml", "relationships_share: 5", "relationships_share: 10")
    server.edit("policy.yaml", "  - age\n", "")
    health_after = server.wait_for_new_release(release_before)
    changes = ["forbidden_names without `age`", "relationships_share 5 -> 10"]
    assert health_after["policy_changed"]["changes"] == changes
    assert health_after["policy_changed"]["at"] == health_after["since"]
    for line in changes:
        entries = [json.loads(x) for x in server.log_lines()[line_count:] if x.startswith("{")]
        assert [x for x in entries if (x["level"], x["event"]) == ("warning", f"the policy has changed: {line}")]
    server.rebase()  # another release, the same policy: we still report the change
    later_health = server.wait_for_new_release(health_after["release"])
    assert later_health["policy_changed"] == health_after["policy_changed"]


def test_a_hanging_probe_is_killed_and_the_release_in_force_stays(
    impatient_server: tuple[IsolatedServer, Path],
) -> None:
    server, pid = impatient_server
    change = server.rebase()
    assert server.wait_for_rejection() == ["rules: the probe did not end within 1 s"]
    server.ask(server.people()[0])
    assert server.records()[-1]["decision"]["release"] == SHIPPED_ID
    server.edit("trust.yaml", *reversed(change))
    server.wait_until(lambda health: health["rules_refused"] is None)
    probe = wait_for_pid(pid)
    server.wait_until(lambda health: not is_alive(probe))  # ended after the folder's state is known


def test_the_server_answers_while_a_probe_hangs_or_is_killed(
    hanging_server: tuple[IsolatedServer, Path],
) -> None:
    server, pid = hanging_server
    server.rebase()
    probe = wait_for_pid(pid)
    server.ask(server.people()[0])
    assert server.health()["rules_refused"] is None
    os.kill(probe, signal.SIGKILL)
    (problem,) = server.wait_for_rejection()
    assert problem.startswith("rules: the probe was killed by SIGKILL (")
    assert server.health()["release"] == SHIPPED_ID


def test_a_release_that_the_database_rejects_is_tried_again(tmp_path: Path, town_file: Path) -> None:
    server = IsolatedServer(tmp_path, town_file, serve_with, {"quiet_seconds": 0.2, "retry_seconds": 0.3})
    trigger = "create trigger full before insert on releases begin select raise(abort, 'full'); end"
    with writing(server.database) as connection:
        connection.exec_driver_sql(trigger)
    server.rebase()
    assert server.wait_for_rejection() == ["the database does not store the release; we will try again"]
    assert server.health()["release"] == SHIPPED_ID
    with writing(server.database) as connection:
        connection.exec_driver_sql("drop trigger full")
    health_after = server.wait_until(lambda health: health["rules_refused"] is None)
    assert health_after["release"] != SHIPPED_ID
    assert len([line for line in server.log_lines() if "what was recorded is not changed" in line]) == 1
    server.stop()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_stops_leaves_no_probe_behind(
    hanging_server: tuple[IsolatedServer, Path], sign: signal.Signals
) -> None:
    server, pid = hanging_server
    server.rebase()
    probe = wait_for_pid(pid)
    os.kill(server.process.pid, sign)
    server.process.wait(30)
    assert not is_alive(probe)


def test_a_folder_with_problems_is_not_served_at_start(town_template: Template, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    trust = tmp_path / "rules" / "trust.yaml"
    trust.write_text(trust.read_text().replace("credit.kept\n", "credit.keptt\n"))
    with town_template.lend("", tmp_path) as url, socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = str(sock.getsockname()[1])
        sock.close()
        overrides = {"IFTAH_DATABASE_URL": url, "IFTAH_RULES": str(tmp_path / "rules"), "IFTAH_PORT": port}
        completed = run_in_process(("serve",), environment(**overrides))
    assert completed.returncode == 2
    assert re.search(r"trust\.yaml:\d+:14 error R101 ", completed.stderr)


def test_commands_report_a_change_of_policy_once(town_template: Template, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    policy = tmp_path / "rules" / "policy.yaml"
    policy.write_text(policy.read_text().replace("relationships_share: 5", "relationships_share: 7"))
    with town_template.lend("", tmp_path) as url:
        overrides = {"IFTAH_RULES": str(tmp_path / "rules"), "IFTAH_DATABASE_URL": url}

        def run_command(*args: str, **changes: str) -> list[str]:
            completed = fork_server.run_iftah(tmp_path, args, environment(**overrides | changes))
            assert completed.returncode == 0
            return completed.stderr.splitlines()

        database = open_database(url)
        person = min(p for p, (score, _) in current_scores(database).items() if score)
        database.dispose()
        eligible_args = ("eligible", person, "--perk", "hotel", "--amount", "500")
        assert run_command("score") == ["the policy has changed: relationships_share 5 -> 7"]
        assert run_command("score") == run_command(*eligible_args) == []
        # back to the shipped rules, which the database has known for longer
        assert run_command(*eligible_args, IFTAH_RULES=str(ROOT / "rules")) == [
            "the policy has changed: relationships_share 7 -> 5"
        ]
