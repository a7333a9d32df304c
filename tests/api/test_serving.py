"""Serving as operators have it: several processes, stopped and killed; a database that goes away and comes back."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api import deps, serving
from api.app import create_app
from api.database import open_database, writing
from api.releases import rules_folder
from api.settings import Settings
from api.supervision import audit
from api.world import World
from engine.engines import Engines
from engine.errors import Refused
from tests.api import warm
from tests.api.door import Door
from tests.api.proxy import line_to
from tests.api.terminal import environment
from tests.api.world import ROOT

IFTAH = Path(sys.executable).with_name("iftah")
ON_POSTGRESQL = pytest.mark.parametrize("town_url", ["postgresql"], indirect=True)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def fetched(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def until(wanted: Callable[[], Any], seconds: float = 200) -> Any:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            if found := wanted():
                return found
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.1)
    raise AssertionError("it never came")


@contextmanager
def served(url: str, port: int, *words: str) -> Iterator[subprocess.Popen[str]]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("IFTAH_")}
    process = subprocess.Popen(
        [str(IFTAH), "serve", "--port", str(port), *words],
        env=clean | {"IFTAH_DATABASE_URL": url, "IFTAH_LOG_FORMAT": "json"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def children(parent: int) -> list[int]:
    """The processes that serve: what else there is of a parent's keeps count of them."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(p) for p in found if "resource_tracker" not in Path(f"/proc/{p}/cmdline").read_text()]


@ON_POSTGRESQL
def test_two_processes_answer_one_that_is_killed_is_replaced_and_all_end_when_asked(town_url: str) -> None:
    port = free_port()
    health, metrics = f"http://127.0.0.1:{port}/v1/health", f"http://127.0.0.1:{port}/metrics"
    with served(town_url, port, "--workers", "2") as process:
        until(lambda: fetched(health))
        first = until(lambda: len(found := children(process.pid)) == 2 and found)
        before = counted(fetched(metrics))
        for _ in range(10):
            fetched(health)
        assert counted(fetched(metrics)) == before + 10  # whichever of them answers, it counts for all
        afar = urllib.request.Request(metrics, headers={"X-Forwarded-For": "192.0.2.7"})
        with pytest.raises(urllib.error.HTTPError, match="401"):  # a proxy on this machine says who calls
            urllib.request.urlopen(afar, timeout=5)
        os.kill(first[0], signal.SIGKILL)
        second = until(lambda: len(found := children(process.pid)) == 2 and first[0] not in found and found)
        until(lambda: fetched(health))
        process.send_signal(signal.SIGTERM)
        _, logged = process.communicate(timeout=30)
        assert process.returncode == 0
        for child in {*first, *second}:
            assert not Path(f"/proc/{child}").exists()
    lines = [json.loads(line) for line in logged.splitlines()]
    assert any(line["event"] == "request" and line["route"] == "/v1/health" for line in lines)


@ON_POSTGRESQL
def test_processes_end_when_the_one_that_started_them_is_killed(town_url: str) -> None:
    port = free_port()
    with served(town_url, port, "--workers", "2") as process:
        until(lambda: fetched(f"http://127.0.0.1:{port}/v1/health"))
        workers = until(lambda: len(found := children(process.pid)) == 2 and found)
        process.kill()
        _, logged = process.communicate(timeout=60)  # it ends when nobody holds the pipe any longer
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    with serving.listening("127.0.0.1", port):  # and the port is free
        pass
    assert sum("the process that started this one is gone" in line for line in logged.splitlines()) == 2


def counted(text: str) -> float:
    said = re.findall(r'^iftah_requests_total\{.*route="/v1/health".*\} (\S+)$', text, re.MULTILINE)
    return sum(map(float, said))


def test_several_processes_on_one_file_are_refused_with_a_reason() -> None:
    serving.allowed(Settings(database_url="sqlite:///x.db", workers=1))
    serving.allowed(Settings(database_url="postgresql://localhost/x", workers=9))
    with pytest.raises(Refused, match="workers: several processes need PostgreSQL: "):
        serving.allowed(Settings(database_url="sqlite:///x.db", workers=2))


@ON_POSTGRESQL
def test_an_answer_that_is_being_made_is_given_before_the_server_ends(
    town: World, town_url: str, tmp_path: Path
) -> None:
    """It waits for the one writer, which is here a transaction of the test's own, when the server is told to stop."""
    door, port = Door(town), free_port()
    person, answers = door.anyone(), []
    door.sign_up()
    door.consent(person)
    body = {"transaction_id": "T-1", "service": "hotel", "subject": person, "amount": 50_000}
    headers = door.bearer(door.token) | {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/v1/eligibility", json.dumps(body).encode(), headers)
    own = environment(IFTAH_DATABASE_URL=town_url, IFTAH_PORT=str(port))
    process = warm.Process(tmp_path / "log", own, warm.command, "serve")
    try:
        until(lambda: fetched(f"http://127.0.0.1:{port}/v1/health"))
        asking = threading.Thread(
            target=lambda: answers.append(json.loads(urllib.request.urlopen(asked, timeout=60).read()))
        )
        with writing(town.database), town.database.connect() as watching:
            asking.start()
            until(lambda: watching.exec_driver_sql(WAITS).scalar())
            os.kill(process.pid, signal.SIGTERM)
            time.sleep(0.3)
        asking.join(30)
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
    assert door.show(answers[0]["decision_id"]).json()["transaction_id"] == "T-1"


WAITS = "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())"


@ON_POSTGRESQL
def test_a_database_that_goes_away_under_load_is_503_with_a_code_and_comes_back_without_a_restart(
    town_url: str,
) -> None:
    with line_to(town_url) as (line, url):
        database = open_database(url)
        world = World(database, Engines(rules_folder.load(ROOT / "rules")))
        door = Door(world)
        people = door.scores["person"].to_list()[:20]
        door.sign_up()
        for person in people:
            door.consent(person)
        said, given, numbers, stop = Counter[tuple[int, str]](), list[str](), count(), threading.Event()
        app = create_app(world, works=True)
        app.dependency_overrides[deps.present] = lambda: door.now
        with TestClient(app, raise_server_exceptions=False) as client:

            def ask() -> None:
                while not stop.is_set():
                    number = next(numbers)
                    body = {
                        "transaction_id": f"L-{number}",
                        "service": "hotel",
                        "subject": people[number % len(people)],
                    }
                    answer = client.post(
                        "/v1/eligibility", json=body | {"amount": 50_000}, headers=door.bearer(door.token)
                    )
                    told = answer.json()
                    said[answer.status_code, told.get("code", "")] += 1
                    given.extend([told["decision_id"]] if answer.status_code == 200 else [])

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            until(lambda: said[200, ""] > 10)
            line.cut()
            until(lambda: said[503, "not_ready"] > 10)
            line.mend()
            before = said[200, ""]
            until(lambda: said[200, ""] > before + 10)
            stop.set()
            for thread in threads:
                thread.join(60)
        assert set(said) == {(200, ""), (503, "not_ready")}
        there = {row["id"] for row in audit.sought(database, audit.Sought(), None, 10**6)}
        assert set(given) <= there  # nothing was answered that is not there
        assert audit.verify(database).broken is None
        world.engines.close()
        database.dispose()
