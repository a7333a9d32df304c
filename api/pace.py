"""Pace: answers leave at whole steps of time after their question came, refusals too.

What is left of a difference in how long they take, which is microseconds by how `api.eligibility` works, is lost in
what rounding up to a step does to it.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.problems import answer
from engine.errors import IftahError

STEP: Final = 0.004  # seconds


class Paced(APIRoute):
    """A route whose answers are paced."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def paced(request: Request) -> Response:
            began = perf_counter()
            try:
                response = await handle(request)
            except RequestValidationError:  # says nothing of anybody
                raise
            except IftahError as error:
                response = answer(error)
            took = perf_counter() - began
            await asyncio.sleep(math.ceil(took / STEP) * STEP - took)
            return response

        return paced
