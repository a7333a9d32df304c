"""Every request is counted, timed and logged in one line, by its route's template: no path, no query, no header, no body."""

import logging
import os
import re
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import REQUESTS, SECONDS

log = logging.getLogger("iftah.request")

CALLER: Final = "iftah.caller"  # where in a request's scope the caller stands, once they are known
CODE: Final = "iftah.code"  # and the code of a problem
NAME: Final = "iftah.request"  # and the id of the request
NO_ROUTE: Final = "(none)"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# A UUID or a W3C trace id. Anything freer could be a name or a number of somebody's.
_PLAIN: Final = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class Watched:
    """Around the whole app; answers carry `X-Request-ID`: the caller's if it is one, else a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, name, status = perf_counter(), _name(scope), 500

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name)]
            await send(message)

        scope[NAME] = name.decode()
        try:
            await self.app(scope, receive, named)
        except Exception:
            scope[CODE] = "internal"  # it is answered outside of here
            raise
        finally:
            _noted(scope, status, perf_counter() - began)


def _name(scope: Scope) -> bytes:
    for header, value in scope["headers"]:
        if header == b"x-request-id" and _PLAIN.fullmatch(value):
            return bytes(value)
    return os.urandom(16).hex().encode()


def _noted(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", NO_ROUTE)
    method = scope["method"] if scope["method"] in METHODS else "OTHER"
    caller, code = scope.get(CALLER), scope.get(CODE, "")
    REQUESTS.labels(method, route, status, code).inc()
    SECONDS.labels(method, route).observe(seconds)
    if log.isEnabledFor(logging.INFO):
        who = {"token": caller.token, "role": caller.role} if caller else {}
        what = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1e3, 2),
            "request": scope[NAME],
        }
        log.info("request", extra={**what, **({"code": code} if code else {}), **who})
