"""Requests on a socket: endless heads, half of a head or a body, callers who close the connection."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from api.access import tokens
from api.http import request_head
from api.store import clock
from api.store.database import open_database
from tests.api import fork_server
from tests.api.database_templates import Template
from tests.api.http.test_server import free_port, wait_until
from tests.api.terminal import environment

GET = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED_POST = POST + b"Transfer-Encoding: chunked\r\n\r\n"
PIECE = b"x" * 65_536
PIECE_COUNT = 16 * 2**20 // len(PIECE)  # chunks of 16 MiB


def serve_impatiently() -> None:
    """Serve, with little time for each request."""
    request_head.HEAD_SECONDS = request_head.BODY_SECONDS = 0.5  # type: ignore[misc]
    fork_server.command("serve")


class ServerProcess:
    """A server in a process of its own, to which tests send bytes."""

    def __init__(self, port: int, process: fork_server.Process, token: str) -> None:
        self.port, self.process = port, process
        self.bearer = f"Authorization: Bearer {token}\r\n".encode()

    def send(self, *pieces: bytes, answers: int = 1) -> list[tuple[int, str]]:
        """Send the bytes. Returns the status and the code of each answer. We stop sending once the server stops reading."""
        output = b""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.settimeout(20)
            with suppress(OSError):
                for piece in pieces:
                    connection.sendall(piece)
            with suppress(OSError):
                while output.count(b"HTTP/1.1 ") < answers and (chunk := connection.recv(65_536)):
                    output += chunk
                if output.count(b"{") < answers:
                    output += connection.recv(65_536)
        statuses = re.findall(rb"HTTP/1.1 (\d+) ", output)
        codes = [json.loads(text)["code"] for text in re.findall(rb"\{.*?\}", output)]
        return list(zip(map(int, statuses), codes, strict=True))

    def peak_memory(self) -> int:
        """The peak of the process's resident memory, in bytes."""
        match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert match
        return int(match[1]) * 1024

    def error_lines(self) -> list[str]:
        return [line for line in self.process.output().splitlines() if "ERROR" in line or '"error"' in line]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_template: Template) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("served")
    with empty_template.lend("", folder) as url:
        database, now = open_database(url), clock.now()
        token = tokens.issue(database, "contributor", "bank", "bank", now, clock.add_days(now, days=1)).secret
        database.dispose()
        port = free_port()
        overrides = environment(IFTAH_DATABASE_URL=url, IFTAH_PORT=str(port), IFTAH_LOG_FORMAT="text")
        process = fork_server.Process(folder / "log", overrides, serve_impatiently)
        try:
            wait_until(lambda: socket.create_connection(("127.0.0.1", port)).close() or True)
            yield ServerProcess(port, process, token)
        finally:
            process.kill()


NOT_READY = (503, "not_ready")  # without a build: the answer to an accepted request
TOO_LARGE = (431, "headers_too_large")


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ([GET, *[b"a: " + b"x" * 1_000 + b"\r\n"] * 16_000], TOO_LARGE),
        ([GET + b"a: ", *[PIECE] * PIECE_COUNT], TOO_LARGE),
        ([GET, *[PIECE] * PIECE_COUNT], TOO_LARGE),
        ([GET + b"".join(b"a%d: b\r\n" % n for n in range(101)) + b"\r\n"], TOO_LARGE),
        ([GET + b"a: " + b"x" * 33_000 + b"\r\n\r\n"], TOO_LARGE),
        ([b"GET /", *[PIECE] * PIECE_COUNT], (414, "url_too_long")),
        ([b"GET /v1/health?" + b"x" * 8_200 + b" HTTP/1.1\r\n\r\n"], (414, "url_too_long")),
        ([*[b"\r\n" * 30_000] * 100], TOO_LARGE),
        ([CHUNKED_POST + b"3;", *[PIECE] * PIECE_COUNT], TOO_LARGE),
        ([b"x" * 100 + b"\r\n\r\n"], (400, "malformed_request")),
    ],
)
def test_an_endless_head_is_refused_without_growing_memory(
    server: ServerProcess, pieces: list[bytes], answer: tuple[int, str]
) -> None:
    memory_before = server.peak_memory()
    responses = server.send(*(piece.replace(POST, POST + server.bearer) for piece in pieces))
    assert responses in ([answer], [])  # no answer if the connection was cut before we read it
    assert server.peak_memory() - memory_before < 12 * 2**20
    assert server.send(GET + b"\r\n") == [NOT_READY]


@pytest.mark.parametrize(
    "pieces",
    [
        *([], [b"\r\n"], [b"GE"], [GET], [GET + b"a: "], [GET[:-2]]),
        *(
            [POST + b"Content-Length: 9\r\n\r\nabc"],
            [CHUNKED_POST + b"3\r\nab"],
            [CHUNKED_POST + b"3\r\nabc\r\n0\r\nt: "],
        ),
    ],
)
def test_half_of_a_request_is_closed_after_a_timeout(server: ServerProcess, pieces: list[bytes]) -> None:
    responses = server.send(*(piece.replace(POST, POST + server.bearer) for piece in pieces))
    assert responses == [(408, "request_timeout")]


def test_a_head_within_the_limits_is_accepted_in_any_chunks(server: ServerProcess) -> None:
    request = GET + b"".join(b"a%d: b\r\n" % n for n in range(99)) + b"\r\n"
    assert server.send(request) == [NOT_READY]
    assert server.send(*(bytes([byte]) for byte in GET + b"\r\n")) == [NOT_READY]
    assert server.send(GET + b"a: " + b"x" * 30_000 + b"\r\n\r\n") == [NOT_READY]
    assert server.send((GET + b"\r\n") * 3, answers=3) == [NOT_READY] * 3
    request_with_trailer = (
        CHUNKED_POST.replace(POST, POST + server.bearer) + b"2\r\n[]\r\n0\r\nAuthorization: x\r\n\r\n"
    )
    assert server.send(request_with_trailer) == [(422, "bad_request")]  # it holds no events


def test_a_closed_connection_is_not_logged_as_an_error(server: ServerProcess) -> None:
    routes = (b"POST /v1/events", b"POST /v1/eligibility", b"PUT /v1/services/x", b"POST /v1/me/disputes")
    for route in routes:
        for body in (b"", b'{"eve'):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(POST.replace(b"POST /v1/events", route) + server.bearer)
                connection.sendall(b"Content-Length: 1000\r\n\r\n" + body)
                time.sleep(0.05)
    assert server.send(GET + b"\r\n") == [NOT_READY]
    wait_until(lambda: server.process.output().count("route=/v1/events status=499") >= 2)
    errors: Any = [line for line in server.error_lines() if "not_ready" not in line]
    assert errors == []
