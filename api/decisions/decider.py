"""Decider: questions that come while others are being answered are answered together next, in one write transaction.

A commit costs the same for one answer as for fifty. So the busier a server is, the less each answer costs. Whoever asks waits a few
milliseconds, at most, for as many as asked before: those who were answered together are about to ask again together.

A question that is not answered within `api.lanes.PATIENCE` is given up: asked again, the same transaction gets the answer that it
would have had.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary

from api import lanes
from api.decisions.decisions import Answered, Asked
from api.decisions.eligibility import Put, answered
from api.lanes import QUESTIONS, no_turn
from api.world import World
from engine.errors import IftahError

MOST: Final = 64  # questions answered together
MOST_WAITING: Final = 2_000  # questions that wait on one event loop
GATHER: Final = 0.004  # seconds at most in which those come who are expected
BLUR: Final = 3_000  # microseconds at most that answers wait for no reason

_Waiting = tuple[Put, asyncio.Future[Answered]]


class Decider:
    """Answers questions, on any event loop; those of one loop together."""

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world  # the one in force when a batch begins
        self._of = WeakKeyDictionary[asyncio.AbstractEventLoop, _Line]()

    async def answer(self, asked: Asked, now: datetime) -> Answered:
        """The answer, when it is in the database. Raises what `api.decisions.eligibility.answered` says."""
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
        self._usual = 1  # how many are expected to ask: as many as came, and one fewer each time that fewer do
        self._come = asyncio.Event()  # as many wait

    async def answer(self, put: Put) -> Answered:
        if len(self._waiting) >= MOST_WAITING:
            raise no_turn()
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((put, future))
        self._see_who_come()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(lanes.PATIENCE):
                found: Answered = await future
        except TimeoutError:
            raise no_turn() from None
        return found

    def _see_who_come(self) -> None:
        if len(self._waiting) >= self._usual:
            self._come.set()
        else:
            self._come.clear()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._gathered()
                self._waiting = [each for each in self._waiting if not each[1].done()]  # without those given up
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                self._usual = max(len(batch), self._usual - 1)
                self._see_who_come()
                if batch:
                    await self._answer(batch)
        finally:
            self._running = None

    async def _gathered(self) -> None:
        """Wait a moment for those who are about to ask: while one thread reads questions another could hardly answer any."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER):
                await self._come.wait()

    async def _answer(self, batch: list[_Waiting]) -> None:
        try:
            answers = await QUESTIONS.run(_in_some_time, self._world(), [put for put, _ in batch])
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


def _in_some_time(world: World, questions: Sequence[Put]) -> list[Answered | IftahError]:
    """The answers, after a wait of a random length: what is left of a difference in how long answers and refusals take, some
    tens of microseconds by how `api.decisions.eligibility` works, is lost in it. Here, for the event loop's clock has whole
    milliseconds only: beside one of its steps such a difference would be plain.
    """
    answers = answered(world, questions)
    time.sleep(secrets.randbelow(BLUR) / 1_000_000)
    return answers
