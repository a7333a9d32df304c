"""A held write lock: reads and health answer, writers get 503. Part of `python -m tests.soak.outages`."""

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

from api.access import tokens
from api.store import clock
from api.store.database import open_database, writing
from tests.bench.fresh import running_server, settle

PEOPLE: Final = 60
WRITERS: Final = 60
HOLD_SECONDS: Final = 12.0  # seconds for which we hold the lock
MAX_READ_SECONDS: Final = 3.0  # seconds within which health and reads must answer, on a busy machine
MAX_WRITE_SECONDS: Final = 12.0  # seconds within which a writer must get any answer


@dataclass
class AnswerStats:
    """The slowest answer in seconds, and the count of each status; 0 means no answer."""

    slowest: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0

    def ask(self, port: int, method: str, path: str, token: str, body: Any = None) -> int:
        """Send one request on a new connection. Returns the status."""
        content = "" if body is None else json.dumps(body)
        return self.send(
            port,
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode(),
        )

    def send(self, port: int, request: bytes) -> int:
        """Send the raw bytes of a request. Returns the status."""
        started_at, status = time.monotonic(), 0
        with (
            suppress(OSError, http.client.HTTPException),
            socket.create_connection(("127.0.0.1", port), 60) as connection,
        ):
            connection.sendall(request)
            response = http.client.HTTPResponse(connection)
            response.begin()
            response.read()
            status = response.status
            self.without_retry_after += status == 503 and not response.headers["Retry-After"]
        self.statuses[status] += 1
        self.slowest = max(self.slowest, time.monotonic() - started_at)
        return status


@dataclass(frozen=True)
class LockResult:
    """The answers while we held the lock, and the answer to the first write after it."""

    health: AnswerStats
    reads: AnswerStats
    writes: AnswerStats
    after: int

    def problems(self) -> list[str]:
        """The faults."""
        result = [
            f"{name}: {dict(stats.statuses)}, slowest {stats.slowest:.1f} s"
            for name, stats in (("health", self.health), ("reads", self.reads))
            if set(stats.statuses) != {200} or stats.slowest > MAX_READ_SECONDS
        ]
        if set(self.writes.statuses) - {200, 201, 503} or self.writes.slowest > MAX_WRITE_SECONDS:
            result.append(f"writes: {dict(self.writes.statuses)}, slowest {self.writes.slowest:.1f} s")
        if self.writes.without_retry_after:
            result.append(f"{self.writes.without_retry_after} answers 503 without Retry-After")
        return result + ([f"after the lock: {self.after}"] if self.after not in (200, 201) else [])


def hold_lock(url: str, hold: float = HOLD_SECONDS, writers: int = WRITERS) -> LockResult:
    """Hold the write lock of a served database while writers, readers and health checks call."""
    settle(url, PEOPLE)
    database, now = open_database(url), clock.now()
    token = tokens.issue(database, "merchant", "inn", "inn", now, clock.add_days(now, days=1)).secret
    result = LockResult(AnswerStats(), AnswerStats(), AnswerStats(), 0)
    with running_server(url) as (_, port), ThreadPoolExecutor(writers + 2) as threads:
        result.reads.ask(port, "GET", "/v1/services", token)

        def poll(answers: AnswerStats, path: str, until: float) -> None:
            while time.monotonic() < until:
                answers.ask(port, "GET", path, token)
                time.sleep(0.2)

        with writing(database):
            until = time.monotonic() + hold
            futures: list[Any] = [
                threads.submit(result.writes.ask, port, "PUT", f"/v1/services/s{n}", token, {"perk": "hotel"})
                for n in range(writers)
            ]
            time.sleep(0.5)
            futures += [
                threads.submit(poll, answers, path, until)
                for answers, path in ((result.health, "/v1/health"), (result.reads, "/v1/services"))
            ]
            time.sleep(max(0.0, until - time.monotonic()))
        for future in futures:
            future.result()
        after = eventually(lambda: AnswerStats().ask(port, "PUT", "/v1/services/last", token, {"perk": "hotel"}))
    database.dispose()
    return LockResult(result.health, result.reads, result.writes, after)


def eventually(status: Callable[[], int]) -> int:
    """The last of at most ten answers. We repeat the request while the answer is 503."""
    code = 0
    for _ in range(10):
        code = status()
        if code != 503:
            break
        time.sleep(0.5)
    return code
