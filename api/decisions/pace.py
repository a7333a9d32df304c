"""Pace: answers leave when a clock of whole steps ticks, refusals too.

What is left of a difference in how long they take, which is microseconds by how `api.decisions.eligibility` works, is lost in waiting for the
tick. The ticks are those of the loop's own clock, of whole milliseconds: it cannot wait for anything between them, and a rest of a
millisecond would be told to whoever counts microseconds.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.problems import answer
from engine.errors import IftahError

STEP: Final = 0.002  # seconds


class Paced(APIRoute):
    """A route whose answers are paced."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def paced(request: Request) -> Response:
            try:
                response = await handle(request)
            except RequestValidationError:  # says nothing of anybody
                raise
            except IftahError as error:
                response = answer(error)
            await _tick()
            return response

        return paced


async def _tick() -> None:
    loop = asyncio.get_running_loop()
    ticked = loop.create_future()
    loop.call_at((loop.time() // STEP + 1) * STEP, ticked.set_result, None)
    await ticked
