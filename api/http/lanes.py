"""Lanes: limit the work of requests that runs at the same time, and the wait for a turn.

Each kind of work has threads of its own, so that one kind cannot block another: reads continue while all writers wait for one lock.
A request waits for its turn on the event loop, where waiting takes no thread. After `PATIENCE_SECONDS` without a turn, or of waiting
for another writer, we answer 503 with `Retry-After`. Each thread of a lane may use a database connection:
`api.store.database.CONNECTIONS` covers all lanes and the background jobs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial, wraps
from time import monotonic
from typing import Any, Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.access.rates import TooManyRequests
from api.http.json_body import JsonRequest
from api.store.database import patience
from engine.errors import Rejected

PATIENCE_SECONDS: Final = 5.0
RETRY_AFTER_SECONDS: Final = 1  # after which a caller may try again
READ_METHODS: Final = ("GET", "HEAD", "OPTIONS")

Params = ParamSpec("Params")
Result = TypeVar("Result")


def server_busy() -> Rejected:
    """The error for a request that got no turn in time."""
    return Rejected("too much else is in progress", where="the server", hint="try again", code="not_ready")


class Lane:
    """A number of threads for one kind of work, per event loop. `seconds`: how long the work takes before it writes, at most."""

    def __init__(self, threads: int, seconds: float = 0.0) -> None:
        self.threads, self.seconds = threads, seconds
        self._semaphores = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]()

    async def run(self, work: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs) -> Result:
        """Run `work` in a thread and return its result. Raises Rejected `not_ready` or `database_busy` if it gets no turn in time."""
        started_at = monotonic()
        semaphore = self._semaphore()
        await _acquire(semaphore, server_busy)
        try:
            remaining = started_at + PATIENCE_SECONDS + self.seconds - monotonic()
            return await run_in_threadpool(_with_patience, remaining, partial(work, *args, **kwargs))
        finally:
            semaphore.release()

    def _semaphore(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        semaphore = self._semaphores.get(loop)
        return (
            semaphore if semaphore is not None else self._semaphores.setdefault(loop, asyncio.Semaphore(self.threads))
        )


def _with_patience(seconds: float, work: Callable[[], Result]) -> Result:
    with patience(seconds):
        return work()


async def _acquire(semaphore: asyncio.Semaphore, error: Callable[[], Rejected]) -> None:
    if not semaphore.locked():
        await semaphore.acquire()
        return
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await semaphore.acquire()
    except TimeoutError:
        raise error() from None


READS: Final = Lane(12)
WRITES: Final = Lane(6)  # the database has one writer at a time: more threads would only wait there
BULK: Final = Lane(2)  # submissions of thousands of events
QUESTIONS: Final = Lane(2)  # batches of the decider
TOKENS: Final = Lane(6)  # look-ups of our own tokens
ISSUER: Final = Lane(2)  # look-ups that may call another issuer
CHECKS: Final = Lane(2, seconds=600.0)  # checks of rules, and measurements of whom they move
DRAFTING: Final = Lane(2)  # checks and completions of rules while somebody writes them: tenths of a second
HEALTH: Final = Lane(1)  # on a connection outside the shared pool
LANES: Final = (READS, WRITES, BULK, QUESTIONS, TOKENS, ISSUER, CHECKS, DRAFTING)


class LanedRoute(APIRoute):
    """A route whose endpoint runs in the lane for reads or for writes, by its method. An `async` endpoint chooses its lane."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if not asyncio.iscoroutinefunction(endpoint):
            reads = set(options.get("methods") or ("GET",)) <= set(READ_METHODS)
            endpoint = _in_lane(endpoint, READS if reads else WRITES)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with strict JSON."""
        handle = super().get_route_handler()

        async def handle_strict_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_strict_json


def _in_lane(endpoint: Callable[..., Any], lane: Lane) -> Callable[..., Any]:
    @wraps(endpoint)
    async def run(*args: Any, **kwargs: Any) -> Any:
        return await lane.run(endpoint, *args, **kwargs)

    return run


class OnePerParty:
    """Allow one request at a time per party. We reject a waiting request with 429 after `PATIENCE_SECONDS`."""

    def __init__(self, message: str) -> None:
        self.message = message
        self._semaphores = WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, asyncio.Semaphore]]()

    @asynccontextmanager
    async def turn(self, party: str) -> AsyncIterator[None]:
        """A context in which no other request of the party runs. Raises TooManyRequests."""
        semaphores = self._semaphores.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        semaphore = semaphores.get(party)  # alive as long as a request has it or waits for it
        if semaphore is None:
            semaphore = semaphores[party] = asyncio.Semaphore(1)
        await _acquire(semaphore, lambda: TooManyRequests(self.message, RETRY_AFTER_SECONDS, where="the request"))
        try:
            yield
        finally:
            semaphore.release()
