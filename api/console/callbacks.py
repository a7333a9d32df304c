"""A merchant's callbacks: what was sent, resend, the secret, and a check of a signature."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.console import labels
from api.console.calls import CallProblem, part
from api.console.visits import MerchantVisit, PageRoute, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_SIZE: Final = 50
HEADER_NAMES: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")


@router.get("/callbacks")
async def list_callbacks(
    visit: MerchantVisit,
    state: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[str | None, Query(max_length=60)] = None,
) -> Response:
    """Messages, newest first."""
    page = await visit.api.get("/v1/callbacks", state=state or None, after=after, limit=PAGE_SIZE)
    services = (await visit.api.get("/v1/services", limit=200))["items"]
    return visit.page(
        "callbacks.html",
        callbacks=page["items"],
        next=page["next"],
        state=state,
        services=[one for one in services if one["callback"]],
        labels=labels,
    )


@router.post("/callbacks/{message_id}/resend")
async def resend(visit: MerchantVisit, message_id: str) -> Response:
    """Send a message again."""
    await visit.api.post(f"/v1/callbacks/{part(message_id)}/resend")
    return visit.see_other("/callbacks", "callback_resent")


@router.get("/callbacks/secret")
async def show_secret(visit: MerchantVisit) -> Response:
    """The secret, on a page of its own: nobody sees it over a shoulder by chance."""
    return visit.page("callback_secret.html", secrets=await visit.api.get("/v1/callbacks/secret"))


@router.post("/callbacks/secret")
async def rotate_secret(visit: MerchantVisit) -> Response:
    """Make a new secret."""
    await visit.api.post("/v1/callbacks/secret/rotate")
    return visit.see_other("/callbacks/secret", "secret_rotated")


@router.get("/callbacks/check")
async def show_check(visit: MerchantVisit) -> Response:
    """The form for a message that somebody received."""
    return visit.page("callback_check.html", headers="", body="", result=None, problem=None)


@router.post("/callbacks/check")
async def check_signature(visit: MerchantVisit) -> Response:
    """Whether a message is ours."""
    form = await form_of(visit)
    headers, body = str(form.get("headers", "")), str(form.get("body", ""))
    result, problem = None, None
    try:
        result = await visit.api.post("/v1/callbacks/verification", _message(headers, _line_ends(body)))
    except CallProblem as error:
        problem = error.document
    return visit.page(
        "callback_check.html", 422 if problem else 200, headers=headers, body=body, result=result, problem=problem
    )


def _message(headers: str, body: str) -> dict[str, Any]:
    """The signed message of pasted headers, one a line; what is missing stays empty, and the signature does not match."""
    values = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in headers.splitlines())
    }
    identity, timestamp, signature = (values.get(name, "") for name in HEADER_NAMES)
    seconds = int(timestamp) if timestamp.isdecimal() and len(timestamp) <= 10 else 0
    return {"id": identity, "timestamp": seconds, "signature": signature, "body": body}


def _line_ends(body: str) -> str:
    """Undo what a form does to a pasted text: browsers send each end of line as CR LF, and our bodies hold none."""
    return body.replace("\r\n", "\n").rstrip("\n")
