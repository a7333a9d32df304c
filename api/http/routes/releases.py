"""Routes for releases: which one is in force, the way back, and the break-glass."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.access.auth import Caller
from api.http.dependencies import ContextDep, Now, Operator, Reviewer
from api.http.lanes import BULK, CHECKS, LanedRoute
from api.http.large_forms import body_of, parse_form
from api.http.problems import error_responses
from api.http.routes.page import After, Page
from api.http.routes.proposal_forms import BreakGlassForm, RollbackForm
from api.http.routes.proposals import LOG_CODES, Body, DraftTurn, actor_of
from api.http.routes.release_status import ActivationAnswer, ReleaseStatus, newest_state
from api.proposals import activations, measurement
from api.proposals.comparisons import compare_releases
from api.releases.in_force import newest_activation
from api.runtime.context import AppContext
from api.store.clock import micros
from engine.errors import Rejected
from engine.lang.model.problems import RulesError

router = APIRouter(prefix="/v1/releases", tags=["operators"], route_class=LanedRoute)

MAX_PROBLEMS: Final = 20  # of rule files, in one answer
MAX_PROBLEM_CHARS: Final = 200
ReleaseId = Annotated[str, Query(pattern="^[0-9a-f]{64}$", description="the id of a release")]
USE_CODES: Final = ("evidence_changed", "needs_build", "base_moved", "clock_behind")


class Activations(Page[ActivationAnswer]):
    """Releases that came into force, newest first."""


class Releases(BaseModel):
    """The release in force, what is special about it, and those before it."""

    in_force: ActivationAnswer | None = Field(description="null: no release has come into force yet")
    status: ReleaseStatus
    activations: Activations


class ReleaseComparison(BaseModel):
    """What differs between the rules of two releases."""

    old: str
    new: str
    differences: list[str] = Field(description="in meaning, a line each: not in comments, layout or order of keys")
    text_differences: dict[str, str] = Field(description="by file, as unified diffs")


@router.get("", responses=error_responses(*LOG_CODES))
def list_activations(
    context: ContextDep,
    _: Reviewer,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Releases:
    """Read which release is in force, whether by break-glass, which proposal is on trial, and the releases before."""
    state = newest_state(context)
    active = newest_activation(context.database, state)
    rows = [a for a in reversed(state.activations) if after is None or a.seq < int(after)]
    return Releases(
        in_force=active and ActivationAnswer.of(active),
        status=ReleaseStatus.of(state),
        activations=Activations.cut([ActivationAnswer.of(a) for a in rows[: limit + 1]], limit, "seq"),
    )


@router.get("/comparison", responses=error_responses(*LOG_CODES, "unknown_release"))
async def compare_rules(old: ReleaseId, new: ReleaseId, context: ContextDep, _: Reviewer) -> ReleaseComparison:
    """Compare any two releases on record: what differs in meaning, then in text."""
    return await BULK.run(_compare, context, old, new)


def _compare(context: AppContext, old: str, new: str) -> ReleaseComparison:
    return ReleaseComparison.model_validate(vars(compare_releases(context.database, newest_state(context), old, new)))


@router.post("/rollback", responses=error_responses(*LOG_CODES, *USE_CODES, "no_reason", "never_in_force"))
def roll_back_release(body: RollbackForm, context: ContextDep, reviewer: Reviewer, now: Now) -> ActivationAnswer:
    """Put a release into force again that was in force: one person and a reason are enough. It ends a trial."""
    return ActivationAnswer.of(
        activations.roll_back(context.database, actor_of(reviewer), body.reason, micros(now), body.to)
    )


@router.post(
    "/break-glass",
    status_code=201,
    responses=error_responses(
        *LOG_CODES, *USE_CODES, "no_reason", "no_rules", "rules_refused", "probe_killed", "break_glass"
    ),
    openapi_extra=body_of(BreakGlassForm),
)
async def begin_break_glass(
    context: ContextDep, operator: Operator, now: Now, _: DraftTurn, body: Body
) -> ActivationAnswer:
    """Put rules into force alone, for some hours. Every surface says so, and it ends by itself. The check takes seconds."""
    return await CHECKS.run(_break_glass, context, operator, body, now)


def _break_glass(context: AppContext, operator: Caller, body: bytes, now: datetime) -> ActivationAnswer:
    form = parse_form(body, BreakGlassForm)
    try:
        rules = measurement.probed_rules(form.files)
    except RulesError as error:
        lines = "; ".join(str(problem)[:MAX_PROBLEM_CHARS] for problem in error.problems[:MAX_PROBLEMS])
        count = f"the rules have {len(error.problems)} problems"
        raise Rejected(f"{count}: {lines}", where="files", hint="mend them", code="rules_refused") from None
    actor = actor_of(operator)
    return ActivationAnswer.of(
        activations.break_glass(context.database, actor, rules, form.hours, form.reason, micros(now))
    )


@router.delete("/break-glass", responses=error_responses(*LOG_CODES, *USE_CODES, "wrong_proposal_state"))
def end_break_glass(context: ContextDep, operator: Operator, now: Now) -> ReleaseStatus:
    """End a break-glass now: the release before it is in force again."""
    activations.end_break_glass(context.database, actor_of(operator), micros(now))
    return ReleaseStatus.of(newest_state(context))
