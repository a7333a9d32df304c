"""The route for the operator's day: what waits for an answer, what is wrong, and what is in force."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.access.auth import Caller
from api.evidence import contributor_sums
from api.evidence.contributor_sums import ContributorSum
from api.http.dependencies import ContextDep, Now, RefreshProblemDep, Reviewer
from api.http.fields import AlarmKind, PartyId
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.monitor import Days
from api.http.routes.proposal_answers import ProposalSummary
from api.http.routes.proposals import LOG_CODES
from api.http.routes.release_status import ActivationAnswer, ReleaseStatus, newest_state
from api.orders import messages
from api.orders.messages import OutboxCounts
from api.people import open_cases
from api.people.open_cases import OpenCases
from api.releases import release_states as states
from api.releases.in_force import newest_activation, trial_of
from api.releases.release_states import Proposal, ReleaseState
from api.runtime.context import AppContext
from api.settings.settings import settings
from api.store.clock import moment
from api.store.database import reading
from api.supervision import monitor
from api.supervision.monitor import AnswerSeries

router = APIRouter(prefix="/v1/today", tags=["operators"], route_class=LanedRoute)

MAX_CONTRIBUTORS: Final = 20
MAX_TEXT: Final = 300
LATE_SECONDS: Final = 600.0  # a callback that waits for longer
NEXT_STEPS: Final = (states.MEASURED, states.APPROVED)  # of its author: submit it, release it


class Alarm(BaseModel):
    """Something that is wrong now."""

    alarm: AlarmKind
    detail: str | None = Field(None, description="such as the reason of a hold, or a contributor")
    count: int | None = None
    since: datetime | None = None
    until: datetime | None = None


class WaitingProposals(BaseModel):
    """Changes of rules that wait for the caller: to approve those of others, and to go on with their own."""

    to_approve: list[ProposalSummary]
    own: list[ProposalSummary] = Field(description="measured: submit it; approved: release it")


class ReleaseInForce(BaseModel):
    """The release under which this server decides."""

    id: str
    since: datetime = Field(description="when it came into force on this server")
    activation: ActivationAnswer | None
    status: ReleaseStatus


class Today(BaseModel):
    """All that an operator looks at first."""

    made_at: datetime
    party: PartyId
    proposals: WaitingProposals
    disputes: OpenCases
    reviews: OpenCases
    alarms: list[Alarm]
    answers: AnswerSeries
    release: ReleaseInForce
    contributors: list[ContributorSum] = Field(description="those without news for longest first")


@router.get("", responses=error_responses(*LOG_CODES))
def get_today(
    context: ContextDep, reviewer: Reviewer, refresh_problem: RefreshProblemDep, now: Now, days: Days = 14
) -> Today:
    """Read what waits for you, the alarms, the answers of the last days, the release in force, and the freshness of evidence."""
    state, program = newest_state(context), context.release.at(context.day(now))
    with reading(context.database) as connection:
        disputes, reviews = open_cases.open_disputes(connection, now), open_cases.open_reviews(connection, now)
        outbox = messages.count_outbox(connection, now)
        contributors = contributor_sums.contributors(connection, now)
        figures = monitor.figures(connection, program, days, now, settings().report_smallest_group)
    active = newest_activation(context.database, state)
    alarms = [
        *_release_alarms(context, state),
        *_work_alarms(refresh_problem, outbox, disputes.overdue + reviews.overdue),
        *_stale(contributors),
    ]
    return Today(
        made_at=now,
        party=reviewer.party,
        proposals=_waiting(state, reviewer),
        disputes=disputes,
        reviews=reviews,
        alarms=alarms,
        answers=figures.answers,
        release=ReleaseInForce(
            id=context.release.id,
            since=context.since,
            activation=active and ActivationAnswer.of(active),
            status=ReleaseStatus.of(state),
        ),
        contributors=sorted(contributors, key=lambda one: one.last_recorded_at)[:MAX_CONTRIBUTORS],
    )


def _waiting(state: ReleaseState, reviewer: Caller) -> WaitingProposals:
    proposals: Sequence[Proposal] = sorted(state.proposals.values(), key=lambda proposal: proposal.number)
    to_approve = [p for p in proposals if p.state == states.IN_REVIEW and reviewer.party not in p.hands]
    own = [p for p in proposals if p.state in NEXT_STEPS and p.author == reviewer.party]
    return WaitingProposals(
        to_approve=[ProposalSummary.of(proposal) for proposal in to_approve],
        own=[ProposalSummary.of(proposal) for proposal in own],
    )


def _release_alarms(context: AppContext, state: ReleaseState) -> Iterator[Alarm]:
    if state.ends_at is not None:
        yield Alarm(alarm="break_glass", until=moment(state.ends_at))
    trial = trial_of(state)
    if trial is not None and trial.hold is not None:
        yield Alarm(alarm="trial_held", detail=trial.hold[:MAX_TEXT], count=trial.number)
    if context.rejection is not None:
        problems = context.rejection.problems
        yield Alarm(
            alarm="rules_refused",
            detail=problems[0][:MAX_TEXT] if problems else None,
            count=len(problems),
            since=context.rejection.at,
        )


def _work_alarms(refresh_problem: str | None, outbox: OutboxCounts, overdue: int) -> Iterator[Alarm]:
    if refresh_problem:
        yield Alarm(alarm="refresh_stuck", detail=refresh_problem[:MAX_TEXT])
    if outbox.failed:
        yield Alarm(alarm="callbacks_failed", count=outbox.failed)
    if outbox.oldest_seconds > LATE_SECONDS:
        yield Alarm(alarm="callbacks_late", count=outbox.waiting)
    if overdue:
        yield Alarm(alarm="cases_overdue", count=overdue)


def _stale(contributors: Sequence[ContributorSum]) -> Iterator[Alarm]:
    for one in contributors:
        if one.stale:
            yield Alarm(alarm="evidence_stale", detail=one.contributor, since=one.last_recorded_at)
