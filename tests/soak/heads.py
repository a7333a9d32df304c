"""Request heads without an end, many at a time: memory stays, others are answered. Part of `python -m tests.soak.outages`."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from tests.bench.fresh import peak_of, served, settle
from tests.soak.lock import Answers

PEOPLE: Final = 60
CALLERS: Final = 24  # of each sort
MEGABYTES: Final = 60  # that each tries to send
GROWS: Final = 40 * 2**20  # bytes by which memory may grow: what is on its way of all of them at one time
SLOWEST: Final = 3.0  # seconds to an answer to somebody else
CLOSES: Final = 20.0  # seconds within which half of a request is ended
HEAD: Final = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n"
PIECE: Final = b"x" * 65_536


def _endless(sort: int) -> Iterator[bytes]:
    begin, piece = ((HEAD, b"a: b\r\n" * 10_000), (HEAD + b"a: ", PIECE), (b"GET /", PIECE))[sort]
    yield begin
    for _ in range(MEGABYTES * 2**20 // len(piece)):
        yield piece


def _attack(port: int, sort: int) -> None:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        for piece in _endless(sort):
            line.sendall(piece)


def _half(port: int) -> float:
    """Seconds that a half-sent head stays open."""
    began = time.monotonic()
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=3 * CLOSES) as line:
        line.sendall(HEAD)
        while line.recv(65_536):
            pass
    return time.monotonic() - began


def endless_heads(url: str) -> tuple[int, float, Answers]:
    """Bytes by which the server's memory grew, the longest that half a head stayed open, and what others were answered."""
    settle(url, PEOPLE)
    others = Answers()
    with served(url) as (pid, port), ThreadPoolExecutor(4 * CALLERS) as threads:
        for _ in range(20):
            others.ask(port, "GET", "/v1/health", "")
        before = peak_of(pid)
        working: list[Any] = [threads.submit(_attack, port, sort) for sort in range(3) for _ in range(CALLERS)]
        halves = [threads.submit(_half, port) for _ in range(CALLERS)]
        while not all(work.done() for work in working + halves):
            others.ask(port, "GET", "/v1/health", "")
            time.sleep(0.1)
        return peak_of(pid) - before, max(half.result() for half in halves), others


def problems(grown: int, half: float, others: Answers) -> list[str]:
    """What is not as it must be."""
    found = [f"memory grew by {grown / 2**20:.0f} MB"] if grown > GROWS else []
    if half > CLOSES:
        found.append(f"half a head stayed open for {half:.0f} s")
    if set(others.statuses) != {200} or others.slowest > SLOWEST:
        found.append(f"others: {dict(others.statuses)}, slowest {others.slowest:.1f} s")
    return found
