"""Consents of a person: those in force, the requests that wait, and the page to which a merchant sends somebody for consent."""

from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.console import labels
from api.console.calls import CallProblem, part
from api.console.visits import PageRoute, SubjectVisit, Visit, form_of
from api.settings.settings import settings

router = APIRouter(route_class=PageRoute, include_in_schema=False)

SENSITIVE = "restricted"


@router.get("/me/consents")
async def list_my_consents(visit: SubjectVisit) -> Response:
    """Consents in force, by whom they are for, and requests."""
    return await _list(visit)


@router.post("/me/consents")
async def give(visit: SubjectVisit) -> Response:
    """Allow us to use classes of data, without anybody's request."""
    form = await form_of(visit)
    body = {"purpose": settings().consent_purpose, "classes": _classes(form), "warned": "warned" in form}
    try:
        await visit.api.post("/v1/me/consents", body)
    except CallProblem as error:
        return await _list(visit, error)
    return visit.see_other("/me/consents", "consent_given")


@router.post("/me/consents/withdraw")
async def withdraw(visit: SubjectVisit) -> Response:
    """Withdraw one class, or everything that a service may ask about."""
    form = await form_of(visit)
    service, name = str(form.get("service", "")), str(form.get("class", ""))
    body = {"purpose": str(form.get("purpose", "")), "classes": [name] if name else None, "service": service or None}
    try:
        await visit.api.post("/v1/me/consents/withdraw", body)
    except CallProblem as error:
        return await _list(visit, error)
    return visit.see_other("/me/consents", "consent_withdrawn")


@router.get("/consent/{request_id}")
async def show_request(visit: SubjectVisit, request_id: str) -> Response:
    """A merchant's request: read it, and allow it or not. After the answer, the way back to the merchant."""
    return await _request(visit, request_id)


@router.post("/consent/{request_id}/grant")
async def grant(visit: SubjectVisit, request_id: str) -> Response:
    """Allow the ticked classes."""
    form = await form_of(visit)
    classes = _classes(form)
    if not classes:
        return await _request(visit, request_id, error="nothing_ticked")
    try:
        await visit.api.post(
            f"/v1/me/consents/{part(request_id)}/grant", {"classes": classes, "warned": "warned" in form}
        )
    except CallProblem as problem:
        if problem.code == "unknown_consent":
            raise
        return await _request(visit, request_id, ticked=classes, error=problem.code)
    return visit.see_other(f"/consent/{part(request_id)}")


@router.post("/consent/{request_id}/decline")
async def decline(visit: SubjectVisit, request_id: str) -> Response:
    """Refuse."""
    try:
        await visit.api.post(f"/v1/me/consents/{part(request_id)}/decline")
    except CallProblem as problem:
        if problem.code == "unknown_consent":
            raise
        return await _request(visit, request_id, error=problem.code)
    return visit.see_other(f"/consent/{part(request_id)}")


async def _list(visit: Visit, problem: CallProblem | None = None) -> Response:
    consents = await visit.api.get("/v1/me/consents")
    groups = [
        {"purpose": purpose, "service": service, "consents": list(rows)}
        for (purpose, service), rows in groupby(consents["in_force"], lambda one: (one["purpose"], one["service"]))
    ]
    own = {one["data_class"] for one in consents["in_force"] if one["service"] is None}
    return visit.page(
        "my_consents.html",
        problem.status if problem else 200,
        requests=consents["requests"],
        groups=groups,
        missing=[name for name in labels.CLASSES if name not in own],
        warning=consents["warning"].get(visit.language, consents["warning"]["en"]),
        sensitive=SENSITIVE,
        problem=problem.document if problem else None,
        labels=labels,
    )


async def _request(
    visit: Visit, request_id: str, *, ticked: list[str] | tuple[str, ...] = (), error: str | None = None
) -> Response:
    request: dict[str, Any] = await visit.api.get(f"/v1/me/consents/{part(request_id)}")
    warning = request["warning"] or {}
    return visit.page(
        "consent.html",
        409 if error == "consent_answered" else 422 if error else 200,
        request=request,
        ticked=ticked,
        error=error,
        warning=warning.get(visit.language, warning.get("en")),
        sensitive=SENSITIVE,
        host=urlsplit(request["return_url"]).netloc if request["return_url"] else None,
        labels=labels,
    )


def _classes(form: FormData) -> list[str]:
    return [str(value) for value in form.getlist("classes")]
