"""Request heads: how many bytes and fields they may have, and how long a request may take to come.

uvicorn's protocol over httptools bounds none of these, and nobody needs a token to reach it. This one counts what comes. It
answers 431 to a head that is too large, 414 to an address that is too long, 408 to what does not come in time, and closes
the connection. That costs a few additions for each piece that comes; a timer is set only for what does not come at once.
"""

import asyncio
import os
from asyncio import TimerHandle
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api.metrics import REQUESTS
from api.problems import answer
from engine.errors import Refused

MAX_HEAD_BYTES: Final = 32 * 1024  # ours have some hundreds; a token of another issuer has 8 KiB at most
MAX_URL_BYTES: Final = 8 * 1024
MAX_FIELDS: Final = 100
HEAD_SECONDS: Final = 10.0  # from the connection, or from the first byte of a further request, to the end of the head
BODY_SECONDS: Final = 60.0  # from the end of the head to the end of the body
LINGER_SECONDS: Final = 1.0  # in which a caller who still sends may read why it is not heard
FIELD_BYTES: Final = 4  # of each field beside its name and its value: colon, space and the end of the line


class BoundedProtocol(HttpToolsProtocol):
    """One connection, whose requests have bounds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = self._in_message = False
        self._head_bytes = self._fields = 0  # of the present request
        self._went_on = False  # whether the parser got anywhere with the present piece
        self._idle_bytes = 0  # since it last did: a field or a chunk's extension that has no end
        self._rejected: Refused | None = None
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._rejected is not None:
            return
        self._went_on = False
        super().data_received(data)
        self._idle_bytes = 0 if self._went_on else self._idle_bytes + len(data)
        self._see_what_must_come()

    def _see_what_must_come(self) -> None:
        """Set a timer while a request is awaited or half there, and none while it is being answered."""
        if self._rejected is not None or self.transport.is_closing():
            return
        if self._idle_bytes > MAX_HEAD_BYTES:
            self._reject(too_many_bytes())
        elif not self._in_message and self._pending() is not None:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS if self._in_head else BODY_SECONDS, self._too_late)

    def _pending(self) -> RequestResponseCycle | None:
        """The request that is being answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return None if cycle is None or cycle.response_complete else cycle

    def on_message_begin(self) -> None:
        self._in_head = self._in_message = self._went_on = True
        self._head_bytes = self._fields = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        if self._head_bytes > MAX_URL_BYTES:
            self._exceeded(url_too_long())
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._head_bytes += len(name) + len(value) + FIELD_BYTES
        if self._fields > MAX_FIELDS:
            self._exceeded(too_many_fields())
        if self._head_bytes > MAX_HEAD_BYTES:
            self._exceeded(too_many_bytes())
        if self._in_head:  # a field after the body is counted, and says nothing
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._went_on = False, True
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._went_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_message, self._went_on = False, True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - what uvicorn would say
        """Called when the parser gives up, also when it was one of the above that did."""
        self._reject(self._rejected or unreadable())

    def _exceeded(self, error: Refused) -> None:
        self._rejected = error
        raise error  # httptools hands it to uvicorn as an error of the parser

    def _too_late(self) -> None:
        self._timer = None
        if self.flow.read_paused:  # it is we who do not read
            self._timer = self.loop.call_later(HEAD_SECONDS, self._too_late)
        elif not self.transport.is_closing():
            self._reject(too_slow())

    def _reject(self, error: Refused) -> None:
        """Say why, unless another answer is on its way, and read no more of it."""
        self._rejected = error
        self._stop_timer()
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        pending = self._pending()
        if pending is not None:  # it has no more to read, and what it answers reaches nobody
            pending.disconnected = True
            pending.message_event.set()
        if pending is None or not (self._in_head or pending.response_started):
            self.transport.write(_response(error))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def too_many_bytes() -> Refused:
    """What is said of a head that goes on and on."""
    hint = f"at most {MAX_HEAD_BYTES // 1024} KiB"
    return Refused("the header fields are too large", where="the head", hint=hint, code="headers_too_large")


def too_many_fields() -> Refused:
    """What is said of a head with many fields."""
    hint = f"at most {MAX_FIELDS}"
    return Refused("there are too many header fields", where="the head", hint=hint, code="headers_too_large")


def url_too_long() -> Refused:
    """What is said of an address that goes on and on."""
    hint = f"at most {MAX_URL_BYTES // 1024} KiB"
    return Refused("the address is too long", where="the address", hint=hint, code="url_too_long")


def too_slow() -> Refused:
    """What is said to whoever does not finish a request."""
    hint = f"send the head within {HEAD_SECONDS:g} s, and the body within {BODY_SECONDS:g} s"
    return Refused("the request did not come in time", where="the request", hint=hint, code="request_timeout")


def unreadable() -> Refused:
    """What is said of bytes that are no HTTP."""
    return Refused("this is not HTTP", where="the request", hint="send HTTP/1.1", code="malformed_request")


def _response(error: Refused) -> bytes:
    """The problem, as the application would answer it."""
    problem = answer(error)
    fields = (*problem.raw_headers, (b"x-request-id", os.urandom(16).hex().encode()), (b"connection", b"close"))
    REQUESTS.labels("OTHER", "(none)", problem.status_code, error.code).inc()
    head = STATUS_LINE[problem.status_code] + b"".join(b"%b: %b\r\n" % field for field in fields)
    return head + b"\r\n" + bytes(problem.body)
