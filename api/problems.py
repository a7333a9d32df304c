"""Errors as callers see them: RFC 9457 `application/problem+json`, one shape, each code with its status.

`code` is stable and what a program should look at. No stack trace and nobody's data leaves by this door.
"""

import json
import logging
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.access.rates import TooMany
from api.json_body import UnreadBody
from api.mistakes import kind_and_place
from api.watched import CODE, NAME
from engine.errors import IftahError, Refused, Unmoved

log = logging.getLogger("iftah")

STATUS: Final = {
    "bad_request": 422,
    "ambiguous_header": 400,
    "malformed_request": 400,
    "request_timeout": 408,
    "url_too_long": 414,
    "headers_too_large": 431,
    "bad_amount": 422,
    "bad_context": 422,
    "wrong_currency": 422,
    "no_token": 401,
    "bad_token": 401,
    "wrong_role": 403,
    "wrong_scope": 403,
    "too_many_requests": 429,
    "issuer_away": 503,
    "bad_role": 422,
    "bad_party": 422,
    "bad_scope": 422,
    "no_such_token": 404,
    "bad_ceiling": 422,
    "bad_callback": 422,
    "bad_until": 422,
    "not_asked": 422,
    "warning_needed": 422,
    "unknown_purpose": 422,
    "unknown_consent": 404,
    "bad_event": 422,
    "consent_answered": 409,
    "too_large": 413,
    "too_many_rows": 413,
    "unsupported_type": 415,
    "no_consent": 403,
    "not_on_allow_list": 403,
    "unknown_service": 404,
    "unknown_person": 404,
    "unknown_perk": 404,
    "unknown_decision": 404,
    "unknown_release": 404,
    "no_digest": 404,
    "erased": 410,
    "not_replayable": 409,
    "bad_year": 422,
    "unknown_item": 404,
    "unknown_dispute": 404,
    "unknown_review": 404,
    "unknown_event": 404,
    "unknown_submission": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "transaction_mismatch": 409,
    "transaction_expired": 409,
    "too_many_amounts": 429,
    "unknown_order": 404,
    "unknown_callback": 404,
    "order_mismatch": 409,
    "wrong_service": 409,
    "not_admitted": 409,
    "decision_used": 409,
    "decision_superseded": 409,
    "decision_expired": 409,
    "decision_lapsed": 409,
    "wrong_state": 409,
    "overdue_outstanding": 409,
    "due_outstanding": 409,
    "too_many_open": 409,
    "over_ceiling": 409,
    "only_downwards": 409,
    "day_not_over": 409,
    "bad_time_range": 422,
    "orders_open": 409,
    "dispute_answered": 409,
    "already_answered": 409,
    "bad_score": 422,
    "features_stale": 503,
    "not_ready": 503,
    "clock_ahead": 503,
    "engine_failed": 503,
    "internal": 500,
}
# What any route may answer, whatever it does: each documents it without naming it.
ANYWHERE: Final = (
    *(
        "no_token",
        "bad_token",
        "wrong_role",
        "wrong_scope",
        "not_found",
        "too_large",
        "ambiguous_header",
        "bad_request",
    ),
    *("too_many_requests", "not_ready", "issuer_away", "clock_ahead"),
)
MOST_PROBLEMS, MOST_SHOWN = 5, 40  # of one request: how many are told, and how much of a key
DISCONNECTED: Final = 499  # as other servers count it; no answer has it
AGAIN: Final = 1  # seconds after which whoever is answered 503 may try again
MEDIA_TYPE: Final = "application/problem+json"
BODY: Final = "the body"
DETAILS: Final = "ProblemDetails"  # the name of `Problem` in the OpenAPI document
# What is wrong with a value, by pydantic's name of it (`_PLAIN`) or by what that begins with (`_ALIKE`): for callers who may
# write another language than Python.
_PLAIN: Final = {
    "missing": "is missing",
    "extra_forbidden": "does not belong here",
    "json_invalid": "is not JSON",
    "string_pattern_mismatch": "has characters that do not belong there",
    "string_type": "should be text",
    "string_too_long": "should have at most {max_length} characters",
    "string_too_short": "should have at least {min_length} characters",
    "too_long": "should have at most {max_length} items",
    "too_short": "should have at least {min_length} items",
    "list_type": "should be a list",
    "timezone_aware": "should say its time zone, as 2026-01-31T09:30:00Z does",
}
_ALIKE: Final = {
    "model_": "should be an object",
    "dict_": "should be an object",
    "int_": "should be a whole number",
    "bool_": "should be true or false",
    "date_": "should be a day such as 2026-01-31",
    "datetime_": "should be a time such as 2026-01-31T09:30:00Z",
}


class Problem(BaseModel):
    """What went wrong, in the shape of RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    where: str | None = None
    hint: str | None = None


class ProblemResponse(JSONResponse):
    """The answer, which leaves its code where whoever logs the request finds it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CODE] = json.loads(bytes(self.body))["code"]
        await super().__call__(scope, receive, send)


def title(code: str) -> str:
    """A code in words."""
    return code.replace("_", " ")


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these codes, and with what any may, for the OpenAPI page."""
    by_status: dict[int | str, list[str]] = {}
    for code in dict.fromkeys((*codes, *ANYWHERE)):
        by_status.setdefault(STATUS[code], []).append(code)
    return {status: _documented(int(status), some) for status, some in by_status.items()}


def _documented(status: int, codes: list[str]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{DETAILS}"}
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    content = {MEDIA_TYPE: {"schema": schema, "examples": examples}}
    return {"description": f"{HTTPStatus(status).phrase}: `code` is {' or '.join(codes)}", "content": content}


def install(app: FastAPI) -> None:
    """Answer every error of the app in this shape."""
    app.add_exception_handler(IftahError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


def answer(error: IftahError) -> JSONResponse:
    """The response that says what went wrong."""
    # What the database says of itself is for the operator's log, not for callers.
    hidden = error.code.startswith("database")
    # Operators may give refusals of orders codes of their own.
    known = error.code in STATUS or isinstance(error, Unmoved)
    code = "not_ready" if hidden else error.code if known else "internal"
    status = STATUS.get(code, STATUS["wrong_state"])
    if status >= 500:
        log.error("%s: %s", error.code, error)
    message = "the service is not available just now" if hidden or code == "internal" else error.message
    problem = Problem(
        type=f"urn:iftah:problem:{code}",
        title=title(code),
        status=status,
        code=code,
        detail=message,
        where=None if hidden else error.where or None,
        hint="try again" if hidden else error.hint or None,
    )
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.again)
    elif status == 503:
        headers["Retry-After"] = str(AGAIN)
    return ProblemResponse(problem.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


def too_large() -> Refused:
    """What is said of a body that is larger than any question."""
    return Refused("the request is too large", where=BODY, hint="one question at a time", code="too_large")


async def _expected(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, IftahError)  # noqa: S101 - that is what it is installed for
    return answer(error)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    if any(e["loc"] == ("body",) and isinstance(e["input"], bytes) for e in error.errors()):
        message, hint = "the body is not said to be JSON", "send `Content-Type: application/json`"
        return answer(Refused(message, where=BODY, hint=hint, code="bad_request"))
    wrong = [(_place(e)[:MOST_SHOWN], _plain(e)) for e in error.errors()[:MOST_PROBLEMS]]
    code = "bad_amount" if {where for where, _ in wrong} == {"amount"} else "bad_request"
    said = "; ".join(f"{where if where == BODY else f'`{where}`'} {what}" for where, what in wrong)
    places = ", ".join(dict.fromkeys(where for where, _ in wrong))
    return answer(Refused(said, where=places, hint="see /docs for what belongs there", code=code))


def _place(error: Any) -> str:
    """The field; for what is no JSON at all the place in it says nothing."""
    inside = [] if error["type"] == "json_invalid" else error["loc"][1:]
    return ".".join(str(part) for part in inside if part != "[key]") or BODY


def _plain(error: Any) -> str:
    """What is wrong, without the input: what the caller sent may be anybody's data."""
    kind = str(error["type"])
    alike = (said for begins, said in _ALIKE.items() if kind.startswith(begins))
    said = _PLAIN.get(kind) or next(alike, None)
    if said:
        return said.format_map(error.get("ctx", {}))
    return str(error["msg"]).replace("Input should", "should").replace("Value error, ", "")


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    if isinstance(error, UnreadBody):
        return answer(error.refused)
    if error.status_code == STATUS["too_large"]:
        return answer(too_large())
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    message = {"not_found": "there is nothing here", "method_not_allowed": "this method is not for this address"}
    return answer(Refused(message.get(code, "the request cannot be read"), hint="see /docs", code=code))


async def _gone(request: Request, _: Exception) -> Response:
    """The caller hung up before the request was there: nobody reads this answer, and nothing is wrong here."""
    request.scope[CODE] = "disconnected"
    return Response(status_code=DISCONNECTED)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("internal: %s", kind_and_place(error))
    said = answer(Refused("something went wrong on our side", hint="try again", code="internal"))
    said.headers["X-Request-ID"] = request.scope.get(NAME, "")  # this answer is made outside of what adds it
    return said
