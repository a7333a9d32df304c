"""One thing that stands still holds up nothing else: a write lock that is held, a pool that is empty."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from api import database, lanes
from api.app import ROUTERS
from api.database import CONNECTIONS, connection_of_health, reading, writing
from api.lanes import LANES, QUESTIONS, LanedRoute
from api.world import World
from engine.errors import Refused
from tests.api import warm
from tests.api.door import Door
from tests.api.terminal import environment
from tests.api.test_serving import fetched, free_port, until

BACKGROUND = 12  # threads of api/background that may have a connection at one time
WRITERS = 60


def patient_for(seconds: float) -> None:
    """Serve, and let nobody wait for longer."""
    lanes.PATIENCE = seconds  # type: ignore[misc]
    warm.command("serve")


@pytest.fixture
def server(town_url: str, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    own = environment(IFTAH_DATABASE_URL=town_url, IFTAH_PORT=str(port), IFTAH_RATE_LIMIT="0")
    process = warm.Process(tmp_path / "log", own, patient_for, 1.0)
    try:
        until(lambda: fetched(f"http://127.0.0.1:{port}/v1/health"))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()


def ask(url: str, token: str, method: str = "GET", body: Any = None) -> tuple[int, dict[str, Any], Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response), response.headers
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), error.headers


def test_while_the_write_lock_is_held_reads_and_health_answer_and_writers_are_told_to_come_again(
    server: str, town: World
) -> None:
    door = Door(town)
    person = door.anyone()
    door.sign_up()
    door.consent(person)
    question = {"transaction_id": "T-1", "service": "hotel", "subject": person, "amount": 50_000}

    def sign_up(number: int) -> tuple[int, dict[str, Any], Any]:
        return ask(f"{server}/v1/services/s{number}", door.token, "PUT", {"perk": "hotel"})

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        with writing(town.database):
            writers = [threads.submit(sign_up, number) for number in range(WRITERS)]
            writers.append(threads.submit(ask, f"{server}/v1/eligibility", door.token, "POST", question))
            time.sleep(0.2)
            for _ in range(3):
                assert ask(f"{server}/v1/health", "")[0] == 200
                assert ask(f"{server}/v1/services", door.token)[0] == 200
            answers = [writer.result() for writer in writers]
        assert {(status, said["code"], headers["Retry-After"]) for status, said, headers in answers} == {
            (503, "not_ready", "1")
        }
        again = threads.map(sign_up, range(WRITERS))
        assert {status for status, *_ in again} <= {201, 503}
    assert ask(f"{server}/v1/eligibility", door.token, "POST", question)[1]["outcome"] == "ADMIT"


def test_a_pool_that_is_empty_is_a_database_that_is_busy(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "HEALTH_SECONDS", 0.05)
    one = connection_of_health(engine)
    with reading(one), reading(engine), pytest.raises(Refused) as refused, reading(one):
        pass
    assert refused.value.code == "database_busy"
    with reading(one):
        pass


def test_there_is_a_connection_for_each_thread_and_a_thread_for_each_turn() -> None:
    threads = sum(lane.threads for lane in LANES)
    assert threads + QUESTIONS.threads + BACKGROUND <= CONNECTIONS  # a batch of questions may need two
    assert threads <= 40  # those of anyio's own limit, in which every lane's threads are


def test_every_route_has_a_lane_or_needs_no_thread() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert len(routes) > 50
    assert [route for route in routes if not isinstance(route, LanedRoute)] == []
