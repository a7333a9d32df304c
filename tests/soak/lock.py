"""A write lock that is held: reads and health answer, writers are told to come again. Part of `python -m tests.soak.outages`."""

import http.client
import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from api import clock
from api.access import tokens
from api.database import open_database, writing
from tests.bench.fresh import served, settle

PEOPLE: Final = 60
WRITERS: Final = 60
HOLD: Final = 12.0  # seconds that the lock is held
SLOWEST_READ: Final = 3.0  # seconds within which health and reads must answer, on a machine that does other work
SLOWEST_WRITE: Final = 12.0  # seconds within which a writer must have its answer, whatever it is


@dataclass
class Answers:
    """What came: the slowest answer in seconds, and how many of each status; 0 is none at all."""

    slowest: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0

    def ask(self, port: int, method: str, path: str, token: str, body: Any = None) -> int:
        """One request, on a connection of its own; its status."""
        content = "" if body is None else json.dumps(body)
        return self.put(
            port,
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode(),
        )

    def put(self, port: int, request: bytes) -> int:
        """The same for a request as it goes over the line."""
        began, status = time.monotonic(), 0
        with suppress(OSError, http.client.HTTPException), socket.create_connection(("127.0.0.1", port), 60) as line:
            line.sendall(request)
            response = http.client.HTTPResponse(line)
            response.begin()
            response.read()
            status = response.status
            self.without_retry_after += status == 503 and not response.headers["Retry-After"]
        self.statuses[status] += 1
        self.slowest = max(self.slowest, time.monotonic() - began)
        return status


@dataclass(frozen=True)
class Held:
    """What was answered while the lock was held, and to the first write after it."""

    health: Answers
    reads: Answers
    writes: Answers
    after: int

    def problems(self) -> list[str]:
        """What is not as it must be."""
        found = [
            f"{name}: {dict(of.statuses)}, slowest {of.slowest:.1f} s"
            for name, of in (("health", self.health), ("reads", self.reads))
            if set(of.statuses) != {200} or of.slowest > SLOWEST_READ
        ]
        if set(self.writes.statuses) - {200, 201, 503} or self.writes.slowest > SLOWEST_WRITE:
            found.append(f"writes: {dict(self.writes.statuses)}, slowest {self.writes.slowest:.1f} s")
        if self.writes.without_retry_after:
            found.append(f"{self.writes.without_retry_after} answers 503 without Retry-After")
        return found + ([f"after the lock: {self.after}"] if self.after not in (200, 201) else [])


def held(url: str, hold: float = HOLD, writers: int = WRITERS) -> Held:
    """Hold the write lock of a served database while writers, readers and whoever watches health ask."""
    settle(url, PEOPLE)
    engine, now = open_database(url), clock.now()
    token = tokens.issue(engine, "merchant", "inn", "inn", now, clock.later(now, days=1)).secret
    found = Held(Answers(), Answers(), Answers(), 0)
    with served(url) as (_, port), ThreadPoolExecutor(writers + 2) as threads:
        found.reads.ask(port, "GET", "/v1/services", token)

        def again(answers: Answers, path: str, until: float) -> None:
            while time.monotonic() < until:
                answers.ask(port, "GET", path, token)
                time.sleep(0.2)

        with writing(engine):
            until = time.monotonic() + hold
            working: list[Any] = [
                threads.submit(found.writes.ask, port, "PUT", f"/v1/services/s{n}", token, {"perk": "hotel"})
                for n in range(writers)
            ]
            time.sleep(0.5)
            working += [
                threads.submit(again, answers, path, until)
                for answers, path in ((found.health, "/v1/health"), (found.reads, "/v1/services"))
            ]
            time.sleep(max(0.0, until - time.monotonic()))
        for work in working:
            work.result()
        after = eventually(lambda: Answers().ask(port, "PUT", "/v1/services/last", token, {"perk": "hotel"}))
    engine.dispose()
    return Held(found.health, found.reads, found.writes, after)


def eventually(status: Callable[[], int]) -> int:
    """The last of at most ten answers: asked again while it is 503."""
    found = 0
    for _ in range(10):
        found = status()
        if found != 503:
            break
        time.sleep(0.5)
    return found
