"""What merchants ask: one question, and their own answers again."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api import metrics
from api.decisions import decisions
from api.decisions.decisions import Answered, Asked
from api.deps import Answers, InWorld, Merchant, Now
from api.identifiers import Identifier
from api.lanes import LanedRoute
from api.problems import documented
from api.routes.schema import Money, Outcome

router = APIRouter(prefix="/v1", tags=["merchants"], route_class=LanedRoute)

SERVICE = r"^[a-z0-9_-]{1,40}$"
PLAIN = r"^[^\x00-\x1f\x7f]+$"  # no control characters: PostgreSQL keeps no NUL, and nobody's id has any


class EligibilityRequest(BaseModel):
    """May this person have this perk without a deposit of this amount?"""

    model_config = ConfigDict(extra="forbid", strict=True)

    transaction_id: str = Field(
        pattern=r"^[0-9A-Za-z_\-|*]{1,32}$",
        description="the merchant's own number for the question: asked again within 24 hours, it gets the first answer",
        examples=["T-20260131-0001"],
    )
    service: str = Field(pattern=SERVICE, description="the merchant's service", examples=["rooms"])
    subject: Identifier = Field(pattern=PLAIN, max_length=128, description="the person", examples=["client-1"])
    amount: Money = Field(
        gt=0, le=10**12, description="the deposit, in minor units of the perk's currency", examples=[50000]
    )
    context: dict[
        Annotated[str, Field(max_length=60)], Annotated[str, Field(max_length=128)] | bool | int | float | None
    ] = Field(
        default_factory=dict,
        max_length=20,
        description="what else the perk's rules ask of the request; decimals, dates and durations as text, null: missing",
        examples=[{"nights": 2}],
    )


class EligibilityAnswer(BaseModel):
    """The answer: no score and no reasons, which are the person's own."""

    decision_id: str
    outcome: Outcome
    waived_amount: Money = Field(description="minor units that need no deposit")
    deposit_amount: Money = Field(description="minor units to take as a deposit")
    currency: str
    valid_until: datetime

    @classmethod
    def of(cls, found: Answered) -> Self:
        """What may be told of a decision."""
        return cls(**_told(found))


class DecisionAnswer(EligibilityAnswer):
    """An answer given before, with what was asked."""

    transaction_id: str | None
    service: str | None
    service_version: int | None
    subject: str
    perk: str
    amount: Money
    decided_at: datetime


@router.post(
    "/eligibility",
    responses=documented(
        *("unknown_service", "not_on_allow_list", "no_consent", "unknown_perk", "bad_amount", "wrong_currency"),
        *("bad_context", "too_many_amounts", "transaction_mismatch", "transaction_expired", "features_stale"),
    ),
)
async def ask_eligibility(
    body: EligibilityRequest, decider: Answers, merchant: Merchant, now: Now
) -> EligibilityAnswer:
    """Ask about one person, one perk, one amount. The decision is on record before this answers."""
    asked = Asked(
        merchant.party, body.transaction_id, body.subject, "", body.amount, "", body.context, service=body.service
    )
    found = await decider.answer(asked, now)
    metrics.answered(found.outcome)
    return EligibilityAnswer.of(found)


@router.get(
    "/decisions/{decision_id}",
    responses=documented("unknown_decision"),
)
def get_decision(decision_id: str, world: InWorld, merchant: Merchant) -> DecisionAnswer:
    """One of the merchant's own decisions."""
    found = decisions.found(world.database, merchant.party, decision_id)
    asked = vars(found.asked) | {"decided_at": found.decided_at}
    asked.pop("merchant")
    return DecisionAnswer(**{**_told(found), **asked})


def _told(found: Answered) -> dict[str, object]:
    return {
        "decision_id": found.id,
        "outcome": found.outcome,
        "waived_amount": found.waived,
        "deposit_amount": found.deposit,
        "currency": found.asked.currency,
        "valid_until": found.valid_until,
    }
