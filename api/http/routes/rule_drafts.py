"""Routes for drafts of rules: stored on the server, by version, with a notice of who else has one open."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.access.auth import Caller
from api.http.dependencies import ContextDep, Now, Operator, Reviewer
from api.http.lanes import BULK, LanedRoute
from api.http.large_forms import body_of, parse_form
from api.http.problems import error_responses
from api.http.routes.page import After
from api.http.routes.proposals import DRAFT_LOCK
from api.http.routes.rule_answers import DraftAnswer, DraftPresenceAnswer, Drafts, DraftSummary
from api.http.routes.rule_forms import DraftChange, DraftForm, DraftPresence
from api.http.routes.rules import Body, files_in_force
from api.proposals import rule_drafts
from api.runtime.context import AppContext

router = APIRouter(prefix="/v1/rules/drafts", tags=["operators"], route_class=LanedRoute)

Number = Annotated[int, Path(ge=1, le=10**9, description="the number of the draft")]


async def _save_turn(operator: Operator) -> AsyncIterator[None]:
    """One set of files per operator in memory at a time."""
    async with DRAFT_LOCK.turn(operator.party):
        yield


SaveTurn = Annotated[None, Depends(_save_turn, scope="function")]


@router.get("", responses=error_responses())
def list_rule_drafts(
    context: ContextDep, _: Reviewer, after: After = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Drafts:
    """List drafts of rules, newest first."""
    rows = rule_drafts.list_drafts(context.database, int(after) if after else None, limit + 1)
    return Drafts.cut([DraftSummary.of(row) for row in rows], limit, "id")


@router.post(
    "",
    status_code=201,
    responses=error_responses("no_rules", "draft_exists", "too_many_drafts"),
    openapi_extra=body_of(DraftForm),
)
async def create_rule_draft(context: ContextDep, operator: Operator, now: Now, _: SaveTurn, body: Body) -> DraftAnswer:
    """Begin a draft of rules: with your files, or with those of the release in force."""
    return await BULK.run(_create, context, operator, body, now)


def _create(context: AppContext, operator: Caller, body: bytes, now: datetime) -> DraftAnswer:
    form = parse_form(body, DraftForm)
    files = form.files or files_in_force(context)
    release = context.release.id
    draft = rule_drafts.create_draft(context.database, operator.party, form.name, files, release, now)
    return DraftAnswer.of(draft)


@router.get("/{number}", responses=error_responses("unknown_draft"))
def get_rule_draft(number: Number, context: ContextDep, _: Reviewer) -> DraftAnswer:
    """Read a draft of rules with its files."""
    return DraftAnswer.of(rule_drafts.find_draft(context.database, number))


@router.put(
    "/{number}",
    responses=error_responses("unknown_draft", "no_rules", "draft_moved"),
    openapi_extra=body_of(DraftChange),
)
async def save_rule_draft(
    number: Number, context: ContextDep, operator: Operator, now: Now, _: SaveTurn, body: Body
) -> DraftSummary:
    """Save files of a draft over the version that you read. If somebody saved it meanwhile, you get 409 with their name."""
    return await BULK.run(_save, number, context, operator, body, now)


def _save(number: int, context: AppContext, operator: Caller, body: bytes, now: datetime) -> DraftSummary:
    form = parse_form(body, DraftChange)
    draft = rule_drafts.save_draft(context.database, number, operator.party, form.version, form.files, now)
    return DraftSummary.of(draft)


@router.delete(
    "/{number}",
    status_code=204,
    response_description="the draft is gone",
    responses=error_responses("unknown_draft", "other_owner"),
)
def delete_rule_draft(number: Number, context: ContextDep, operator: Operator) -> None:
    """Delete a draft of yours."""
    rule_drafts.delete_draft(context.database, number, operator.party)


@router.post("/{number}/presence", responses=error_responses("unknown_draft"))
def note_rule_draft_editor(
    number: Number, body: DraftPresence, context: ContextDep, operator: Operator, now: Now
) -> DraftPresenceAnswer:
    """Say that your page has the draft open, and read which other pages have. Call it every ten seconds."""
    editors = rule_drafts.note_editor(context.database, number, operator.party, body.editor, now)
    draft = rule_drafts.find_draft(context.database, number)
    return DraftPresenceAnswer.of(draft, editors, operator.party)
