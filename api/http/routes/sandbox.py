"""Routes for a merchant's tests: the sandbox of a service, and the check of a callback's signature. They record nothing."""

import json
import uuid
from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.http.dependencies import ContextDep, Merchant, Now
from api.http.fields import MAX_DEPOSIT, Money, SandboxAction, SandboxPerson
from api.http.lanes import READS, WRITES, LanedRoute
from api.http.problems import error_responses
from api.http.routes.eligibility import EligibilityAnswer
from api.http.routes.order_forms import OrderAnswer
from api.http.routes.services import ServiceId
from api.jobs import sender
from api.merchants import callback_keys, signatures
from api.merchants.signatures import SignedMessage
from api.orders import order_store, sandbox
from api.orders.messages import Message
from api.orders.orders import MAX_TOTAL
from api.orders.sandbox import SandboxAnswer, SandboxStep, SandboxWalk
from api.settings.settings import settings

router = APIRouter(prefix="/v1", tags=["merchants"], route_class=LanedRoute)

MAX_STEPS = 20
MAX_BODY_CHARS = 60_000
LATEST_SECOND = 4_000_000_000  # of the header `webhook-timestamp`: the year 2096


class SandboxStepForm(BaseModel):
    """A step of the made-up order."""

    model_config = ConfigDict(extra="forbid", strict=True)

    action: SandboxAction
    total: Annotated[Money, Field(ge=0, le=MAX_TOTAL)] | None = Field(
        None, description="of `complete` and `modify`: the amount to pay, in minor units; null: the amount waived"
    )


class SandboxForm(BaseModel):
    """A question about a made-up person, and the steps of its order."""

    model_config = ConfigDict(extra="forbid", strict=True)

    subject: SandboxPerson
    amount: Money = Field(gt=0, le=MAX_DEPOSIT, description="the deposit, in minor units", examples=[50000])
    steps: list[SandboxStepForm] = Field(default=[], max_length=MAX_STEPS)
    send: bool = Field(False, description="true: send the last callback to the service's address, once")


class SandboxMessage(BaseModel):
    """A callback as we would send it, signed with the merchant's own secret."""

    event: str
    headers: dict[str, str]
    body: str = Field(description="the exact bytes, in UTF-8")


class SandboxDelivery(BaseModel):
    """The result of sending one callback."""

    url: str
    status: int | None = Field(description="the status of the answer; null: no answer within five seconds")


class SandboxResult(BaseModel):
    """What the real requests would answer. Nothing of it is recorded."""

    sandbox: Literal[True] = True
    answer: EligibilityAnswer
    order: OrderAnswer | None = Field(description="null: no step was taken")
    actions: list[SandboxAction] = Field(description="the steps that can follow")
    callbacks: list[SandboxMessage]
    delivery: SandboxDelivery | None = Field(description="null: nothing was sent")


class ReceivedCallback(BaseModel):
    """A callback as the merchant received it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(max_length=200, description="the header `webhook-id`", examples=["msg_17"])
    timestamp: int = Field(ge=0, le=LATEST_SECOND, description="the header `webhook-timestamp`", examples=[1767225600])
    signature: str = Field(max_length=2000, description="the header `webhook-signature`", examples=["v1,c2lnbmF0dXJl"])
    body: str = Field(max_length=MAX_BODY_CHARS, description="the exact body", examples=["{}"])


class SignatureResult(BaseModel):
    """A merchant accepts a callback only if both are true."""

    matches: bool = Field(description="whether one of your secrets in force made the signature")
    fresh: bool = Field(description="whether the timestamp is at most five minutes from now")

    @classmethod
    def of(cls, result: signatures.SignatureCheck) -> Self:
        """The result as JSON."""
        return cls(matches=result.matches, fresh=result.is_fresh)


@router.post(
    "/services/{service}/sandbox",
    responses=error_responses(
        *("unknown_service", "unknown_perk", "bad_amount", "no_consent", "not_admitted", "over_ceiling"),
        *("total_may_only_decrease", "wrong_state", "engine_failed"),
    ),
)
async def try_service(
    service: ServiceId, body: SandboxForm, context: ContextDep, merchant: Merchant, now: Now
) -> SandboxResult:
    """Try a service in the sandbox: ask about a made-up person, walk through an order, and see the signed callbacks. We record nothing."""
    steps = [SandboxStep(step.action, step.total) for step in body.steps]
    party = merchant.party
    result = await READS.run(sandbox.walk, context, party, service, body.subject, body.amount, steps, now)
    secrets = await WRITES.run(callback_keys.ensure_secrets, context.database, party, now)
    messages = [_message(result, number, now) for number in range(len(result.callbacks))]
    delivery = await _send(messages[-1], secrets, now) if body.send and messages and messages[-1].url else None
    return SandboxResult(
        answer=_eligibility(result.answer),
        order=None if result.order is None else OrderAnswer(**order_store.merchant_view(result.order)),
        actions=list(result.actions),
        callbacks=[_signed(message, secrets, now) for message in messages],
        delivery=delivery,
    )


@router.post("/callbacks/verification")
def verify_signature(body: ReceivedCallback, context: ContextDep, merchant: Merchant, now: Now) -> SignatureResult:
    """Check the signature of a callback that you received, with your own secrets in force."""
    secrets = callback_keys.ensure_secrets(context.database, merchant.party, now)
    message = SignedMessage(body.id, body.timestamp, body.signature, body.body)
    return SignatureResult.of(signatures.check(message, secrets, now))


def _eligibility(answer: SandboxAnswer) -> EligibilityAnswer:
    return EligibilityAnswer.model_validate(
        {
            "decision_id": sandbox.NO_ID,
            "outcome": answer.outcome,
            "waived_amount": answer.waived,
            "deposit_amount": answer.deposit,
            "currency": answer.currency,
            "valid_until": answer.valid_until,
        }
    )


def _message(walk: SandboxWalk, number: int, now: datetime) -> Message:
    callback, service = walk.callbacks[number], walk.service
    return Message(
        id=f"msg_{uuid.uuid4().hex}",
        merchant=service.merchant,
        order=sandbox.NO_ID,
        event=callback.event,
        url=service.terms.callback or "",
        body=json.dumps(callback.body, ensure_ascii=False),
        created_at=now,
        next_at=now,
        attempts=0,
        state="waiting",
        status=None,
        sent_at=None,
    )


def _signed(message: Message, secrets: list[str], now: datetime) -> SandboxMessage:
    headers = sender.signature_headers(message, secrets, now)
    return SandboxMessage(event=message.event, headers=headers, body=message.body)


async def _send(message: Message, secrets: list[str], now: datetime) -> SandboxDelivery:
    status = await sender.send_once(message, secrets, settings().allow_private_callbacks, now)
    return SandboxDelivery(url=message.url, status=status)
