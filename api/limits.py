"""Limits on what is read of a request before anyone looks at it."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.evidence import bodies
from api.problems import answer, too_large
from engine.errors import Refused
from graph.json_keys import shown

MOST_BYTES: Final = 64 * 1024  # a question takes a few hundred
LARGER: Final = {("POST", "/v1/events"): bodies.MOST_UNPACKED}
# Of two, a proxy before us may take one and we the other.
ONCE: Final = ("authorization", "content-type", "content-length", "content-encoding", "host")


class BodyLimit:
    """Refuses an address with a NUL, a header that says two things, and a larger body: by its announced length before
    reading, else as soon as more has come.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = _refused(scope, headers, most := LARGER.get((scope["method"], scope["path"]), MOST_BYTES))
        if refused is not None:
            await answer(refused)(scope, receive, send)
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


def _refused(scope: Scope, headers: Headers, most: int) -> Refused | None:
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:  # no database need be asked, and PostgreSQL cannot be
        return Refused("the address has a NUL character", where="the address", hint="remove it", code="bad_request")
    names = [name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)]
    if len(set(names)) < len(names):  # of two, FastAPI takes the last
        named = shown(next(name for name in names if names.count(name) > 1))
        return Refused(f"`{named}` is there twice", where="the address", hint="keep one", code="bad_request")
    twice = next((name for name in ONCE if len(headers.getlist(name)) > 1), None)
    if twice is not None:
        return Refused("a header is there twice", where=twice.title(), hint="send it once", code="ambiguous_header")
    announced = headers.get("content-length", "0")
    return None if announced.isdecimal() and int(announced[:12]) <= most else too_large()
