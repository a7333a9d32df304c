"""A stuck part does not block the others: a held write lock, an exhausted pool, a slow name server."""

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

from api.http import lanes
from api.http.app import ROUTERS
from api.http.lanes import LANES, QUESTIONS, LanedRoute
from api.jobs import sender
from api.merchants import dns_lookups
from api.merchants.dns_lookups import Lookups
from api.orders import messages
from api.runtime.context import AppContext
from api.store.database import MAX_CONNECTIONS, health_database, reading, writing
from engine.errors import Rejected
from tests.api import fork_server
from tests.api.callback_receiver import run_receiver
from tests.api.http.test_server import fetch, free_port, wait_until
from tests.api.jobs.test_sender import enqueue_messages
from tests.api.merchant_client import MerchantClient
from tests.api.terminal import environment
from tests.api.town import NOW

BACKGROUND_THREADS = 14  # threads of `api.jobs` that may hold a connection at one time
WRITER_COUNT = 60
SQLITE_ONLY = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)


def serve_with_patience(seconds: float) -> None:
    """Serve, with short waits."""
    lanes.PATIENCE_SECONDS = seconds  # type: ignore[misc]
    fork_server.command("serve")


@contextmanager
def run_server(target: Callable[..., None], url: str, folder: Path, *args: Any) -> Iterator[str]:
    """The address of a server in a process of its own."""
    port = free_port()
    overrides = environment(IFTAH_DATABASE_URL=url, IFTAH_PORT=str(port), IFTAH_RATE_LIMIT="0")
    process = fork_server.Process(folder / "log", overrides, target, *args)
    try:
        wait_until(lambda: fetch(f"http://127.0.0.1:{port}/v1/health"))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()


@pytest.fixture
def server(town_url: str, tmp_path: Path) -> Iterator[str]:
    with run_server(serve_with_patience, town_url, tmp_path, 1.0) as address:
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


def test_while_the_write_lock_is_held_reads_succeed_and_writes_get_retry_after(server: str, town: AppContext) -> None:
    client = MerchantClient(town)
    person = client.scored_person()
    client.sign_up()
    client.consent(person)
    question = {"transaction_id": "T-1", "service": "hotel", "subject": person, "amount": 50_000}

    def sign_up(number: int) -> tuple[int, dict[str, Any], Any]:
        return ask(f"{server}/v1/services/s{number}", client.token, "PUT", {"perk": "hotel"})

    with ThreadPoolExecutor(WRITER_COUNT + 1) as threads:
        with writing(town.database):
            writers = [threads.submit(sign_up, number) for number in range(WRITER_COUNT)]
            writers.append(threads.submit(ask, f"{server}/v1/eligibility", client.token, "POST", question))
            time.sleep(0.2)
            for _ in range(3):
                assert ask(f"{server}/v1/health", "")[0] == 200
                assert ask(f"{server}/v1/services", client.token)[0] == 200
            answers = [writer.result() for writer in writers]
        assert {(status, payload["code"], headers["Retry-After"]) for status, payload, headers in answers} == {
            (503, "not_ready", "1")
        }
        later_answers = threads.map(sign_up, range(WRITER_COUNT))
        assert {status for status, *_ in later_answers} <= {201, 503}
    assert ask(f"{server}/v1/eligibility", client.token, "POST", question)[1]["outcome"] == "ADMIT"


def test_an_empty_pool_is_reported_as_a_busy_database(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.store.database.HEALTH_TIMEOUT_SECONDS", 0.05)
    health = health_database(database)
    with reading(health), reading(database), pytest.raises(Rejected) as error, reading(health):
        pass
    assert error.value.code == "database_busy"
    with reading(health):
        pass


def test_connections_suffice_for_threads_and_threads_for_lanes() -> None:
    threads = sum(lane.threads for lane in LANES)
    assert threads + QUESTIONS.threads + BACKGROUND_THREADS <= MAX_CONNECTIONS  # a batch of questions may need two
    assert threads <= 40  # anyio's own limit, which covers the threads of all lanes


def test_every_route_has_a_lane_or_needs_no_thread() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert len(routes) > 50
    assert [route for route in routes if not isinstance(route, LanedRoute)] == []


def serve_with_slow_dns() -> None:
    """Serve with a resolver that takes longer for the names of one domain than any test waits."""
    resolve = socket.getaddrinfo

    def slow(host: Any, *args: Any, **options: Any) -> Any:
        if str(host).endswith(".slow.example"):
            time.sleep(120)
        return resolve(host, *args, **options)

    socket.getaddrinfo = slow
    dns_lookups.TIMEOUT_SECONDS = 1.0  # type: ignore[misc]
    fork_server.command("serve")


@SQLITE_ONLY
def test_one_merchants_slow_name_server_delays_no_other(town: AppContext, town_url: str, tmp_path: Path) -> None:
    client = MerchantClient(town)
    person, other = client.scored_person(), client.issue("merchant", "lodge")
    client.sign_up()
    client.consent(person)
    question = {"transaction_id": "T-1", "service": "hotel", "subject": person, "amount": 50_000}

    def sign_up(number: int) -> tuple[int, str]:
        terms = {"perk": "hotel", "callback": f"https://n{number}.slow.example/hook"}
        status, payload, _ = ask(f"{server}/v1/services/s{number}", other, "PUT", terms)
        return status, payload["code"]

    with run_server(serve_with_slow_dns, town_url, tmp_path) as server, ThreadPoolExecutor(45) as threads:
        slow = [threads.submit(sign_up, number) for number in range(45)]
        time.sleep(0.3)
        assert ask(f"{server}/v1/eligibility", client.token, "POST", question)[1]["outcome"] == "ADMIT"
        terms = {"perk": "hotel", "callback": "https://93.184.216.34/hook"}
        assert ask(f"{server}/v1/services/other", client.token, "PUT", terms)[0] == 201
        assert {each.result() for each in slow} == {(422, "bad_callback")}


@SQLITE_ONLY
def test_the_sender_continues_while_some_names_do_not_resolve(
    town: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve, resume = socket.getaddrinfo, Event()

    def slow(host: Any, *args: Any, **options: Any) -> Any:
        if str(host).endswith(".slow.example"):
            resume.wait(60)
        return resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(dns_lookups, "TIMEOUT_SECONDS", 1.0)
    with run_receiver() as receiver:
        for number in range(12):
            url = f"https://n{number}.slow.example/hook"
            enqueue_messages(town.database, url, *"abcd", merchant=f"slow-{number}")
        enqueue_messages(town.database, receiver.url, "O-1", merchant="lodge")
        try:
            assert sender.send_all(town.database, NOW, allow_private=True) == 49
        finally:
            resume.set()
        assert len(receiver.requests) == 1
    assert {m.state for m in messages.list_messages(town.database, "slow-1", None, 9)} == {"waiting"}


def test_look_ups_of_one_party_are_sequential_and_do_not_block_others(monkeypatch: pytest.MonkeyPatch) -> None:
    resume, hosts = Event(), list[str]()

    def resolve(host: str, port: int, **_: Any) -> Any:
        hosts.append(host)
        if host.startswith("slow"):
            resume.wait(60)
        return [(0, 0, 0, "", ("192.0.2.1", port))]

    async def look_up_for_two_parties() -> list[str]:
        lookups = Lookups(threads=4, max_per_party=2)
        slow = [asyncio.create_task(lookups.addresses("inn", f"slow-{n}", 443)) for n in range(9)]
        await asyncio.sleep(0)
        try:
            return await lookups.addresses("lodge", "quick", 443)
        finally:
            assert [host for host in hosts if host.startswith("slow")] == ["slow-0", "slow-1"]
            resume.set()
            assert await asyncio.gather(*slow) == [["192.0.2.1"]] * 9

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert asyncio.run(look_up_for_two_parties()) == ["192.0.2.1"]


@SQLITE_ONLY
def test_a_contributor_has_one_submission_in_progress_and_others_are_not_delayed(
    server: str, town: AppContext, town_url: str
) -> None:
    client = MerchantClient(town)
    bank, telecom = (client.issue("contributor", party) for party in ("bank", "telecom"))
    row = {"kind": "person.enrolled", "subject": "zoe", "identity_level": 1, "happened_at": "2020-01-01T00:00:00Z"}
    body = [row | {"event_id": "e-1"}]
    first = json.dumps(body).encode()
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bank}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(first)}\r\n\r\n".encode() + first[:9])
        time.sleep(0.2)
        status, payload, headers = ask(f"{server}/v1/events", bank, "POST", body)
        assert (status, payload["code"], headers["Retry-After"]) == (429, "too_many_requests", "1")
        assert ask(f"{server}/v1/events", telecom, "POST", body)[1]["accepted"] == 1
        connection.sendall(first[9:])
        assert b'"accepted": 1' in connection.recv(65_536) + connection.recv(65_536)
    assert ask(f"{server}/v1/events", bank, "POST", body)[1]["duplicates"] == 1
