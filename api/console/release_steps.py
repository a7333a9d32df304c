"""The steps that people take on the pages of releases. Those that change answers for everyone ask for a new proof of who you are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.console.break_glass import forget_break_glass
from api.console.calls import CallProblem
from api.console.plan_form import form_again, plan_of
from api.console.releases import Number, break_glass_page, keys_page, proposal_page, releases_page
from api.console.visits import (
    ConfirmationNeeded,
    OperatorVisit,
    PageRoute,
    ReviewerVisit,
    Visit,
    form_of,
    to_confirmation,
)

router = APIRouter(prefix="/releases", route_class=PageRoute, include_in_schema=False)

SIGNED: Final = ("submission", "approval")
REASONED: Final = ("rejection", "stop")
PLAIN: Final = ("release", "shadow", "measurement")
CONFIRMED: Final = ("approval", "release", "schedule", "shadow")  # and the ways back and alone, below
Fields = Mapping[str, Any]


@router.post("/keys")
async def register_key(visit: ReviewerVisit) -> Response:
    """Register the public key that the browser made."""
    form = await form_of(visit)
    if not visit.is_confirmed:
        return _to_confirmation("/releases/keys")
    body = {"public": _text(form, "public"), "signature": _text(form, "signature")}
    try:
        await visit.api.post("/v1/keys", body)
    except CallProblem as problem:
        return await keys_page(visit, problem.status, problem=problem.document)
    return visit.see_other("/releases/keys", "key_registered")


@router.post("/keys/{fingerprint}/revocation")
async def revoke_key(visit: ReviewerVisit, fingerprint: Annotated[str, Path(pattern="^[0-9a-f]{16}$")]) -> Response:
    """Revoke one's own key: whoever loses one must be fast, so it needs no proof."""
    form = await form_of(visit)
    try:
        await visit.api.delete(f"/v1/keys/{fingerprint}", reason=_text(form, "reason"))
    except CallProblem as problem:
        return await keys_page(visit, problem.status, problem=problem.document)
    return visit.see_other("/releases/keys", "key_revoked")


@router.post("/rollback")
async def roll_back(visit: ReviewerVisit) -> Response:
    """Put an earlier release into force again."""
    form = await form_of(visit)
    reason = _text(form, "reason")
    if not visit.is_confirmed:
        return _to_confirmation("/releases", show="rollback", reason=reason)
    try:
        await visit.api.post("/v1/releases/rollback", {"reason": reason, "to": _text(form, "to") or None})
    except CallProblem as problem:
        return await releases_page(visit, problem.status, draft=reason, problem=problem.document)
    forget_break_glass(visit.request)
    return visit.see_other("/releases", "rolled_back")


@router.post("/break-glass")
async def break_glass(visit: OperatorVisit) -> Response:
    """Put the rules of a proposal into force alone, for some hours."""
    form = await form_of(visit)
    draft = {name: _text(form, name) for name in ("number", "hours", "reason")}
    if not visit.is_confirmed:
        return _to_confirmation("/releases/break-glass", reason=draft["reason"])
    try:
        files = (await visit.api.get(f"/v1/proposals/{int(draft['number'] or 0)}/files"))["files"]
        body = {"files": files, "hours": int(draft["hours"] or 0), "reason": draft["reason"]}
        await visit.api.post("/v1/releases/break-glass", body)
    except CallProblem as problem:
        return await break_glass_page(visit, problem.status, draft=draft, problem=problem.document)
    except ValueError:
        raise HTTPException(422) from None
    forget_break_glass(visit.request)
    return visit.see_other("/releases", "glass_broken")


@router.post("/break-glass/end")
async def end_break_glass(visit: OperatorVisit) -> Response:
    """End a break-glass: the release before it decides again."""
    if not visit.is_confirmed:
        return _to_confirmation("/releases")
    try:
        await visit.api.delete("/v1/releases/break-glass")
    except CallProblem as problem:
        return await releases_page(visit, problem.status, problem=problem.document)
    forget_break_glass(visit.request)
    return visit.see_other("/releases", "glass_mended")


@router.post("/{number}/{step}")
async def take_step(visit: ReviewerVisit, number: Number, step: str) -> Response:
    """Take a step with a proposal."""
    form = await form_of(visit)
    draft = _text(form, "reason")
    try:
        await _take(visit, number, step, form)
    except ConfirmationNeeded:
        return _to_confirmation(f"/releases/{number}", show=step, reason=draft)
    except CallProblem as problem:
        if problem.code in ("unknown_proposal", "wrong_role"):
            raise
        plan = form_again(form) if step == "plan" else None
        return await proposal_page(
            visit, number, problem.status, draft=draft, plan=plan, show=step, problem=problem.document
        )
    return visit.see_other(f"/releases/{number}", f"step_{step}")


async def _take(visit: Visit, number: int, step: str, form: Fields) -> None:
    path = f"/v1/proposals/{number}/{step}"
    if step in CONFIRMED:
        visit.require_confirmation()
    if step in SIGNED:
        await visit.api.post(path, {name: _text(form, name) for name in ("manifest", "key", "signature")})
    elif step in REASONED:
        await visit.api.post(path, {"reason": _text(form, "reason")})
    elif step in PLAIN:
        await visit.api.post(path)
    elif step == "schedule":
        await visit.api.post(path, {"at": _moment(visit, _text(form, "at"))})
    elif step == "plan":
        await _revise_plan(visit, number, form)
    else:
        raise HTTPException(404)


async def _revise_plan(visit: Visit, number: int, form: Fields) -> None:
    """Send the same text with another plan: it is checked and measured again."""
    try:
        plan = plan_of(form)
    except ValueError as error:
        raise CallProblem(422, {"code": "bad_plan", "detail": str(error)}) from None
    proposal = await visit.api.get(f"/v1/proposals/{number}")
    files = (await visit.api.get(f"/v1/proposals/{number}/files"))["files"]
    await visit.api.replace(f"/v1/proposals/{number}", {"files": files, "message": proposal["message"], "plan": plan})


def _moment(visit: Visit, text: str) -> str:
    """A time of the form, which is in the time zone of the rules."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(visit.zone)).isoformat()
    except ValueError:
        raise CallProblem(422, {"code": "no_date", "detail": ""}) from None


def _to_confirmation(address: str, **query: str) -> Response:
    """Send the person to prove who they are; they come back to the page, with what they wrote."""
    values = "&".join(f"{name}={quote(text[:400], safe='')}" for name, text in query.items() if text)
    return to_confirmation(f"{address}?{values}" if values else address)


def _text(form: Fields, name: str) -> str:
    return str(form.get(name, "")).strip()
