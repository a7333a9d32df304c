"""A person's export of everything, and leaving for good."""

import json
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from api.console.calls import CallProblem
from api.console.navigation import N_
from api.console.render import HEADERS
from api.console.visits import COOKIE, PageRoute, SubjectVisit, Visit, form_of
from api.console.words import translations

router = APIRouter(route_class=PageRoute, include_in_schema=False)

WORD = N_("leave")  # what somebody types who leaves


@router.get("/me/leave")
async def show_leaving(visit: SubjectVisit) -> Response:
    """Export or leave."""
    return _page(visit)


@router.get("/me/leave/confirm")
async def show_confirmation(visit: SubjectVisit) -> Response:
    """The same form as the dialog, for a browser without scripts."""
    return _page(visit, with_form=True)


@router.post("/me/leave")
async def leave(visit: SubjectVisit) -> Response:
    """Erase the person, if they proved lately who they are, and typed the word."""
    visit.require_confirmation()
    form = await form_of(visit)
    if str(form.get("word", "")).strip().lower() not in (WORD, translations(visit.language).gettext(WORD)):
        return _page(visit, 422, with_form=True, is_wrong=True)
    try:
        await visit.api.delete("/v1/me", {"confirm": "leave"})
    except CallProblem as error:
        return _page(visit, error.status, problem=error.document)
    response = visit.see_other("/sign-in", "left")
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
    return response


@router.get("/me/export.json")
async def export(visit: SubjectVisit) -> Response:
    """Everything that is stored about the person, as a file."""
    content = json.dumps(await visit.api.get("/v1/me/export"), ensure_ascii=False, indent=1)
    headers = {**HEADERS, "Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="iftah.json"'}
    return Response(content, headers=headers, media_type="application/json")


def _page(
    visit: Visit, status: int = 200, *, with_form: bool = False, is_wrong: bool = False, problem: Any = None
) -> Response:
    values = {"is_confirmed": visit.is_confirmed, "is_wrong": is_wrong, "problem": problem}
    return visit.page("my_leave.html", status, word=WORD, with_form=with_form, **values)
