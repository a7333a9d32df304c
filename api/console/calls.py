"""Calls of our own HTTP API, in process, as the person who signed in.

So roles, validation, consent and every other rule are those of `/v1`, and a page holds no second source of truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.auth import Caller
from api.console.api_problems import in_language

PAGE_CALLER: Final = (
    "iftah.page_caller"  # the key of the caller in the scope of a call from a page: no client can set it
)
HOST: Final = "http://console"  # names no machine: the call never leaves the process


class CallProblem(Exception):
    """An answer other than success: the problem document of the API."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        super().__init__(document.get("code", ""))
        self.status, self.document = status, document

    @property
    def code(self) -> str:
        """The stable code of the problem."""
        return str(self.document.get("code", "internal"))


@dataclass(frozen=True)
class Calls:
    """The API for one caller, in one language. A method returns the JSON of the answer, and raises CallProblem."""

    app: ASGIApp
    caller: Caller
    language: str
    address: str = "127.0.0.1"  # the client's, for the log

    async def get(self, path: str, **query: Any) -> Any:
        """Read. Query values that are None are left out; write a name that Python reserves with `_` at its end."""
        return await self._send("GET", path, query=query)

    async def post(self, path: str, body: Any = None) -> Any:
        """Do."""
        return await self._send("POST", path, body)

    async def replace(self, path: str, body: Any = None) -> Any:
        """Replace."""
        return await self._send("PUT", path, body)

    async def delete(self, path: str, body: Any = None, **query: Any) -> Any:
        """Delete."""
        return await self._send("DELETE", path, body, query)

    async def file(self, path: str) -> tuple[str, Mapping[str, str]]:
        """Read what is no JSON document: its text and its headers."""
        answer = await self._request("GET", path)
        if answer.is_success:
            return answer.text, answer.headers
        raise self._problem(answer.status_code, answer.json() if _is_json(answer) else answer.text)

    async def _send(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        answer = await self._request(method, path, body, query)
        document = answer.json() if _is_json(answer) else answer.text
        if answer.is_success:
            return document
        raise self._problem(answer.status_code, document)

    def _problem(self, status: int, document: Any) -> CallProblem:
        """The problem, with its detail and hint in the reader's language."""
        values = document if isinstance(document, dict) else {"detail": str(document)}
        return CallProblem(status, in_language(values, self.language))

    async def _request(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None
    ) -> httpx2.Response:
        params = {name.rstrip("_"): _text(value) for name, value in (query or {}).items() if value is not None}
        transport = httpx2.ASGITransport(app=self._as_caller, raise_app_exceptions=False, client=(self.address, 0))
        async with httpx2.AsyncClient(transport=transport, base_url=HOST) as client:
            headers = {"Accept-Language": self.language}
            return await client.request(method, path, params=params, json=body, headers=headers)

    async def _as_caller(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[PAGE_CALLER] = self.caller
        await self.app(scope, receive, send)


def part(value: str) -> str:
    """A value as one part of a path: it cannot lead to another route."""
    return quote(value, safe="") if value not in (".", "..") else "-"


def _is_json(answer: httpx2.Response) -> bool:
    kind = answer.headers.get("content-type", "").partition(";")[0]
    return bool(answer.content) and (kind == "application/json" or kind.endswith("+json"))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
