"""One thing that stands still holds up nothing else: a write lock that is held, a pool that is empty, a name server."""

import asyncio
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine

from api import database, lanes
from api.app import ROUTERS
from api.background import sender
from api.database import CONNECTIONS, connection_of_health, reading, writing
from api.lanes import LANES, QUESTIONS, LanedRoute
from api.orders import lookups, messages
from api.orders.lookups import Lookups
from api.world import World
from engine.errors import Refused
from tests.api import warm
from tests.api.door import Door
from tests.api.receiver import receiving
from tests.api.terminal import environment
from tests.api.test_sender import wait_for
from tests.api.test_serving import fetched, free_port, until
from tests.api.world import NOW

BACKGROUND = 12  # threads of api/background that may have a connection at one time
WRITERS = 60
ON_SQLITE = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)


def patient_for(seconds: float) -> None:
    """Serve, and let nobody wait for longer."""
    lanes.PATIENCE = seconds  # type: ignore[misc]
    warm.command("serve")


@contextmanager
def serving_by(work: Callable[..., None], url: str, folder: Path, *given: Any) -> Iterator[str]:
    """The address of a server in a process of its own."""
    port = free_port()
    own = environment(IFTAH_DATABASE_URL=url, IFTAH_PORT=str(port), IFTAH_RATE_LIMIT="0")
    process = warm.Process(folder / "log", own, work, *given)
    try:
        until(lambda: fetched(f"http://127.0.0.1:{port}/v1/health"))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()


@pytest.fixture
def server(town_url: str, tmp_path: Path) -> Iterator[str]:
    with serving_by(patient_for, town_url, tmp_path, 1.0) as address:
        yield address


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


def with_a_slow_name_server() -> None:
    """Serve where the names of one domain take as long to resolve as no test waits."""
    resolve = socket.getaddrinfo

    def slow(host: Any, *args: Any, **how: Any) -> Any:
        if str(host).endswith(".slow.example"):
            time.sleep(120)
        return resolve(host, *args, **how)

    socket.getaddrinfo = slow
    lookups.SECONDS = 1.0  # type: ignore[misc]
    warm.command("serve")


@ON_SQLITE
def test_one_merchants_slow_name_server_holds_up_nobody_else(town: World, town_url: str, tmp_path: Path) -> None:
    door = Door(town)
    person, other = door.anyone(), door.issue("merchant", "lodge")
    door.sign_up()
    door.consent(person)
    question = {"transaction_id": "T-1", "service": "hotel", "subject": person, "amount": 50_000}

    def sign_up(number: int) -> tuple[int, str]:
        terms = {"perk": "hotel", "callback": f"https://n{number}.slow.example/hook"}
        status, said, _ = ask(f"{server}/v1/services/s{number}", other, "PUT", terms)
        return status, said["code"]

    with serving_by(with_a_slow_name_server, town_url, tmp_path) as server, ThreadPoolExecutor(45) as threads:
        slow = [threads.submit(sign_up, number) for number in range(45)]
        time.sleep(0.3)
        assert ask(f"{server}/v1/eligibility", door.token, "POST", question)[1]["outcome"] == "ADMIT"
        terms = {"perk": "hotel", "callback": "https://93.184.216.34/hook"}
        assert ask(f"{server}/v1/services/other", door.token, "PUT", terms)[0] == 201
        assert {each.result() for each in slow} == {(422, "bad_callback")}


@ON_SQLITE
def test_the_sender_sends_to_others_while_the_names_of_some_cannot_be_found(
    town: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve, found = socket.getaddrinfo, Event()

    def slow(host: Any, *args: Any, **how: Any) -> Any:
        if str(host).endswith(".slow.example"):
            found.wait(60)
        return resolve(host, *args, **how)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(lookups, "SECONDS", 1.0)
    with receiving() as receiver:
        for number in range(12):
            url = f"https://n{number}.slow.example/hook"
            wait_for(town.database, url, *"abcd", merchant=f"slow-{number}")
        wait_for(town.database, receiver.url, "O-1", merchant="lodge")
        try:
            assert sender.send_all(town.database, NOW, private=True) == 49
        finally:
            found.set()
        assert len(receiver.got) == 1
    assert {m.state for m in messages.listed(town.database, "slow-1", None, 9)} == {"waiting"}


def test_look_ups_of_one_party_take_turns_and_leave_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, asked = Event(), list[str]()

    def resolve(host: str, port: int, **_: Any) -> Any:
        asked.append(host)
        if host.startswith("slow"):
            go_on.wait(60)
        return [(0, 0, 0, "", ("192.0.2.1", port))]

    async def of_two_parties() -> list[str]:
        mine = Lookups(threads=4, of_one=2)
        slow = [asyncio.create_task(mine.addresses("inn", f"slow-{n}", 443)) for n in range(9)]
        await asyncio.sleep(0)
        try:
            return await mine.addresses("lodge", "quick", 443)
        finally:
            assert [host for host in asked if host.startswith("slow")] == ["slow-0", "slow-1"]
            go_on.set()
            assert await asyncio.gather(*slow) == [["192.0.2.1"]] * 9

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert asyncio.run(of_two_parties()) == ["192.0.2.1"]


@ON_SQLITE
def test_a_contributor_has_one_submission_in_progress_and_others_are_not_held_up(
    server: str, town: World, town_url: str
) -> None:
    door = Door(town)
    bank, telecom = (door.issue("contributor", party) for party in ("bank", "telecom"))
    row = {"kind": "person.enrolled", "subject": "zoe", "identity_level": 1, "happened_at": "2020-01-01T00:00:00Z"}
    body = [row | {"event_id": "e-1"}]
    first = json.dumps(body).encode()
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bank}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2])), timeout=10) as line:
        line.sendall(f"{head}Content-Length: {len(first)}\r\n\r\n".encode() + first[:9])
        time.sleep(0.2)
        status, said, headers = ask(f"{server}/v1/events", bank, "POST", body)
        assert (status, said["code"], headers["Retry-After"]) == (429, "too_many_requests", "1")
        assert ask(f"{server}/v1/events", telecom, "POST", body)[1]["accepted"] == 1
        line.sendall(first[9:])
        assert b'"accepted": 1' in line.recv(65_536) + line.recv(65_536)
    assert ask(f"{server}/v1/events", bank, "POST", body)[1]["duplicates"] == 1
