"""Who moves: whom a draft moves against the release in force, and the proposal that it becomes."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from api.console.calls import CallProblem
from api.console.rule_drafts import Number
from api.console.visits import OperatorVisit, PageRoute, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PROPOSAL_PAGE: Final = "/releases/{number}"


@router.get("/rules/drafts/{number}/moves")
async def show_moves(visit: OperatorVisit, number: Number) -> Response:
    """The question, and what it does."""
    draft = await visit.api.get(f"/v1/rules/drafts/{number}")
    return visit.page("rule_moves.html", draft=draft, measurement=None, problem=None)


@router.post("/rules/drafts/{number}/moves")
async def measure_moves(visit: OperatorVisit, number: Number) -> Response:
    """Decide about everyone under both, and count."""
    draft = await visit.api.get(f"/v1/rules/drafts/{number}")
    try:
        measurement = await visit.api.post("/v1/rules/measurement", {"draft": number})
    except CallProblem as problem:
        if problem.code not in ("rules_refused", "not_ready"):
            raise
        values = {"draft": draft, "measurement": None, "problem": problem.document}
        return visit.page("rule_moves.html", problem.status, **values)
    return visit.page("rule_moves.html", draft=draft, measurement=measurement, problem=None)


@router.get("/rules/drafts/{number}/proposal")
async def show_proposal_form(visit: OperatorVisit, number: Number) -> Response:
    """The form for a proposal: why."""
    draft = await visit.api.get(f"/v1/rules/drafts/{number}")
    return visit.page("rule_proposal.html", draft=draft, message="", problem=None)


@router.post("/rules/drafts/{number}/proposal")
async def propose_draft(visit: OperatorVisit, number: Number) -> Response:
    """Make a proposal of a draft, which a second person has to approve. The draft stays."""
    form = await form_of(visit)
    message = str(form.get("message", ""))
    draft = await visit.api.get(f"/v1/rules/drafts/{number}")
    try:
        proposal = await visit.api.post("/v1/proposals", {"files": draft["files"], "message": message})
    except CallProblem as problem:
        if problem.status >= 500:
            raise
        values = {"draft": draft, "message": message, "problem": problem.document}
        return visit.page("rule_proposal.html", problem.status, **values)
    return visit.see_other(PROPOSAL_PAGE.format(number=proposal["number"]))
