"""Limit the bytes and fields of a request's head, and the time in which a request must arrive.

uvicorn's protocol over httptools limits none of these, and anybody can reach it without a token. Ours counts the bytes. It answers
431 to a head that is too large, 414 to a URL that is too long and 408 to a request that is too slow, and closes the connection.
This costs a few additions per chunk of data. We set a timer only for a request that does not arrive in one piece.
"""

import asyncio
import os
from asyncio import TimerHandle
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api.http.joined_writes import JoinedWrites
from api.http.metrics import REQUESTS
from api.http.problems import problem_response
from engine.errors import Rejected

MAX_HEAD_BYTES: Final = 32 * 1024  # ours have some hundred bytes; another issuer's token has at most 8 KiB
MAX_URL_BYTES: Final = 8 * 1024
MAX_FIELDS: Final = 100
HEAD_SECONDS: Final = 10.0  # from the connection, or from the first byte of a further request, to the end of the head
BODY_SECONDS: Final = 60.0  # from the end of the head to the end of the body
LINGER_SECONDS: Final = 1.0  # in which a caller who still sends can read our answer
FIELD_BYTES: Final = 4  # per field besides name and value: colon, space and line end


class BoundedProtocol(HttpToolsProtocol):
    """A connection that enforces the limits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = self._in_message = False
        self._head_bytes = self._fields = 0  # of the current request
        self._parser_advanced = False  # whether the parser made progress in the current chunk
        self._idle_bytes = 0  # since its last progress: a field or a chunk extension without an end
        self._rejection: Rejected | None = None
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
        self._timer = self.loop.call_later(HEAD_SECONDS, self._on_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._rejection is not None:
            return
        self._parser_advanced = False
        super().data_received(data)
        self._idle_bytes = 0 if self._parser_advanced else self._idle_bytes + len(data)
        self._update_timer()

    def _update_timer(self) -> None:
        """Set a timer while we wait for the rest of a request, and none while we answer it."""
        if self._rejection is not None or self.transport.is_closing():
            return
        if self._idle_bytes > MAX_HEAD_BYTES:
            self._reject(too_many_bytes())
        elif not self._in_message and self._pending() is not None:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS if self._in_head else BODY_SECONDS, self._on_timeout)

    def _pending(self) -> RequestResponseCycle | None:
        """The request that we are answering, or None."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return None if cycle is None or cycle.response_complete else cycle

    def on_message_begin(self) -> None:
        self._in_head = self._in_message = self._parser_advanced = True
        self._head_bytes = self._fields = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        if self._head_bytes > MAX_URL_BYTES:
            self._abort_parsing(url_too_long())
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._head_bytes += len(name) + len(value) + FIELD_BYTES
        if self._fields > MAX_FIELDS:
            self._abort_parsing(too_many_fields())
        if self._head_bytes > MAX_HEAD_BYTES:
            self._abort_parsing(too_many_bytes())
        if self._in_head:  # we count trailer fields, and drop them
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._parser_advanced = False, True
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._parser_advanced = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_message, self._parser_advanced = False, True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own message
        """uvicorn calls this when parsing fails, also after one of our own errors."""
        self._reject(self._rejection or unreadable())

    def _abort_parsing(self, error: Rejected) -> None:
        self._rejection = error
        raise error  # httptools passes it to uvicorn as a parser error

    def _on_timeout(self) -> None:
        self._timer = None
        if self.flow.read_paused:  # we paused reading ourselves
            self._timer = self.loop.call_later(HEAD_SECONDS, self._on_timeout)
        elif not self.transport.is_closing():
            self._reject(too_slow())

    def _reject(self, error: Rejected) -> None:
        """Answer with the error, unless another answer has begun, and read no more."""
        self._rejection = error
        self._stop_timer()
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        pending = self._pending()
        if pending is not None:  # nothing is left to read, and its answer would reach nobody
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


def too_many_bytes() -> Rejected:
    """The error for a head that is too large."""
    hint = f"at most {MAX_HEAD_BYTES // 1024} KiB"
    return Rejected("the header fields are too large", where="the head", hint=hint, code="headers_too_large")


def too_many_fields() -> Rejected:
    """The error for a head with too many fields."""
    hint = f"at most {MAX_FIELDS}"
    return Rejected("there are too many header fields", where="the head", hint=hint, code="headers_too_large")


def url_too_long() -> Rejected:
    """The error for a URL that is too long."""
    hint = f"at most {MAX_URL_BYTES // 1024} KiB"
    return Rejected("the address is too long", where="the address", hint=hint, code="url_too_long")


def too_slow() -> Rejected:
    """The error for a request that is too slow."""
    hint = f"send the head within {HEAD_SECONDS:g} s, and the body within {BODY_SECONDS:g} s"
    return Rejected("the request did not come in time", where="the request", hint=hint, code="request_timeout")


def unreadable() -> Rejected:
    """The error for bytes that are not HTTP."""
    return Rejected("this is not HTTP", where="the request", hint="send HTTP/1.1", code="malformed_request")


def _response(error: Rejected) -> bytes:
    """The bytes of the answer, the same as the application would send."""
    response = problem_response(error)
    fields = (*response.raw_headers, (b"x-request-id", os.urandom(16).hex().encode()), (b"connection", b"close"))
    REQUESTS.labels("OTHER", "(none)", response.status_code, error.code).inc()
    head = STATUS_LINE[response.status_code] + b"".join(b"%b: %b\r\n" % field for field in fields)
    return head + b"\r\n" + bytes(response.body)
