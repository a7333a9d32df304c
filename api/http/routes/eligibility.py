"""Routes for merchants: ask about a person's eligibility, and read a past decision."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.decisions import decisions
from api.decisions.decisions import DecisionResult
from api.decisions.question import EligibilityQuestion
from api.http import metrics
from api.http.dependencies import ContextDep, DeciderDep, Merchant, Now
from api.http.fields import MAX_DEPOSIT, MERCHANT_NUMBER, Money, Outcome, PartyId, ServiceName
from api.http.lanes import LanedRoute
from api.http.problems import error_responses

router = APIRouter(prefix="/v1", tags=["merchants"], route_class=LanedRoute)


class EligibilityRequest(BaseModel):
    """May this person have this perk without a deposit of this amount?"""

    model_config = ConfigDict(extra="forbid", strict=True)

    transaction_id: str = Field(
        pattern=MERCHANT_NUMBER,
        description="the merchant's own number for the question: if you repeat it within 24 hours, you get the first answer",
        examples=["T-20260131-0001"],
    )
    service: ServiceName = Field(description="the merchant's service", examples=["rooms"])
    subject: PartyId = Field(description="the person", examples=["client-1"])
    amount: Money = Field(
        gt=0, le=MAX_DEPOSIT, description="the deposit, in minor units of the perk's currency", examples=[50000]
    )
    context: dict[
        Annotated[str, Field(max_length=60)], Annotated[str, Field(max_length=128)] | bool | int | float | None
    ] = Field(
        default_factory=dict,
        max_length=20,
        description="other values that the perk's rules read; decimals, dates and durations as text, null: missing",
        examples=[{"nights": 2}],
    )


def question_of(body: EligibilityRequest, merchant: str, now: datetime) -> EligibilityQuestion:
    """The question of a merchant's request."""
    return EligibilityQuestion(
        merchant=merchant,
        transaction_id=body.transaction_id,
        subject=body.subject,
        perk="",  # from the service's terms
        amount=body.amount,
        currency="",
        asked_at=now,
        context=body.context,
        service=body.service,
    )


class EligibilityAnswer(BaseModel):
    """The answer, without score and reasons: those belong to the person."""

    decision_id: str
    outcome: Outcome
    waived_amount: Money = Field(description="the part of the deposit that we waive, in minor units")
    deposit_amount: Money = Field(description="the deposit to take, in minor units")
    currency: str
    valid_until: datetime

    @classmethod
    def of(cls, result: DecisionResult) -> Self:
        """The merchant's view of a decision."""
        return cls(**result.merchant_view())


class DecisionAnswer(EligibilityAnswer):
    """A past answer with its question."""

    transaction_id: str | None
    service: str | None
    service_version: int | None
    subject: str
    perk: str
    amount: Money
    decided_at: datetime


@router.post(
    "/eligibility",
    responses=error_responses(
        "unknown_service",
        "not_on_allow_list",
        "no_consent",
        "unknown_perk",
        "bad_amount",
        "wrong_currency",
        "bad_context",
        "too_many_amounts",
        "transaction_mismatch",
        "transaction_expired",
        "features_stale",
    ),
)
async def ask_eligibility(
    body: EligibilityRequest, decider: DeciderDep, merchant: Merchant, now: Now
) -> EligibilityAnswer:
    """Ask about one person, one perk and one amount. We record the decision before we answer."""
    result = await decider.answer(question_of(body, merchant.party, now))
    metrics.count_answer(result.outcome)
    return EligibilityAnswer.of(result)


@router.get(
    "/decisions/{decision_id}",
    responses=error_responses("unknown_decision"),
)
def get_decision(decision_id: str, context: ContextDep, merchant: Merchant) -> DecisionAnswer:
    """Read one of the merchant's own decisions."""
    result = decisions.find_decision(context.database, merchant.party, decision_id)
    return DecisionAnswer(
        **result.merchant_view(),
        transaction_id=result.question.transaction_id,
        service=result.question.service,
        service_version=result.question.service_version,
        subject=result.question.subject,
        perk=result.question.perk,
        amount=result.question.amount,
        decided_at=result.decided_at,
    )
