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
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api import auth, clock, releases, serving
from api.app import create_app
from api.database import open_database
from api.settings import Settings
from api.world import World
from engine.engines import Engines
from engine.errors import Refused
from tests.api.proxy import line_to
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


def until(wanted: Callable[[], Any], seconds: float = 60) -> Any:
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
        process.communicate()


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


def counted(text: str) -> float:
    said = re.findall(r'^iftah_requests_total\{.*route="/v1/health".*\} (\S+)$', text, re.MULTILINE)
    return sum(map(float, said))


def test_several_processes_on_one_file_are_refused_with_a_reason() -> None:
    serving.allowed(Settings(database_url="sqlite:///x.db", workers=1))
    serving.allowed(Settings(database_url="postgresql://localhost/x", workers=9))
    with pytest.raises(Refused, match="workers: several processes need PostgreSQL: "):
        serving.allowed(Settings(database_url="sqlite:///x.db", workers=2))


@ON_POSTGRESQL
def test_a_database_that_goes_away_under_load_is_503_with_a_code_and_comes_back_without_a_restart(
    town_url: str,
) -> None:
    with line_to(town_url) as (line, url):
        database = open_database(url)
        world = World(database, Engines(releases.load(ROOT / "rules")))
        token = auth.issue(database, "supervisor", "bank", "b", clock.now())
        said: Counter[tuple[int, str]] = Counter()
        stop = threading.Event()
        with TestClient(create_app(world, works=True), raise_server_exceptions=False) as client:

            def ask() -> None:
                while not stop.is_set():
                    for address in ("/v1/health", "/v1/audit/decisions"):
                        answer = client.get(address, headers={"Authorization": f"Bearer {token}"})
                        said[answer.status_code, answer.json().get("code", "")] += 1

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
                thread.join()
            assert set(said) == {(200, ""), (503, "not_ready")}
            assert client.get("/v1/health").json()["fresh"]["problem"] in (None, "the database does not answer")
        world.engines.close()
        database.dispose()
