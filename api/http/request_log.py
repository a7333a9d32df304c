"""Count, time and log every request in one line, by its route's template. We log no path, query, header or body."""

import logging
import os
import re
from functools import lru_cache
from time import perf_counter
from typing import Final

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.metrics import REQUEST_SECONDS, REQUESTS
from api.telemetry.logs import write_info

log = logging.getLogger("iftah.request")

CALLER: Final = "iftah.caller"  # the key of the caller in a request's scope, once we know the caller
CODE: Final = "iftah.code"  # the key of a problem's code
REQUEST_ID: Final = "iftah.request"  # the key of the request's id
NO_ROUTE: Final = "(none)"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# A UUID or a W3C trace id. A freer format could hold a person's name or number.
_ID_PATTERN: Final = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class RequestLog:
    """Middleware around the whole app. Answers carry `X-Request-ID`: the caller's if it is valid, else a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_at, request_id, status = perf_counter(), request_id_of(scope), 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        scope[REQUEST_ID] = request_id.decode()
        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            scope[CODE] = "internal"  # the answer is made outside this middleware
            raise
        finally:
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            record(scope, route, status, perf_counter() - started_at)


def request_id_of(scope: Scope) -> bytes:
    """The id of a request: the caller's if it is valid, else a new one."""
    for header, value in scope["headers"]:
        if header == b"x-request-id" and _ID_PATTERN.fullmatch(value):
            return bytes(value)
    return os.urandom(16).hex().encode()


@lru_cache(1_024)
def _metrics_of(method: str, route: str, status: int, code: str) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, status, code), REQUEST_SECONDS.labels(method, route)


def record(scope: Scope, route: str, status: int, seconds: float) -> None:
    """Count, time and log a request that was answered."""
    method = scope["method"] if scope["method"] in METHODS else "OTHER"
    caller, code = scope.get(CALLER), scope.get(CODE, "")
    counter, seconds_of_route = _metrics_of(method, route, status, code)
    counter.inc()
    seconds_of_route.observe(seconds)
    if log.isEnabledFor(logging.INFO):
        fields = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1e3, 2),
            "request": scope[REQUEST_ID],
        }
        if code:
            fields["code"] = code
        if caller:
            fields |= {"token": caller.token, "role": caller.role}
        write_info(log, "request", fields)
