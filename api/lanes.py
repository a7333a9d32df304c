"""Lanes: which work of requests may be in progress at once, and how long the rest waits for its turn.

Each sort of work has threads of its own, so that no sort takes another's: while every writer waits for one lock, reads
go on. A turn is waited for on the event loop, where waiting takes no thread. Who has no turn within `PATIENCE`, or who
waits that long for another writer, is answered 503 with `Retry-After`. Each lane's thread may have a database
connection: `api.database.CONNECTIONS` is as many as all of them, and the background's.
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

from api.access.rates import TooMany
from api.database import patience
from api.json_body import JsonRequest
from engine.errors import Refused

PATIENCE: Final = 5.0  # seconds
AGAIN: Final = 1  # seconds after which a caller may try again
READING: Final = ("GET", "HEAD", "OPTIONS")

Params = ParamSpec("Params")
Result = TypeVar("Result")


def no_turn() -> Refused:
    """Raised when the work of others took all turns for too long."""
    return Refused("too much else is in progress", where="the server", hint="try again", code="not_ready")


class Lane:
    """So many threads for one sort of work, on each event loop."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._turns = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]()

    async def run(self, work: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs) -> Result:
        """What `work` returns, from a thread. Raises Refused `not_ready` or `database_busy` when its turn does not come."""
        began = monotonic()
        turn = self._turn()
        await _in_time(turn, no_turn)
        try:
            left = began + PATIENCE - monotonic()
            return await run_in_threadpool(_patiently, left, partial(work, *args, **kwargs))
        finally:
            turn.release()

    def _turn(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        found = self._turns.get(loop)
        return found if found is not None else self._turns.setdefault(loop, asyncio.Semaphore(self.threads))


def _patiently(seconds: float, work: Callable[[], Result]) -> Result:
    with patience(seconds):
        return work()


async def _in_time(turn: asyncio.Semaphore, error: Callable[[], Refused]) -> None:
    if not turn.locked():
        await turn.acquire()
        return
    try:
        async with asyncio.timeout(PATIENCE):
            await turn.acquire()
    except TimeoutError:
        raise error() from None


READS: Final = Lane(12)
WRITES: Final = Lane(6)  # writers are alone in the database: more would only wait there
BULK: Final = Lane(2)  # submissions of thousands of events
QUESTIONS: Final = Lane(2)  # batches of the decider
TOKENS: Final = Lane(6)  # look-ups of tokens
ISSUER: Final = Lane(2)  # and those for which another issuer may have to be asked
HEALTH: Final = Lane(1)  # on a connection that is in no pool of others
LANES: Final = (READS, WRITES, BULK, QUESTIONS, TOKENS, ISSUER)


class LanedRoute(APIRoute):
    """A route whose endpoint runs in the lane of reads, or of writes by its method. An `async` endpoint chooses itself."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if not asyncio.iscoroutinefunction(endpoint):
            reads = set(options.get("methods") or ("GET",)) <= set(READING)
            endpoint = _laned(endpoint, READS if reads else WRITES)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's, with JSON read strictly."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return strictly


def _laned(endpoint: Callable[..., Any], lane: Lane) -> Callable[..., Any]:
    @wraps(endpoint)
    async def run(*args: Any, **kwargs: Any) -> Any:
        return await lane.run(endpoint, *args, **kwargs)

    return run


class OneEach:
    """One thing in progress for each party; the next waits for it, and is refused 429 after `PATIENCE`."""

    def __init__(self, message: str) -> None:
        self.message = message
        self._turns = WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, asyncio.Semaphore]]()

    @asynccontextmanager
    async def turn(self, party: str) -> AsyncIterator[None]:
        """Inside, nothing else of the party is in progress. Raises TooMany."""
        of = self._turns.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        turn = of.get(party)  # held by whoever has it or waits for it
        if turn is None:
            turn = of[party] = asyncio.Semaphore(1)
        await _in_time(turn, lambda: TooMany(self.message, AGAIN, where="the request"))
        try:
            yield
        finally:
            turn.release()
