"""Routes for callbacks: list a merchant's messages, sent or waiting, and send one again."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel, Field

from api.http.dependencies import ContextDep, Merchant, Now
from api.http.fields import CallbackState, OrderEvent
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.order_forms import OrderAnswer
from api.http.routes.page import NEXT, Page
from api.orders import messages
from api.orders.messages import Message

router = APIRouter(prefix="/v1/callbacks", tags=["orders"], route_class=LanedRoute)
webhooks = APIRouter(tags=["orders"])  # the routes that merchants provide, for the OpenAPI document alone

MESSAGE = "^msg_[0-9a-f]{32}$"


class OrderNotification(BaseModel):
    """The body that we send to a service's callback URL."""

    type: OrderEvent
    timestamp: datetime = Field(description="when the order changed")
    data: OrderAnswer = Field(description="the order at that time")


class Callback(BaseModel):
    """A message and its state."""

    id: str = Field(description="its `webhook-id`")
    order_id: str
    event: str
    url: str
    state: CallbackState
    attempts: int
    status: int | None = Field(description="the status of the last answer; null: no answer")
    created_at: datetime
    next_at: datetime | None = Field(description="the time of the next attempt")
    sent_at: datetime | None

    @classmethod
    def of(cls, message: Message) -> Self:
        """A message without its body, which is the order at that time."""
        return cls.model_validate(
            {
                "id": message.id,
                "order_id": message.order,
                "event": message.event,
                "url": message.url,
                "state": message.state,
                "attempts": message.attempts,
                "status": message.status,
                "created_at": message.created_at,
                "next_at": message.next_at if message.state == "waiting" else None,
                "sent_at": message.sent_at,
            }
        )


class Callbacks(Page[Callback]):
    """Messages, newest first."""


@router.get("", responses=error_responses("unknown_callback"))
def list_callbacks(
    context: ContextDep,
    merchant: Merchant,
    state: Annotated[CallbackState | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(pattern=MESSAGE, description=NEXT)] = None,
) -> Callbacks:
    """List the merchant's messages, newest first."""
    rows = messages.list_messages(context.database, merchant.party, state, limit + 1, after)
    return Callbacks.cut([Callback.of(message) for message in rows], limit, "id")


@router.post("/{message_id}/resend", responses=error_responses("unknown_callback"))
def resend_callback(
    message_id: Annotated[str, Path(pattern=MESSAGE)], context: ContextDep, merchant: Merchant, now: Now
) -> Callback:
    """Send a message again at once, in any state."""
    return Callback.of(messages.resend(context.database, merchant.party, message_id, now))


@webhooks.post(
    "order",
    operation_id="receive_order_event",
    status_code=204,
    responses={204: {"description": "any 2xx: received"}, "default": {"description": "we send it again"}},
)
def receive_order_event(
    body: OrderNotification,
    webhook_id: Annotated[str, Header(description="the same each time that we send this message")],
    webhook_timestamp: Annotated[int, Header(description="when we sent it, in seconds since 1970")],
    webhook_signature: Annotated[
        str, Header(description="`v1,` and the signature, for each valid secret; separated by spaces")
    ],
) -> None:
    """Receive a change of an order of a service with a callback URL. We sign it by Standard Webhooks: base64 of HMAC-SHA256 of
    `webhook-id.webhook-timestamp.body`, with the exact bytes of the body. The key is the base64-decoded part after `whsec_` of
    GET /v1/callbacks/secret. Unless you answer 2xx within five seconds, we send the message again: first after 15 seconds, then at
    growing intervals, for a day. A message can arrive twice, and before a message about an earlier change.
    """
