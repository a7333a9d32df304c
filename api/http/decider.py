"""Answer eligibility questions in batches: while we answer one batch, the next one gathers.

A batch is one write transaction, and a commit costs the same for one answer as for fifty. So the busier a server is, the less each
answer costs. A question waits at most a few milliseconds for a batch as large as the previous one, since the callers of one batch
tend to ask again together.

We give a question up after `api.http.lanes.PATIENCE_SECONDS`. If the caller asks again with the same transaction id, we return the
answer of the first attempt.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final
from weakref import WeakKeyDictionary

from api.decisions.decisions import DecisionResult
from api.decisions.eligibility import answer_questions
from api.decisions.question import EligibilityQuestion
from api.http import lanes
from api.http.lanes import QUESTIONS, server_busy
from api.runtime.context import AppContext
from engine.errors import IftahError

MAX_BATCH: Final = 64  # questions in one transaction
MAX_PENDING: Final = 2_000  # questions waiting on one event loop
GATHER_SECONDS: Final = 0.004  # the longest wait for the expected questions
MAX_JITTER_MICROS: Final = 3_000  # the longest random delay of answers

_PendingQuestion = tuple[EligibilityQuestion, asyncio.Future[DecisionResult]]


class Decider:
    """Answer questions on any event loop. We batch the questions of one loop."""

    def __init__(self, get_context: Callable[[], AppContext]) -> None:
        self._get_context = get_context  # called at the start of each batch
        self._queues = WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopQueue]()

    async def answer(self, question: EligibilityQuestion) -> DecisionResult:
        """The answer, once it is committed. Raises the same errors as `answer_questions`."""
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._queues[loop] = _LoopQueue(self._get_context)
        return await queue.answer(question)


class _LoopQueue:
    """The questions that wait on one event loop."""

    def __init__(self, get_context: Callable[[], AppContext]) -> None:
        self._get_context = get_context
        self._pending: list[_PendingQuestion] = []
        self._running: asyncio.Task[None] | None = None  # we keep a reference: the loop itself holds tasks weakly
        self._expected_count = 1  # the size of the last batch, and one less after each smaller batch
        self._batch_ready = asyncio.Event()  # set while that many wait

    async def answer(self, question: EligibilityQuestion) -> DecisionResult:
        if len(self._pending) >= MAX_PENDING:
            raise server_busy()
        future = asyncio.get_running_loop().create_future()
        self._pending.append((question, future))
        self._update_batch_ready()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(lanes.PATIENCE_SECONDS):
                result: DecisionResult = await future
        except TimeoutError:
            raise server_busy() from None
        return result

    def _update_batch_ready(self) -> None:
        if len(self._pending) >= self._expected_count:
            self._batch_ready.set()
        else:
            self._batch_ready.clear()

    async def _run(self) -> None:
        try:
            while self._pending:
                await self._gather()
                self._pending = [
                    pending for pending in self._pending if not pending[1].done()
                ]  # drop questions that were given up
                batch, self._pending = self._pending[:MAX_BATCH], self._pending[MAX_BATCH:]
                self._expected_count = max(len(batch), self._expected_count - 1)
                self._update_batch_ready()
                if batch:
                    await self._answer(batch)
        finally:
            self._running = None

    async def _gather(self) -> None:
        """Wait a moment for the expected questions: while one thread reads questions, another could hardly answer any."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_SECONDS):
                await self._batch_ready.wait()

    async def _answer(self, batch: list[_PendingQuestion]) -> None:
        try:
            results = await QUESTIONS.run(_answer_with_jitter, self._get_context(), [question for question, _ in batch])
        except BaseException as error:  # each waiting caller gets the error, even one in our own code
            exception = error if isinstance(error, Exception) else asyncio.CancelledError()
            for _, future in batch:
                if not future.done():
                    future.set_exception(exception)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # the caller is gone; the answer is recorded
                continue
            if isinstance(result, IftahError):
                future.set_exception(result)
            else:
                future.set_result(result)


def _answer_with_jitter(
    context: AppContext, questions: Sequence[EligibilityQuestion]
) -> list[DecisionResult | IftahError]:
    """Answer the questions, and delay the answers by a random 0-3 ms.

    Answers and rejections still differ by tens of microseconds after the work of `api.decisions.eligibility`; the delay hides this
    difference. We sleep in the thread, because the event loop's clock has steps of a millisecond, and such steps would show it.
    """
    results = answer_questions(context, questions)
    time.sleep(secrets.randbelow(MAX_JITTER_MICROS) / 1_000_000)
    return results
