"""Requests on a socket: heads without an end, half of a head or a body and no more, callers who hang up."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from api import clock, request_head
from api.access import tokens
from api.database import open_database
from tests.api import warm
from tests.api.databases import Template
from tests.api.terminal import environment
from tests.api.test_serving import free_port, until

GET = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
PIECE = b"x" * 65_536
MANY = 16 * 2**20 // len(PIECE)  # pieces of 16 MiB


def impatient() -> None:
    """Serve, with little time for each request."""
    request_head.HEAD_SECONDS = request_head.BODY_SECONDS = 0.5  # type: ignore[misc]
    warm.command("serve")


class Served:
    """A server in a process of its own, and what it is sent byte by byte."""

    def __init__(self, port: int, process: warm.Process, token: str) -> None:
        self.port, self.process = port, process
        self.bearer = f"Authorization: Bearer {token}\r\n".encode()

    def send(self, *pieces: bytes, answers: int = 1) -> list[tuple[int, str]]:
        """The status and the code of each answer to what is sent; what the server does not take is not sent."""
        said = b""
        with socket.create_connection(("127.0.0.1", self.port)) as line:
            line.settimeout(20)
            with suppress(OSError):
                for piece in pieces:
                    line.sendall(piece)
            with suppress(OSError):
                while said.count(b"HTTP/1.1 ") < answers and (some := line.recv(65_536)):
                    said += some
                if said.count(b"{") < answers:
                    said += line.recv(65_536)
        statuses = re.findall(rb"HTTP/1.1 (\d+) ", said)
        codes = [json.loads(text)["code"] for text in re.findall(rb"\{.*?\}", said)]
        return list(zip(map(int, statuses), codes, strict=True))

    def memory(self) -> int:
        """The most that the process ever had resident, in bytes."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found[1]) * 1024

    def errors(self) -> list[str]:
        return [line for line in self.process.said().splitlines() if "ERROR" in line or '"error"' in line]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, empty: Template) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with empty.lent("", folder) as url:
        database, now = open_database(url), clock.now()
        token = tokens.issue(database, "contributor", "bank", "bank", now, clock.later(now, days=1)).secret
        database.dispose()
        port = free_port()
        own = environment(IFTAH_DATABASE_URL=url, IFTAH_PORT=str(port), IFTAH_LOG_FORMAT="text")
        process = warm.Process(folder / "log", own, impatient)
        try:
            until(lambda: socket.create_connection(("127.0.0.1", port)).close() or True)
            yield Served(port, process, token)
        finally:
            process.kill()


NOT_READY = (503, "not_ready")  # nothing has been built here: what a request that is taken is answered
TOO_LARGE = (431, "headers_too_large")


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ([GET, *[b"a: " + b"x" * 1_000 + b"\r\n"] * 16_000], TOO_LARGE),
        ([GET + b"a: ", *[PIECE] * MANY], TOO_LARGE),
        ([GET, *[PIECE] * MANY], TOO_LARGE),
        ([GET + b"".join(b"a%d: b\r\n" % n for n in range(101)) + b"\r\n"], TOO_LARGE),
        ([GET + b"a: " + b"x" * 33_000 + b"\r\n\r\n"], TOO_LARGE),
        ([b"GET /", *[PIECE] * MANY], (414, "url_too_long")),
        ([b"GET /v1/health?" + b"x" * 8_200 + b" HTTP/1.1\r\n\r\n"], (414, "url_too_long")),
        ([*[b"\r\n" * 30_000] * 100], TOO_LARGE),
        ([CHUNKED + b"3;", *[PIECE] * MANY], TOO_LARGE),
        ([b"x" * 100 + b"\r\n\r\n"], (400, "malformed_request")),
    ],
)
def test_a_head_without_an_end_is_refused_and_not_kept(
    served: Served, pieces: list[bytes], answer: tuple[int, str]
) -> None:
    before = served.memory()
    found = served.send(*(piece.replace(POST, POST + served.bearer) for piece in pieces))
    assert found in ([answer], [])  # none, when the line was cut before it was read
    assert served.memory() - before < 12 * 2**20
    assert served.send(GET + b"\r\n") == [NOT_READY]


@pytest.mark.parametrize(
    "pieces",
    [
        *([], [b"\r\n"], [b"GE"], [GET], [GET + b"a: "], [GET[:-2]]),
        *([POST + b"Content-Length: 9\r\n\r\nabc"], [CHUNKED + b"3\r\nab"], [CHUNKED + b"3\r\nabc\r\n0\r\nt: "]),
    ],
)
def test_half_of_a_request_is_ended_and_does_not_stay_open(served: Served, pieces: list[bytes]) -> None:
    found = served.send(*(piece.replace(POST, POST + served.bearer) for piece in pieces))
    assert found == [(408, "request_timeout")]


def test_a_head_within_the_bounds_is_taken_however_it_comes(served: Served) -> None:
    whole = GET + b"".join(b"a%d: b\r\n" % n for n in range(99)) + b"\r\n"
    assert served.send(whole) == [NOT_READY]
    assert served.send(*(bytes([byte]) for byte in GET + b"\r\n")) == [NOT_READY]
    assert served.send(GET + b"a: " + b"x" * 30_000 + b"\r\n\r\n") == [NOT_READY]
    assert served.send((GET + b"\r\n") * 3, answers=3) == [NOT_READY] * 3
    trailed = CHUNKED.replace(POST, POST + served.bearer) + b"2\r\n[]\r\n0\r\nAuthorization: x\r\n\r\n"
    assert served.send(trailed) == [(422, "bad_request")]  # there are no events in it


def test_a_caller_who_hangs_up_is_no_error_of_ours(served: Served) -> None:
    routes = (b"POST /v1/events", b"POST /v1/eligibility", b"PUT /v1/services/x", b"POST /v1/me/disputes")
    for route in routes:
        for sent in (b"", b'{"eve'):
            with socket.create_connection(("127.0.0.1", served.port)) as line:
                line.sendall(POST.replace(b"POST /v1/events", route) + served.bearer)
                line.sendall(b"Content-Length: 1000\r\n\r\n" + sent)
                time.sleep(0.05)
    assert served.send(GET + b"\r\n") == [NOT_READY]
    until(lambda: served.process.said().count("route=/v1/events status=499") >= 2)
    ours: Any = [line for line in served.errors() if "not_ready" not in line]
    assert ours == []
