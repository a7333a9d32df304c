"""Limits on a request that apply before any route reads it."""

import re
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.evidence import bodies
from api.http.problems import problem_response, too_large
from engine.errors import Rejected
from graph.evidence.unique_keys import printable_key

MAX_BODY_BYTES: Final = 64 * 1024  # a question has a few hundred
MAX_FILES_BYTES: Final = (
    16 * 1024 * 1024
)  # a rules folder: MAX_FILES_CHARS of `api.proposals.proposals`, at four bytes each
MAX_BYTES_BY_ROUTE: Final = (
    ("POST", re.compile("/v1/events"), bodies.MAX_UNPACKED_BYTES),
    ("POST", re.compile("/v1/proposals"), MAX_FILES_BYTES),
    ("PUT", re.compile("/v1/proposals/[0-9]{1,10}"), MAX_FILES_BYTES),
    ("POST", re.compile("/v1/releases/break-glass"), MAX_FILES_BYTES),
    ("POST", re.compile("/v1/rules/(check|completion|explanation|assessment|measurement|drafts)"), MAX_FILES_BYTES),
    ("PUT", re.compile("/v1/rules/drafts/[0-9]{1,10}"), MAX_FILES_BYTES),
    ("POST", re.compile("/rules/(explanation|drafts/.*)"), MAX_FILES_BYTES),
    ("POST", re.compile("/v1/evidence/imports(/dry-run)?"), MAX_FILES_BYTES),
    ("POST", re.compile("/evidence/import(/confirm)?"), MAX_FILES_BYTES),
)
# If such a header comes twice, a proxy may use one value and we the other.
SINGLE_HEADERS: Final = ("authorization", "content-type", "content-length", "content-encoding", "host")


class BodyLimit:
    """Reject an address with a NUL, a repeated parameter or header, and a body that is too large.

    We reject a body by its announced length before reading it, else once more bytes have arrived than we allow.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        max_bytes = _max_bytes(scope["method"], scope["path"])
        violation = _violation(scope, headers, max_bytes)
        if violation is not None:
            await problem_response(violation)(scope, receive, send)
            return
        received_bytes = 0

        async def receive_within_limit() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > max_bytes:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_within_limit, send)


def _max_bytes(method: str, path: str) -> int:
    """The size that a body may have."""
    limits = (limit for name, pattern, limit in MAX_BYTES_BY_ROUTE if name == method and pattern.fullmatch(path))
    return next(limits, MAX_BODY_BYTES)


def _violation(scope: Scope, headers: Headers, max_bytes: int) -> Rejected | None:
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:  # PostgreSQL cannot store NUL
        return Rejected("the address has a NUL character", where="the address", hint="remove it", code="bad_request")
    names = [name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)]
    if len(set(names)) < len(names):  # FastAPI would take the last of two
        parameter = printable_key(next(name for name in names if names.count(name) > 1))
        return Rejected(f"`{parameter}` is there twice", where="the address", hint="keep one", code="bad_request")
    header = next((name for name in SINGLE_HEADERS if len(headers.getlist(name)) > 1), None)
    if header is not None:
        return Rejected("a header is there twice", where=header.title(), hint="send it once", code="ambiguous_header")
    content_length = headers.get("content-length", "0")
    return None if content_length.isdecimal() and int(content_length[:12]) <= max_bytes else too_large()
