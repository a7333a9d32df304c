"""Routes for changes of rules: operators propose, check, measure and release; a second person approves or rejects."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query

from api.access.auth import Caller
from api.http.dependencies import ContextDep, Now, Operator, Reviewer
from api.http.fields import ProposalState
from api.http.lanes import BULK, CHECKS, LanedRoute, OnePerParty
from api.http.large_forms import body_of, parse_form, read_body
from api.http.problems import error_responses
from api.http.routes.page import After
from api.http.routes.proposal_answers import ProposalAnswer, ProposalFiles, Proposals, ProposalSummary
from api.http.routes.proposal_forms import ProposalForm, ReasonForm, ScheduleForm, SignatureForm
from api.http.routes.release_status import newest_state
from api.proposals import activations, measurement, proposals
from api.proposals.actors import Actor
from api.releases.step_checks import proposal_of
from api.runtime.context import AppContext
from api.store.clock import micros

router = APIRouter(prefix="/v1/proposals", tags=["operators"], route_class=LanedRoute)

Number = Annotated[int, Path(ge=1, le=10**9, description="the number of the proposal")]
LOG_CODES: Final = ("log_altered", "database_restored")
STEP_CODES: Final = (*LOG_CODES, "unknown_proposal", "wrong_proposal_state")
DRAFT_CODES: Final = (*LOG_CODES, "no_reason", "no_rules", "bad_plan")
SIGNATURE_CODES: Final = (*STEP_CODES, "base_moved", "manifest_moved", "bad_signature", "unknown_key", "key_revoked")
TRIAL_CODES: Final = (
    *(*STEP_CODES, "not_approved", "base_moved", "key_revoked", "trial_runs", "clock_behind"),
    *("definitions_moved", "evidence_changed", "needs_build"),
)
RELEASE_CODES: Final = (*TRIAL_CODES, "bad_share", "bad_schedule", "manifest_moved", "other_flags")
DRAFT_LOCK: Final = OnePerParty("another proposal of yours is in progress")


async def _draft_turn(operator: Operator) -> AsyncIterator[None]:
    """Wait for the operator's turn before the body is read, so that we hold one set of files per operator in memory."""
    async with DRAFT_LOCK.turn(operator.party):
        yield


DraftTurn = Annotated[None, Depends(_draft_turn, scope="function")]
Body = Annotated[bytes, Depends(read_body)]  # read after the caller is authenticated


def actor_of(caller: Caller, form: SignatureForm | None = None) -> Actor:
    """The party that takes a step, with its signature if the step needs one."""
    key, signature = (form.key, form.signature) if form else (None, None)
    return Actor(caller.party, caller.role, key=key, signature=signature)


def _answer(context: AppContext, number: int) -> ProposalAnswer:
    state = newest_state(context)
    proposal = proposal_of(state, number)
    return ProposalAnswer.of_state(state, proposal, measurement.effect_of(context.database, proposal))


@router.get("", responses=error_responses(*LOG_CODES))
def list_proposals(
    context: ContextDep,
    _: Reviewer,
    state: Annotated[ProposalState | None, Query(description="only proposals in this state")] = None,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Proposals:
    """List changes of rules, newest first."""
    return proposals_page(context, state, after, limit)


def proposals_page(context: AppContext, state: str | None, after: str | None, limit: int) -> Proposals:
    """A page of the changes of rules, newest first, all or those in a state."""
    rows = sorted(newest_state(context).proposals.values(), key=lambda proposal: -proposal.number)
    rows = [p for p in rows if (state is None or p.state == state) and (after is None or p.number < int(after))]
    return Proposals.cut([ProposalSummary.of(proposal) for proposal in rows[: limit + 1]], limit, "number")


@router.post(
    "", status_code=201, responses=error_responses(*DRAFT_CODES, "no_change"), openapi_extra=body_of(ProposalForm)
)
async def create_proposal(
    context: ContextDep, operator: Operator, now: Now, _: DraftTurn, body: Body
) -> ProposalAnswer:
    """Propose a change of rules. We answer at once: the state is draft until we have checked and measured it."""
    return await BULK.run(_propose, context, operator, body, now)


def _propose(context: AppContext, operator: Caller, body: bytes, now: datetime) -> ProposalAnswer:
    form = parse_form(body, ProposalForm)
    actor, values = actor_of(operator), (form.files, form.message, micros(now), form.plan_value)
    return _answer(context, proposals.propose(context.database, actor, *values).number)


@router.get("/{number}", responses=error_responses(*LOG_CODES, "unknown_proposal"))
def get_proposal(number: Number, context: ContextDep, _: Reviewer) -> ProposalAnswer:
    """Read a change of rules: its problems, whom it moves, what its signatures cover, and each step."""
    return _answer(context, number)


@router.get("/{number}/files", responses=error_responses(*LOG_CODES, "unknown_proposal"))
def get_proposal_files(number: Number, context: ContextDep, _: Reviewer) -> ProposalFiles:
    """Read the files of a change of rules."""
    proposal = proposal_of(newest_state(context), number)
    return ProposalFiles(bundle=proposal.bundle, files=dict(proposals.files_of(context.database, proposal)))


@router.put("/{number}", responses=error_responses(*DRAFT_CODES, *STEP_CODES), openapi_extra=body_of(ProposalForm))
async def revise_proposal(
    number: Number, context: ContextDep, operator: Operator, now: Now, _: DraftTurn, body: Body
) -> ProposalAnswer:
    """Give a change of rules another text. What was checked, measured or approved no longer holds."""
    return await BULK.run(_revise, number, context, operator, body, now)


def _revise(number: int, context: AppContext, operator: Caller, body: bytes, now: datetime) -> ProposalAnswer:
    form = parse_form(body, ProposalForm)
    actor, values = actor_of(operator), (form.files, form.message, micros(now), form.plan_value)
    proposals.revise(context.database, actor, number, *values)
    return _answer(context, number)


@router.post("/{number}/measurement", responses=error_responses(*STEP_CODES, "base_moved", "log_moved"))
async def measure_proposal(number: Number, context: ContextDep, operator: Operator, now: Now) -> ProposalAnswer:
    """Measure again whom a change of rules moves. Signatures of an earlier measurement no longer hold. It takes seconds."""
    await CHECKS.run(measurement.measure_proposal, context.database, actor_of(operator), number, micros(now))
    return await BULK.run(_answer, context, number)


@router.post("/{number}/submission", responses=error_responses(*SIGNATURE_CODES))
def submit_proposal(
    number: Number, body: SignatureForm, context: ContextDep, operator: Operator, now: Now
) -> ProposalAnswer:
    """Sign a change of rules that was measured, so that a second person can review it."""
    proposals.submit(context.database, actor_of(operator, body), number, micros(now), body.manifest)
    return _answer(context, number)


@router.post("/{number}/approval", responses=error_responses(*SIGNATURE_CODES, "own_proposal"))
def approve_proposal(
    number: Number, body: SignatureForm, context: ContextDep, reviewer: Reviewer, now: Now
) -> ProposalAnswer:
    """Sign a change of rules as the second person, who took no part in it. Any change voids your approval."""
    proposals.approve(context.database, actor_of(reviewer, body), number, micros(now), body.manifest)
    return _answer(context, number)


@router.post("/{number}/rejection", responses=error_responses(*STEP_CODES, "no_reason"))
def reject_proposal(
    number: Number, body: ReasonForm, context: ContextDep, reviewer: Reviewer, now: Now
) -> ProposalAnswer:
    """Reject a change of rules. It stays on record, with the reason."""
    proposals.reject(context.database, actor_of(reviewer), number, body.reason, micros(now))
    return _answer(context, number)


@router.post("/{number}/schedule", responses=error_responses(*STEP_CODES, *RELEASE_CODES))
def schedule_proposal(
    number: Number, body: ScheduleForm, context: ContextDep, operator: Operator, now: Now
) -> ProposalAnswer:
    """Let an approved change of rules come into force at a time."""
    activations.schedule(context.database, actor_of(operator), number, micros(body.at), micros(now))
    return _answer(context, number)


@router.post("/{number}/shadow", responses=error_responses(*TRIAL_CODES, "other_flags"))
def shadow_proposal(number: Number, context: ContextDep, operator: Operator, now: Now) -> ProposalAnswer:
    """Let an approved change of rules decide beside the release in force. No merchant sees its answers."""
    activations.begin_shadow(context.database, actor_of(operator), number, micros(now))
    return _answer(context, number)


@router.post("/{number}/release", responses=error_responses(*RELEASE_CODES))
def release_proposal(number: Number, context: ContextDep, operator: Operator, now: Now) -> ProposalAnswer:
    """Put an approved change of rules into force: for everyone, or by its plan for a first share of people."""
    activations.release_proposal(context.database, actor_of(operator), number, micros(now))
    return _answer(context, number)


@router.post("/{number}/stop", responses=error_responses(*STEP_CODES, "no_reason"))
def stop_trial(number: Number, body: ReasonForm, context: ContextDep, reviewer: Reviewer, now: Now) -> ProposalAnswer:
    """End the trial of a change of rules: the release in force decides for everyone again."""
    activations.stop(context.database, actor_of(reviewer), number, body.reason, micros(now))
    return _answer(context, number)
