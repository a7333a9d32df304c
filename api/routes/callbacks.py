"""What a merchant was told by callbacks, and what is still to be told."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel, Field

from api.deps import InWorld, Merchant, Now
from api.lanes import LanedRoute
from api.orders import messages
from api.orders.messages import Message
from api.problems import documented
from api.routes.order_forms import OrderAnswer
from api.routes.page import NEXT, Page
from api.routes.schema import CallbackState, OrderEvent

router = APIRouter(prefix="/v1/callbacks", tags=["orders"], route_class=LanedRoute)
told = APIRouter(tags=["orders"])  # what we ask of merchants: for the document alone

MESSAGE = "^msg_[0-9a-f]{32}$"


class Told(BaseModel):
    """What a service's callback address is sent."""

    type: OrderEvent
    timestamp: datetime = Field(description="when it happened")
    data: OrderAnswer = Field(description="the order as it was then")


class Callback(BaseModel):
    """A message and how far it has come."""

    id: str = Field(description="its `webhook-id`")
    order_id: str
    event: str
    url: str
    state: CallbackState
    attempts: int
    status: int | None = Field(description="of the last answer; null when there was none")
    created_at: datetime
    next_at: datetime | None = Field(description="when it is tried again")
    sent_at: datetime | None

    @classmethod
    def of(cls, message: Message) -> Self:
        """What is told of a message: not its body, which is the order's as it was."""
        next_at = message.next_at if message.state == "waiting" else None
        known = {k: v for k, v in vars(message).items() if k in cls.model_fields}
        return cls(**known | {"order_id": message.order, "next_at": next_at})


class Callbacks(Page[Callback]):
    """Messages, newest first."""


@router.get("", responses=documented("unknown_callback"))
def list_callbacks(
    world: InWorld,
    merchant: Merchant,
    state: Annotated[CallbackState | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(pattern=MESSAGE, description=NEXT)] = None,
) -> Callbacks:
    """The merchant's newest messages."""
    found = messages.listed(world.database, merchant.party, state, limit + 1, after)
    return Callbacks.cut([Callback.of(message) for message in found], limit, "id")


@router.post("/{message_id}/resend", responses=documented("unknown_callback"))
def resend_callback(
    message_id: Annotated[str, Path(pattern=MESSAGE)], world: InWorld, merchant: Merchant, now: Now
) -> Callback:
    """Send a message again at once, whatever became of it."""
    return Callback.of(messages.resend(world.database, merchant.party, message_id, now))


@told.post(
    "order",
    operation_id="receive_order_event",
    status_code=204,
    responses={204: {"description": "any 2xx: it is taken"}, "default": {"description": "it is sent again"}},
)
def receive_order_event(
    body: Told,
    webhook_id: Annotated[str, Header(description="the same whenever it is sent again")],
    webhook_timestamp: Annotated[int, Header(description="when it was sent, in seconds since 1970")],
    webhook_signature: Annotated[
        str, Header(description="`v1,` and the signature, by each secret in force; apart by spaces")
    ],
) -> None:
    """Something happened to an order of a service that has a callback address. Signed by Standard Webhooks: base64 of
    HMAC-SHA256 of `webhook-id.webhook-timestamp.body`, the body byte by byte, under the bytes of GET /v1/callbacks/secret,
    which are the base64 after `whsec_`. Unless 2xx is answered within five seconds it is sent again, after 15 seconds first
    and then ever more rarely, for a day. It can come twice, and before what happened earlier.
    """
