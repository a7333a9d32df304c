"""Many endless request heads at a time: memory stays bounded, and other callers get answers. Part of `python -m tests.soak.outages`."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from tests.bench.fresh import peak_memory, running_server, settle
from tests.soak.lock import AnswerStats

PEOPLE: Final = 60
CALLERS: Final = 24  # of each kind
MEGABYTES_PER_CALLER: Final = 60  # that each tries to send
MAX_GROWTH_BYTES: Final = (
    40 * 2**20
)  # the allowed growth of memory in bytes: the data in flight of all of them at one time
MAX_ANSWER_SECONDS: Final = 3.0  # seconds until an answer to another caller
CLOSE_TIMEOUT: Final = 20.0  # seconds within which the server must end half a request
HEAD: Final = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n"
PIECE: Final = b"x" * 65_536


def _endless(sort: int) -> Iterator[bytes]:
    begin, piece = ((HEAD, b"a: b\r\n" * 10_000), (HEAD + b"a: ", PIECE), (b"GET /", PIECE))[sort]
    yield begin
    for _ in range(MEGABYTES_PER_CALLER * 2**20 // len(piece)):
        yield piece


def _attack(port: int, sort: int) -> None:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for piece in _endless(sort):
            connection.sendall(piece)


def _half(port: int) -> float:
    """Seconds until the server closes a half-sent head."""
    started_at = time.monotonic()
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=3 * CLOSE_TIMEOUT) as connection:
        connection.sendall(HEAD)
        while connection.recv(65_536):
            pass
    return time.monotonic() - started_at


def endless_heads(url: str) -> tuple[int, float, AnswerStats]:
    """The growth of the server's memory in bytes, the longest life of half a head, and the answers to other callers."""
    settle(url, PEOPLE)
    other_answers = AnswerStats()
    with running_server(url) as (pid, port), ThreadPoolExecutor(4 * CALLERS) as threads:
        for _ in range(20):
            other_answers.ask(port, "GET", "/v1/health", "")
        before = peak_memory(pid)
        futures: list[Any] = [threads.submit(_attack, port, sort) for sort in range(3) for _ in range(CALLERS)]
        halves = [threads.submit(_half, port) for _ in range(CALLERS)]
        while not all(future.done() for future in futures + halves):
            other_answers.ask(port, "GET", "/v1/health", "")
            time.sleep(0.1)
        return peak_memory(pid) - before, max(half.result() for half in halves), other_answers


def problems(growth: int, half: float, other_answers: AnswerStats) -> list[str]:
    """The faults."""
    result = [f"memory grew by {growth / 2**20:.0f} MB"] if growth > MAX_GROWTH_BYTES else []
    if half > CLOSE_TIMEOUT:
        result.append(f"half a head stayed open for {half:.0f} s")
    if set(other_answers.statuses) != {200} or other_answers.slowest > MAX_ANSWER_SECONDS:
        result.append(f"others: {dict(other_answers.statuses)}, slowest {other_answers.slowest:.1f} s")
    return result
