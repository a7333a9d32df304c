"""Decider: questions that come while others are being answered are answered together next, in one write transaction.

A commit costs the same for one answer as for fifty. So the busier a server is, the less each answer costs, and nobody waits
for others when it is not.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool

from api.decisions import Answered, Asked
from api.eligibility import Put, answered
from api.world import World
from engine.errors import IftahError

MOST: Final = 64  # questions answered together
GATHER: Final = 4  # pauses at most before some are answered
PAUSE: Final = 0.001  # seconds

_Waiting = tuple[Put, asyncio.Future[Answered]]


class Decider:
    """Answers questions, on any event loop; those of one loop together."""

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world  # the one in force when a batch begins
        self._of = WeakKeyDictionary[asyncio.AbstractEventLoop, _Line]()

    async def answer(self, asked: Asked, now: datetime) -> Answered:
        """The answer, when it is in the database. Raises what `api.eligibility.answered` says."""
        loop = asyncio.get_running_loop()
        line = self._of.get(loop)
        if line is None:
            line = self._of[loop] = _Line(self._world)
        return await line.answer(Put(asked, now))


class _Line:
    """The questions that wait on one event loop."""

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world
        self._waiting: list[_Waiting] = []
        self._running: asyncio.Task[None] | None = None  # held: the loop itself holds tasks weakly

    async def answer(self, put: Put) -> Answered:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((put, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        found: Answered = await future
        return found

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._gathered()
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._answer(batch)
        finally:
            self._running = None

    async def _gathered(self) -> None:
        """Wait for those who are about to ask, as long as more come: while one thread reads questions another could hardly answer any."""
        for _ in range(GATHER):
            before = len(self._waiting)
            await asyncio.sleep(PAUSE)
            if len(self._waiting) == before or before >= MOST:
                return

    async def _answer(self, batch: list[_Waiting]) -> None:
        try:
            answers = await run_in_threadpool(answered, self._world(), [put for put, _ in batch])
        except BaseException as error:  # a mistake of ours, too, is told to each who waits for it
            told = error if isinstance(error, Exception) else asyncio.CancelledError()
            for _, future in batch:
                if not future.done():
                    future.set_exception(told)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():  # whoever asked is gone; the answer is on record
                continue
            if isinstance(answer, IftahError):
                future.set_exception(answer)
            else:
                future.set_result(answer)
