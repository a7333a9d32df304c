"""The direct way to an answer about eligibility, past the machinery of routes.

Nearly all requests of a server are this one question, and the way through the framework's middleware, routing and dependencies takes longer
than the decision. So we read a usual question here: with one JSON body, one bearer token and no query. It passes the same checks by the
same functions, in the same order, and gets the same bytes. We leave everything else to the ordinary route, which also writes the
messages about a body that is wrong.
"""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final

from fastapi import FastAPI, Request
from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.console.calls import PAGE_CALLER
from api.http import dependencies, metrics, problems, request_log
from api.http.body_limits import MAX_BODY_BYTES, SINGLE_HEADERS
from api.http.dependencies import require_access
from api.http.json_body import parse_strict
from api.http.routes.eligibility import EligibilityAnswer, EligibilityRequest, question_of
from api.store import clock
from engine.errors import IftahError

PATH: Final = "/v1/eligibility"
_JSON: Final = b"application/json"
_BEARER: Final = b"Bearer "
_SINGLE: Final = frozenset(name.encode() for name in SINGLE_HEADERS)


def install_direct_way(app: FastAPI) -> None:
    """Put the direct way before all middleware of an application."""
    build_stack = app.build_middleware_stack

    def build_with_direct_way() -> ASGIApp:
        ordinary = build_stack()

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if scope.get("path") == PATH and scope.get("method") == "POST" and scope["type"] == "http":
                await _answer_or_pass_on(app, ordinary, scope, receive, send)
            else:
                await ordinary(scope, receive, send)

        return call

    app.build_middleware_stack = build_with_direct_way  # type: ignore[method-assign]


async def _answer_or_pass_on(app: FastAPI, ordinary: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a usual question; pass every other request on to `ordinary`, with its body."""
    started_at, secret = perf_counter(), _token(app, scope)
    if secret is None:
        await ordinary(scope, receive, send)
        return
    message = await receive()
    body = _body(message)
    if body is None:
        await ordinary(scope, _replaying(message, receive), send)
        return
    await _answer(app, scope, receive, send, secret, body, started_at)


def _token(app: FastAPI, scope: Scope) -> str | None:
    """The token of a request with the usual headers, else None."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in headers and name in _SINGLE:
            return None
        headers[name] = value
    authorization = headers.get(b"authorization", b"")
    secret = authorization[len(_BEARER) :]
    length = headers.get(b"content-length", b"")
    is_usual = (
        authorization.startswith(_BEARER)
        and secret.isascii()
        and len(secret.split()) == 1
        and secret.strip() == secret
        and headers.get(b"content-type") == _JSON
        and b"content-encoding" not in headers
        and length.isdigit()
        and int(length[:12]) <= MAX_BODY_BYTES
        and not scope["query_string"]
        and PAGE_CALLER not in scope
        and app.dependency_overrides.keys() <= {dependencies.get_now}  # tests replace others
    )
    return secret.decode() if is_usual else None


def _body(message: Message) -> EligibilityRequest | None:
    """The valid body of a request that came in one piece, else None."""
    if message["type"] != "http.request" or message.get("more_body") or len(message.get("body", b"")) > MAX_BODY_BYTES:
        return None
    try:
        return EligibilityRequest.model_validate(parse_strict(message.get("body", b"")))
    except (ValidationError, ValueError, RecursionError):
        return None


def _replaying(message: Message, receive: Receive) -> Receive:
    """A `receive` that first gives the message that we read already."""
    first: list[Message] = [message]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay


async def _answer(
    app: FastAPI, scope: Scope, receive: Receive, send: Send, secret: str, body: EligibilityRequest, started_at: float
) -> None:
    """The answer, or the problem, as the ordinary route and its middleware give it; and the line in the log."""
    request_id, status = request_log.request_id_of(scope), 500
    scope[request_log.REQUEST_ID] = request_id.decode()

    async def send_with_id(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
        await send(message)

    try:
        try:
            content = await _content(app, scope, secret, body)
        except IftahError as error:
            await problems.problem_response(error)(scope, receive, send_with_id)
        else:
            headers = [(b"content-length", str(len(content)).encode()), (b"content-type", _JSON)]
            await send_with_id({"type": "http.response.start", "status": 200, "headers": headers})
            await send_with_id({"type": "http.response.body", "body": content})
    except Exception as error:
        scope[request_log.CODE] = "internal"
        await (await problems.handle_unexpected(Request(scope), error))(scope, receive, send)
        raise
    finally:
        request_log.record(scope, PATH, status, perf_counter() - started_at)


async def _content(app: FastAPI, scope: Scope, secret: str, body: EligibilityRequest) -> bytes:
    """The content of the answer. Raises as the dependencies of the route and `Decider.answer`."""
    state, client = app.state, scope.get("client")
    override: Callable[[], Any] | None = app.dependency_overrides.get(dependencies.get_now)
    now = clock.now() if override is None else override()
    if isinstance(now, Awaitable):
        now = await now
    caller = await state.gate.admit(state.context.database, secret, now, client[0] if client else "")
    scope[request_log.CALLER] = caller
    require_access(caller, ("merchant",), "eligibility")
    result = await state.decider.answer(question_of(body, caller.party, now))
    metrics.count_answer(result.outcome)
    return EligibilityAnswer.of(result).model_dump_json().encode()
