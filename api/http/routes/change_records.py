"""The record of a change of rules, for those who make it and for the supervisor: text, effect, guards, outcomes, signatures, steps."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http.dependencies import ContextDep, Reviewer, Supervisor
from api.http.lanes import BULK, LanedRoute
from api.http.problems import error_responses
from api.http.routes.page import After
from api.http.routes.proposal_answers import ProposalAnswer, Proposals
from api.http.routes.proposals import LOG_CODES, Number, proposals_page
from api.http.routes.release_status import newest_state
from api.proposals.change_record import change_record
from api.proposals.measurement import effect_of
from api.releases.step_checks import proposal_of
from api.runtime.context import AppContext

router = APIRouter(prefix="/v1", route_class=LanedRoute)


class GuardAnswer(BaseModel):
    """What a guard of a trial says now."""

    measure: str
    status: str = Field(description="waits: it needs more answers; holds: you can trust it; broken")
    least: str | None = Field(None, description="the bounds, as in the plan")
    most: str | None = None
    estimate: float | None
    low: float | None = Field(description="the interval of the estimate, at any number of looks")
    high: float | None
    needs: int | None = Field(
        description="people after which it is decided, if the estimate stays; null: we cannot tell"
    )


class OutcomeRate(BaseModel):
    """The share of bad outcomes among orders, with its interval of 95 %."""

    bad: int
    orders: int
    people: int
    rate: float | None
    low: float | None
    high: float | None


class OutcomeComparison(BaseModel):
    """Outcomes of the champion's and the challenger's orders; in a shadow, of those that both or the champion alone admit."""

    measure: str = Field(description="overdue or disputed")
    difference: float | None = Field(description="the champion's rate minus the other one")
    low: float | None
    high: float | None
    champion: OutcomeRate
    challenger: OutcomeRate | None = None
    both: OutcomeRate | None = None
    champion_only: OutcomeRate | None = None
    challenger_only_orders: int | None = Field(None, description="people whom the challenger alone admits: no outcomes")
    challenger_bounds: list[float] | None = Field(
        None, description="the challenger's rate if none or all of these were bad"
    )
    difference_bounds: list[float] | None = Field(None, description="the difference if all or none of these were bad")


class ChangeRecord(BaseModel):
    """All that is on record about a change of rules."""

    proposal: ProposalAnswer
    text_differences: dict[str, str] = Field(description="by file, as unified diffs against the release of its base")
    guards: list[GuardAnswer]
    outcomes: list[OutcomeComparison]

    @classmethod
    def of_context(cls, context: AppContext, number: int) -> Self:
        """The record of a proposal."""
        state = newest_state(context)
        proposal = proposal_of(state, number)
        record: dict[str, Any] = change_record(context.database, number)
        answer = ProposalAnswer.of_state(state, proposal, effect_of(context.database, proposal))
        return cls.model_validate(
            {"proposal": answer} | {name: record[name] for name in ("text_differences", "guards", "outcomes")}
        )


@router.get("/proposals/{number}/record", tags=["operators"], responses=error_responses(*LOG_CODES, "unknown_proposal"))
async def read_record(number: Number, context: ContextDep, _: Reviewer) -> ChangeRecord:
    """Read what is on record about a change of rules, with what the guards of its trial say now."""
    return await BULK.run(ChangeRecord.of_context, context, number)


@router.get("/audit/changes", tags=["supervisors"], responses=error_responses(*LOG_CODES))
def list_changes(
    context: ContextDep,
    _: Supervisor,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Proposals:
    """List every change of rules that somebody proposed, newest first, in pages."""
    return proposals_page(context, None, after, limit)


@router.get("/audit/changes/{number}", tags=["supervisors"], responses=error_responses(*LOG_CODES, "unknown_proposal"))
async def read_change(number: Number, context: ContextDep, _: Supervisor) -> ChangeRecord:
    """Read what is on record about a change of rules: who asked, who agreed, by which keys, and what happened."""
    return await BULK.run(ChangeRecord.of_context, context, number)
