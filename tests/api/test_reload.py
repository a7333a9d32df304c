"""Rules change under a server that answers: a real process on a real port, files written under it, probes that hang or die."""

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

from api import prepare, serving
from api.background.reload import Reload
from api.database import open_database, writing
from api.releases import releases, rules_folder
from api.settings import settings
from engine.decide import Reference, decide, question_of
from tests.api import warm
from tests.api.databases import Template
from tests.api.refreshing import scored
from tests.api.served import Server
from tests.api.terminal import environment, in_process
from tests.api.world import ROOT, shipped

HANGS = "import os, pathlib, time; pathlib.Path({!r}).write_text(str(os.getpid())); time.sleep(600)"


SHIPPED = shipped().id


def serves(how: dict[str, Any]) -> None:
    """`iftah serve` with another probe, or other times: what a probe that hangs does can be seen only with one that does."""
    chosen = settings()
    with serving.listening(chosen.host, chosen.port) as taken:
        serving.serve(prepare.enforced(chosen), taken, Reload(chosen.rules, **how))


@pytest.fixture(scope="module")
def town_file(settled: Template) -> Path:
    return settled.file


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, town_file: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("served"), town_file, serves, {"quiet": 0.2})
    yield server
    server.stop()


@pytest.fixture
def server(lasting: Server) -> Iterator[Server]:
    """`iftah serve`, serving what an earlier test has left in its folder: a release, and nothing against it."""
    lasting.restore()
    yield lasting
    assert lasting.process.poll() is None


@pytest.fixture
def hanging(tmp_path: Path, town_file: Path) -> Iterator[tuple[Server, Path]]:
    """A server whose probe hangs once it has written its process id into the file; it is waited for two minutes."""
    pid = tmp_path / "pid"
    yield from _hanging(tmp_path, town_file, pid, 120)


@pytest.fixture
def impatient(tmp_path: Path, town_file: Path) -> Iterator[tuple[Server, Path]]:
    """The same, waited for a second."""
    yield from _hanging(tmp_path, town_file, tmp_path / "pid", 1)


def _hanging(folder: Path, town_file: Path, pid: Path, seconds: float) -> Iterator[tuple[Server, Path]]:
    how = {"command": [sys.executable, "-c", HANGS.format(str(pid))], "seconds": seconds}
    found = Server(folder, town_file, serves, how)
    yield found, pid
    found.stop()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def started(pid: Path) -> int:
    """The process id of a probe, once it has started."""
    for _ in range(600):
        if pid.exists() and pid.read_text():
            return int(pid.read_text())
        time.sleep(0.05)
    pytest.fail("no probe was started")


def test_every_answer_is_of_one_release_while_the_rules_change_under_four_askers(server: Server) -> None:
    people, stop, failures = server.people(), threading.Event(), list[str]()
    before = server.health()["release"]
    already = len(server.records())

    def askers(start: int) -> None:
        while not stop.is_set():
            for person in people[start::4]:
                try:
                    server.ask(person)
                except Exception as error:
                    failures.append(repr(error))

    threads = [threading.Thread(target=askers, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        change = server.rebase(10)
        changed = server.other(before)["release"]
        server.ask(people[0])  # under each release at least once, however long a round of the askers takes
        server.write("trust.yaml", *reversed(change))
        server.other(changed)
        server.ask(people[0])
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    made = server.records()[already:]
    assert {r["decision"]["release"] for r in made} == {before, changed}
    kept = {name: releases.kept(server.database, name) for name in (before, changed)}
    for record in made:
        question = question_of(record["decision"])
        again = decide(Reference(kept[record["decision"]["release"]].at(question.day)), question)
        assert json.loads(again.canonical()) == record["decision"]
    # ten points more on the same person, unless the range ends
    scores = {r["decision"]["release"]: r["decision"]["scored"]["score"] for r in made if _of(r) == people[0]}
    assert scores[changed] - scores[before] == 10


def _of(record: dict[str, Any]) -> str:
    return str(record["decision"]["question"]["subject"])


def test_health_and_the_log_say_since_when_a_new_release_serves(server: Server) -> None:
    before = server.health()
    server.rebase()
    found = server.other(before["release"])
    assert datetime.fromisoformat(found["since"]) > datetime.fromisoformat(before["since"])
    assert found["rules_refused"] is None
    line = f"release {found['release'][:12]} serves, no longer {before['release'][:12]}: check "
    assert [said for said in server.logged() if line in said]
    assert releases.kept(server.database, found["release"]).id == found["release"]


def test_a_broken_file_leaves_the_release_in_force_until_it_is_mended(server: Server) -> None:
    before = server.health()["release"]
    server.write("trust.yaml", "feature: credit.kept\n", "feature: credit.keptt\n")
    wrong = server.refused()
    assert re.fullmatch(r"trust\.yaml:\d+:14 error R101 unknown name `credit\.keptt` \(did you mean .*\)", wrong[0])
    assert server.health()["release"] == before
    server.ask(server.people()[0])
    assert server.records()[-1]["decision"]["release"] == before
    server.write("trust.yaml", "feature: credit.keptt\n", "feature: credit.kept\n")
    assert server.until(lambda health: health["rules_refused"] is None)["release"] == before


def test_every_problem_is_logged_once_and_not_at_every_look(server: Server) -> None:
    already, before = len(server.logged()), server.health()["release"]
    for name in ("kept", "missed", "open"):
        server.write("trust.yaml", f"feature: credit.{name}\n", f"feature: credit.{name}xx\n")
    assert server.until(lambda health: (health["rules_refused"] or {}).get("problems") == 3)
    time.sleep(0.9)  # several looks
    said = "\n".join(server.logged()[already:])
    assert said.count(f"the rules folder is refused, release {before[:12]} serves on: 3 problems") == 1
    for name in ("kept", "missed", "open"):
        assert said.count(f"error R101 unknown name `credit.{name}xx`") == 1


def test_files_saved_together_are_one_change(server: Server) -> None:
    already, before = len(server.logged()), server.health()["release"]
    server.write("trust.yaml", "reason: few_promises_kept", "reason: kept_too_few")  # unknown, until the next line
    server.write("reasons.yaml", "few_promises_kept:", "kept_too_few:")
    server.other(before)
    assert not [line for line in server.logged()[already:] if "refused" in line]


CASE = """kind: cases
as_of: 2026-01-01
base: {identity.level: 2, credit.written_off_5y: 0, credit.missed_12m: 0, watch.missed_thrice: false}
cases:
  - {name: a room at 600, score: 600, perk: hotel, amount: 1000, expect: {outcome: ADMIT}}
"""


def test_a_folder_whose_cases_do_not_come_out_does_not_go_live(server: Server) -> None:
    before = server.health()["release"]
    (server.rules / "hotel.cases.yaml").write_text(CASE, encoding="utf-8")
    knocked = "hotel.bad_record, when: bad_record,", "hotel.bad_record, when: credit.written_off_5y >= 0,"
    server.write("perks.yaml", *knocked)  # nobody has a room any more, and the rules check
    (said,) = server.refused()
    assert said.startswith("hotel.cases.yaml:5:5 error case a room at 600: ")
    assert server.health()["release"] == before
    server.write("perks.yaml", *reversed(knocked))
    server.until(lambda health: health["rules_refused"] is None)
    server.rebase()  # the case comes out
    assert server.other(before)["rules_refused"] is None
    (server.rules / "hotel.cases.yaml").unlink()
    assert server.until(lambda health: "0 cases, 1 before" in (health["policy_changed"] or {"changes": []})["changes"])
    assert any("has lost something: 0 cases, 1 before" in line for line in server.logged())


def test_a_folder_that_is_not_what_its_manifest_says_does_not_go_live(server: Server) -> None:
    before = server.health()["release"]
    sums = {n: sha256(p.read_bytes()).hexdigest() for n, p in rules_folder.rule_paths(server.rules)}
    manifest = server.rules / rules_folder.MANIFEST
    manifest.write_text("".join(f"{sum_}  {name}\n" for name, sum_ in sums.items()), encoding="utf-8")
    server.rebase()  # a file of a copy that is not done
    assert server.refused() == ["trust.yaml is not what the manifest says: SHA256SUMS is to be written last"]
    assert server.health()["release"] == before
    sums["trust.yaml"] = sha256((server.rules / "trust.yaml").read_bytes()).hexdigest()
    manifest.write_text("".join(f"{sum_} *./{name}\n" for name, sum_ in sums.items()), encoding="utf-8")
    assert server.other(before)["rules_refused"] is None
    manifest.unlink()


def test_a_change_of_comments_is_no_other_release(server: Server) -> None:
    before = server.health()
    server.write("trust.yaml", "kind: scorecard", "kind: scorecard # as it was")
    server.write("perks.yaml", "    currency: CNY\n    most: 200\n", "    currency: XYZ\n    most: 200\n")
    assert "error R013" in server.refused()[0]
    server.write("perks.yaml", "    currency: XYZ\n", "    currency: CNY\n")
    found = server.until(lambda health: health["rules_refused"] is None)
    assert (found["release"], found["since"]) == (before["release"], before["since"])


def test_a_folder_that_is_gone_is_refused_and_put_back_it_serves(server: Server, tmp_path: Path) -> None:
    before, kept = server.health()["release"], shutil.copytree(server.rules, tmp_path / "kept")
    shutil.rmtree(server.rules)
    assert server.refused() == ["rules: there is no such folder (name the folder of rule files with IFTAH_RULES)"]
    server.ask(server.people()[0])
    server.rules.mkdir()
    server.until(lambda health: "there are no rule files" in health["rules_refused"]["first"][0])
    server.rules.rmdir()
    shutil.copytree(kept, server.rules)
    server.rebase()
    assert server.until(lambda health: health["rules_refused"] is None)["release"] != before


def test_a_change_of_policy_is_told_in_the_log_and_by_health(server: Server) -> None:
    already, before = len(server.logged()), server.health()["release"]
    server.write("policy.yaml", "relationships_share: 5", "relationships_share: 10")
    server.write("policy.yaml", "  - age\n", "")
    found = server.other(before)
    said = ["forbidden_names without `age`", "relationships_share 5 -> 10"]
    assert found["policy_changed"]["changes"] == said
    assert found["policy_changed"]["at"] == found["since"]
    for line in said:
        told = [json.loads(x) for x in server.logged()[already:] if x.startswith("{")]
        assert [x for x in told if (x["level"], x["event"]) == ("warning", f"the policy has changed: {line}")]
    server.rebase()  # another release, the same policy: it is still told
    again = server.other(found["release"])
    assert again["policy_changed"] == found["policy_changed"]


def test_a_probe_that_hangs_is_ended_and_the_release_in_force_goes_on(impatient: tuple[Server, Path]) -> None:
    server, pid = impatient
    change = server.rebase()
    assert server.refused() == ["rules: the probe did not end within 1 s"]
    server.ask(server.people()[0])
    assert server.records()[-1]["decision"]["release"] == SHIPPED
    server.write("trust.yaml", *reversed(change))
    server.until(lambda health: health["rules_refused"] is None)
    assert not alive(started(pid))


def test_answers_are_given_while_a_probe_hangs_and_when_it_is_killed(hanging: tuple[Server, Path]) -> None:
    server, pid = hanging
    server.rebase()
    probe = started(pid)
    server.ask(server.people()[0])
    assert server.health()["rules_refused"] is None
    os.kill(probe, signal.SIGKILL)
    assert server.refused() == ["rules: the probe was killed by SIGKILL"]
    assert server.health()["release"] == SHIPPED


def test_a_release_that_the_database_will_not_have_is_tried_again(tmp_path: Path, town_file: Path) -> None:
    server = Server(tmp_path, town_file, serves, {"again": 0.3})
    full = "create trigger full before insert on releases begin select raise(abort, 'full'); end"
    with writing(server.database) as connection:
        connection.exec_driver_sql(full)
    server.rebase()
    assert server.refused() == ["the database will not keep the release; it will be tried again"]
    assert server.health()["release"] == SHIPPED
    with writing(server.database) as connection:
        connection.exec_driver_sql("drop trigger full")
    found = server.until(lambda health: health["rules_refused"] is None)
    assert found["release"] != SHIPPED
    assert len([line for line in server.logged() if "what was recorded is not changed" in line]) == 1
    server.stop()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_stops_leaves_no_probe_behind(hanging: tuple[Server, Path], sign: signal.Signals) -> None:
    server, pid = hanging
    server.rebase()
    probe = started(pid)
    os.kill(server.process.pid, sign)
    server.process.wait(30)
    assert not alive(probe)


def test_a_folder_that_does_not_check_is_not_served_at_all(settled: Template, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    trust = tmp_path / "rules" / "trust.yaml"
    trust.write_text(trust.read_text().replace("credit.kept\n", "credit.keptt\n"))
    with settled.lent("", tmp_path) as url, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
        free.close()
        own = {"IFTAH_DATABASE_URL": url, "IFTAH_RULES": str(tmp_path / "rules"), "IFTAH_PORT": port}
        done = in_process(("serve",), environment(**own))
    assert done.returncode == 2
    assert re.search(r"trust\.yaml:\d+:14 error R101 ", done.stderr)


def test_commands_tell_a_change_of_policy_once(settled: Template, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    policy = tmp_path / "rules" / "policy.yaml"
    policy.write_text(policy.read_text().replace("relationships_share: 5", "relationships_share: 7"))
    with settled.lent("", tmp_path) as url:
        own = {"IFTAH_RULES": str(tmp_path / "rules"), "IFTAH_DATABASE_URL": url}

        def said(*words: str, **changes: str) -> list[str]:
            done = warm.done(tmp_path, words, environment(**own | changes))
            assert done.returncode == 0
            return done.stderr.splitlines()

        database = open_database(url)
        person = min(p for p, (score, _) in scored(database).items() if score)
        database.dispose()
        asked = ("eligible", person, "--perk", "hotel", "--amount", "500")
        assert said("score") == ["the policy has changed: relationships_share 5 -> 7"]
        assert said("score") == said(*asked) == []
        # back to the shipped rules, which the database has known for longer
        assert said(*asked, IFTAH_RULES=str(ROOT / "rules")) == ["the policy has changed: relationships_share 7 -> 5"]
