"""Limits on what is read of a request before anyone looks at it."""

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import bodies
from api.problems import answer, too_large

MOST_BYTES: Final = 64 * 1024  # a question takes a few hundred
LARGER: Final = {("POST", "/v1/events"): bodies.MOST_UNPACKED}


class BodyLimit:
    """Refuses a larger body with 413: by its announced length before reading, else as soon as more has come."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = LARGER.get((scope["method"], scope["path"]), MOST_BYTES)
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced[:12]) > most:
            await answer(too_large())(scope, receive, send)
            return
        come = 0

        async def counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > most:
                raise HTTPException(413)
            return message

        await self.app(scope, counted, send)
