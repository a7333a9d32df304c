"""The server in production: several processes, stopped and killed; a database that goes away and comes back."""

import json
import os
import re
import signal
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

from api.http import dependencies, server
from api.http.app import create_app
from api.releases import rules_folder
from api.runtime.context import AppContext
from api.settings.settings import Settings
from api.store.database import open_database, writing
from api.supervision import audit
from api.supervision.decision_search import DecisionFilter, find_decisions
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from tests.api import fork_server
from tests.api.merchant_client import MerchantClient
from tests.api.ports import free_port
from tests.api.tcp_proxy import proxy_to
from tests.api.terminal import environment
from tests.paths import ROOT

IFTAH = Path(sys.executable).with_name("iftah")
POSTGRESQL_ONLY = pytest.mark.parametrize("town_url", ["postgresql"], indirect=True)


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as response:
        return response.read().decode()


def wait_until(condition: Callable[[], Any], seconds: float = 200) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if value := condition():
                return value
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.1)
    raise AssertionError("it never came")


@contextmanager
def run_server(url: str, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`iftah serve` by two processes, its log in a file: a pipe that nobody reads would hold it up."""
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [str(IFTAH), "serve", "--port", str(port), "--workers", "2"],
            env=environment(IFTAH_DATABASE_URL=url, IFTAH_LOG_FORMAT="json"),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(60)


def fetch_without(process: int, url: str) -> Any:
    """An answer of another process than this one."""
    os.kill(process, signal.SIGSTOP)
    try:
        return fetch(url)
    finally:
        os.kill(process, signal.SIGCONT)


def children(parent: int) -> list[int]:
    """The serving processes. The parent also has helpers that track resources."""
    pids = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(p) for p in pids if "resource_tracker" not in Path(f"/proc/{p}/cmdline").read_text()]


@POSTGRESQL_ONLY
def test_two_processes_serve_and_a_killed_one_is_replaced_and_all_stop(town_url: str, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    health, metrics = f"http://127.0.0.1:{port}/v1/health", f"http://127.0.0.1:{port}/metrics"
    with run_server(town_url, port, log) as process:
        wait_until(lambda: fetch(health))
        pids_before = wait_until(lambda: len(pids := children(process.pid)) == 2 and pids)
        count_before = count_health_requests(fetch(metrics))
        for _ in range(10):
            fetch(health)
        assert count_health_requests(fetch(metrics)) == count_before + 10  # each of them counts it
        remote_request = urllib.request.Request(metrics, headers={"X-Forwarded-For": "192.0.2.7"})
        with pytest.raises(urllib.error.HTTPError, match="401"):  # a proxy on this machine names the caller
            urllib.request.urlopen(remote_request, timeout=5)
        os.kill(pids_before[0], signal.SIGKILL)
        pids_after = wait_until(
            lambda: len(current := children(process.pid)) == 2 and pids_before[0] not in current and current
        )
        wait_until(lambda: fetch_without(pids_before[1], health))  # one that still starts would hold up the end
        process.send_signal(signal.SIGTERM)
        assert process.wait(200) == 0
        for child in {*pids_before, *pids_after}:
            assert not Path(f"/proc/{child}").exists()
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert any(line["event"] == "request" and line["route"] == "/v1/health" for line in lines)


@POSTGRESQL_ONLY
def test_processes_end_when_their_parent_is_killed(town_url: str, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    with run_server(town_url, port, log) as process:
        wait_until(lambda: fetch(f"http://127.0.0.1:{port}/v1/health"))
        workers = wait_until(lambda: len(pids := children(process.pid)) == 2 and pids)
        process.kill()
        wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    with server.bound_socket("127.0.0.1", port):  # and the port is free
        pass
    assert sum("the parent process has ended" in line for line in log.read_text(encoding="utf-8").splitlines()) == 2


def count_health_requests(text: str) -> float:
    values = re.findall(r'^iftah_requests_total\{.*route="/v1/health".*\} (\S+)$', text, re.MULTILINE)
    return sum(map(float, values))


def test_several_processes_on_one_file_are_refused_with_a_reason() -> None:
    server.check_workers(Settings(database_url="sqlite:///x.db", workers=1))
    server.check_workers(Settings(database_url="postgresql://localhost/x", workers=9))
    with pytest.raises(Rejected, match="workers: several processes need PostgreSQL: "):
        server.check_workers(Settings(database_url="sqlite:///x.db", workers=2))


@POSTGRESQL_ONLY
def test_a_stopping_server_finishes_its_current_answer(town: AppContext, town_url: str, tmp_path: Path) -> None:
    """The request waits for the one writer, a transaction of the test, when the server is told to stop."""
    client, port = MerchantClient(town), free_port()
    person, decisions = client.scored_person(), []
    client.sign_up()
    client.consent(person)
    body = {"transaction_id": "T-1", "service": "hotel", "subject": person, "amount": 50_000}
    headers = client.bearer(client.token) | {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/eligibility", json.dumps(body).encode(), headers)
    overrides = environment(IFTAH_DATABASE_URL=town_url, IFTAH_PORT=str(port))
    process = fork_server.Process(tmp_path / "log", overrides, fork_server.command, "serve")
    try:
        wait_until(lambda: fetch(f"http://127.0.0.1:{port}/v1/health"))
        thread = threading.Thread(
            target=lambda: decisions.append(json.loads(urllib.request.urlopen(request, timeout=60).read()))
        )
        with writing(town.database), town.database.connect() as connection:
            thread.start()
            wait_until(lambda: connection.exec_driver_sql(WAITING_LOCKS_SQL).scalar())
            os.kill(process.pid, signal.SIGTERM)
            time.sleep(0.3)
        thread.join(30)
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
    assert client.get_decision(decisions[0]["decision_id"]).json()["transaction_id"] == "T-1"


WAITING_LOCKS_SQL = "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())"


@POSTGRESQL_ONLY
def test_a_database_outage_under_load_is_a_503_and_needs_no_restart(
    town_url: str,
) -> None:
    with proxy_to(town_url) as (proxy, url):
        database = open_database(url)
        context = AppContext(database, Evaluators(rules_folder.load_folder(ROOT / "rules")))
        merchant = MerchantClient(context)
        people = merchant.scores["person"].to_list()[:20]
        merchant.sign_up()
        for person in people:
            merchant.consent(person)
        outcomes, decision_ids, numbers, stop = Counter[tuple[int, str]](), list[str](), count(), threading.Event()
        app = create_app(context, background=True)
        app.dependency_overrides[dependencies.get_now] = lambda: merchant.now
        with TestClient(app, raise_server_exceptions=False) as client:

            def ask() -> None:
                while not stop.is_set():
                    number = next(numbers)
                    body = {
                        "transaction_id": f"L-{number}",
                        "service": "hotel",
                        "subject": people[number % len(people)],
                    }
                    response = client.post(
                        "/v1/eligibility", json=body | {"amount": 50_000}, headers=merchant.bearer(merchant.token)
                    )
                    payload = response.json()
                    outcomes[response.status_code, payload.get("code", "")] += 1
                    decision_ids.extend([payload["decision_id"]] if response.status_code == 200 else [])

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            wait_until(lambda: outcomes[200, ""] > 10)
            proxy.cut()
            wait_until(lambda: outcomes[503, "not_ready"] > 10)
            proxy.restore()
            count_before = outcomes[200, ""]
            wait_until(lambda: outcomes[200, ""] > count_before + 10)
            stop.set()
            for thread in threads:
                thread.join(60)
        assert set(outcomes) == {(200, ""), (503, "not_ready")}
        stored_ids = {row["id"] for row in find_decisions(database, DecisionFilter(), None, 10**6).rows}
        assert set(decision_ids) <= stored_ids  # every answered decision is recorded
        assert audit.verify(database).first_break is None
        context.evaluators.close()
        database.dispose()
