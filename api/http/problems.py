"""Turn every error into RFC 9457 `application/problem+json`, with one status per code.

`code` is stable: let your program read it. A problem holds no stack trace and no personal data.
"""

import json
import logging
from collections.abc import Sequence
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

from api.access.rates import TooManyRequests
from api.console.visits import problem_page, wants_page
from api.http.hints import for_http
from api.http.json_body import UnreadableBody
from api.http.request_log import CODE, REQUEST_ID
from api.telemetry.crash_site import kind_and_place
from engine.errors import IftahError, Rejected, TransitionRejected

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
    "issuer_unavailable": 503,
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
    "look_needed": 403,
    "unknown_perk": 404,
    "unknown_feature": 404,
    "no_lineage": 409,
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
    "total_may_only_decrease": 409,
    "day_not_over": 409,
    "bad_time_range": 422,
    "open_orders": 409,
    "dispute_answered": 409,
    "already_answered": 409,
    "bad_score": 422,
    "unknown_proposal": 404,
    "unknown_key": 404,
    "own_proposal": 403,
    "bad_signature": 422,
    "bad_key": 422,
    "bad_plan": 422,
    "bad_schedule": 422,
    "no_reason": 422,
    "no_rules": 422,
    "bad_value": 422,
    "unknown_draft": 404,
    "draft_moved": 409,
    "draft_exists": 409,
    "too_many_drafts": 409,
    "other_owner": 403,
    "no_purpose": 422,
    "rules_refused": 422,
    "probe_killed": 503,
    "wrong_proposal_state": 409,
    "base_moved": 409,
    "manifest_moved": 409,
    "log_moved": 409,
    "key_revoked": 409,
    "needs_approval": 409,
    "not_approved": 409,
    "trial_runs": 409,
    "bad_share": 409,
    "no_change": 409,
    "no_dry_run": 409,
    "needs_build": 409,
    "definitions_moved": 409,
    "evidence_changed": 409,
    "other_flags": 409,
    "never_in_force": 409,
    "break_glass": 409,
    "log_altered": 503,
    "database_restored": 503,
    "clock_behind": 503,
    "no_release": 503,
    "features_stale": 503,
    "not_ready": 503,
    "clock_ahead": 503,
    "engine_failed": 503,
    "internal": 500,
}
# Codes that any route may answer with. `error_responses` adds them to each route's own.
COMMON_CODES: Final = (
    "no_token",
    "bad_token",
    "wrong_role",
    "wrong_scope",
    "not_found",
    "too_large",
    "ambiguous_header",
    "bad_request",
    "too_many_requests",
    "not_ready",
    "issuer_unavailable",
    "clock_ahead",
)
# Codes with which the server answers a request before it knows the route: see `api.http.request_head`.
HEAD_CODES: Final = ("request_timeout", "url_too_long", "headers_too_large")
# RFC 9110's reasons for statuses that Python names otherwise before 3.13.
_REASONS: Final = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
MAX_PROBLEMS, MAX_KEY_CHARS = 5, 40  # of one request: the problems that we report, and the length of a key in them
CLIENT_CLOSED_REQUEST: Final = 499  # as other servers log it; we never send it
RETRY_AFTER_SECONDS: Final = 1  # after which a caller may try again after a 503
MEDIA_TYPE: Final = "application/problem+json"
BODY: Final = "the body"
UNAVAILABLE: Final = "the service is not available just now"
PROBLEM_SCHEMA: Final = "ProblemDetails"  # the name of `ProblemDetails` in the OpenAPI document
# Messages for invalid values, by pydantic's error type or by its prefix. Your client may be in another language than Python, so we
# name no Python types.
_MESSAGES: Final = {
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
_MESSAGES_BY_PREFIX: Final = {
    "model_": "should be an object",
    "dict_": "should be an object",
    "int_": "should be a whole number",
    "bool_": "should be true or false",
    "date_": "should be a day such as 2026-01-31",
    "datetime_": "should be a time such as 2026-01-31T09:30:00Z",
}


class ProblemDetails(BaseModel):
    """A problem as of RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    where: str | None = None
    hint: str | None = None


class ProblemResponse(JSONResponse):
    """An answer that stores its code in the request's scope, for the request log."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CODE] = json.loads(bytes(self.body))["code"]
        await super().__call__(scope, receive, send)


def title(code: str) -> str:
    """The title of a code, in words."""
    return code.replace("_", " ")


def error_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route, for the OpenAPI document: these codes and `COMMON_CODES`."""
    by_status: dict[int | str, list[str]] = {}
    for code in dict.fromkeys((*codes, *COMMON_CODES)):
        by_status.setdefault(STATUS[code], []).append(code)
    return {status: error_response(codes_of_status) for status, codes_of_status in by_status.items()}


def error_response(codes: Sequence[str]) -> dict[str, Any]:
    """The response with one of these codes, all of one status, for the OpenAPI document."""
    status = STATUS[codes[0]]
    schema = {"$ref": f"#/components/schemas/{PROBLEM_SCHEMA}"}
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    content = {MEDIA_TYPE: {"schema": schema, "examples": examples}}
    reason = _REASONS.get(status, HTTPStatus(status).phrase)
    return {"description": f"{reason}: `code` is {' or '.join(codes)}", "content": content}


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem."""
    app.add_exception_handler(IftahError, _handle_iftah_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(ClientDisconnect, _handle_disconnect)
    app.add_exception_handler(Exception, handle_unexpected)


def problem_response(error: IftahError) -> JSONResponse:
    """The response for an error. We log it if it is a failure of ours."""
    problem = _problem(error)
    if problem.status >= 500:
        log.error("%s: %s", error.code, error)
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.retry_after)
    elif problem.status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return ProblemResponse(problem.model_dump(exclude_none=True), problem.status, headers, MEDIA_TYPE)


def _problem(error: IftahError) -> ProblemDetails:
    """The public part of an error. The database's own message is for the operator's log, not for callers."""
    if error.code.startswith("database") and error.code not in STATUS:
        error = Rejected(UNAVAILABLE, hint="try again", code="not_ready")
    # Operators may define codes of their own for rejected transitions of orders.
    elif error.code not in STATUS and not isinstance(error, TransitionRejected):
        error = Rejected(UNAVAILABLE, where=error.where, hint=error.hint, code="internal")
    return ProblemDetails(
        type=f"urn:iftah:problem:{error.code}",
        title=title(error.code),
        status=STATUS.get(error.code, STATUS["wrong_state"]),
        code=error.code,
        detail=UNAVAILABLE if error.code == "internal" else for_http(error.message),
        where=error.where or None,
        hint=for_http(error.hint) or None,
    )


def too_large() -> Rejected:
    """The error for a body that is too large."""
    return Rejected("the request is too large", where=BODY, hint="one question at a time", code="too_large")


async def _handle_iftah_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, IftahError)  # noqa: S101 - `install` registers this handler for it
    return problem_response(error)


async def _handle_validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    if any(e["loc"] == ("body",) and isinstance(e["input"], bytes) for e in error.errors()):
        message, hint = "the body is not said to be JSON", "send `Content-Type: application/json`"
        return problem_response(Rejected(message, where=BODY, hint=hint, code="bad_request"))
    problems = [(_place(e)[:MAX_KEY_CHARS], _describe(e)) for e in error.errors()[:MAX_PROBLEMS]]
    code = "bad_amount" if {where for where, _ in problems} == {"amount"} else "bad_request"
    detail = "; ".join(f"{where if where == BODY else f'`{where}`'} {problem}" for where, problem in problems)
    places = ", ".join(dict.fromkeys(where for where, _ in problems))
    return problem_response(Rejected(detail, where=places, hint="see /docs for what belongs there", code=code))


def _place(error: Any) -> str:
    """The field. For invalid JSON it is the whole body."""
    inside = [] if error["type"] == "json_invalid" else error["loc"][1:]
    return ".".join(str(part) for part in inside if part != "[key]") or BODY


def _describe(error: Any) -> str:
    """The message, without the input, since the input may hold personal data."""
    kind = str(error["type"])
    templates = (text for begins, text in _MESSAGES_BY_PREFIX.items() if kind.startswith(begins))
    template = _MESSAGES.get(kind) or next(templates, None)
    if template:
        return template.format_map(error.get("ctx", {}))
    return str(error["msg"]).replace("Input should", "should").replace("Value error, ", "")


async def _handle_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if wants_page(request):
        return await problem_page(
            request, error.status_code, "not_found" if error.status_code == 404 else "internal", {}
        )
    if isinstance(error, UnreadableBody):
        return problem_response(error.rejection)
    if error.status_code == STATUS["too_large"]:
        return problem_response(too_large())
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    message = {"not_found": "there is nothing here", "method_not_allowed": "this method is not for this address"}
    return problem_response(Rejected(message.get(code, "the request cannot be read"), hint="see /docs", code=code))


async def _handle_disconnect(request: Request, _: Exception) -> Response:
    """The caller closed the connection before we had the whole request. Nobody reads this answer, and it is no error of ours."""
    request.scope[CODE] = "disconnected"
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def handle_unexpected(request: Request, error: Exception) -> Response:
    """The response for an error in our own code, which we log by its place alone."""
    log.error("internal: %s", kind_and_place(error))
    response: Response
    if wants_page(request):
        response = await problem_page(request, 500, "internal", {})
    else:
        response = problem_response(Rejected("something went wrong on our side", hint="try again", code="internal"))
    response.headers["X-Request-ID"] = request.scope.get(
        REQUEST_ID, ""
    )  # `RequestLog` does not see this answer, so we add the id here
    return response
