"""Routes for operators about callers: tokens without secrets, services, and the callbacks that merchants did not receive."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query

from api.access import tokens
from api.access.auth import Caller
from api.http.dependencies import ContextDep, Now, caller_as
from api.http.fields import CallbackState, PartyId, Role
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.callbacks import MESSAGE, Callback
from api.http.routes.page import NEXT, Page
from api.http.routes.services import ServiceAnswer
from api.http.routes.tokens import ID_PATTERN, TokenAnswer
from api.merchants import services
from api.merchants.services import Service
from api.orders import messages
from api.orders.messages import Message

router = APIRouter(prefix="/v1/callers", tags=["operators"], route_class=LanedRoute)

Watcher = Annotated[Caller, Depends(caller_as("operator", "admin"))]
Limit = Annotated[int, Query(ge=1, le=200)]


class CallerTokens(Page[TokenAnswer]):
    """Tokens of systems and staff, oldest first."""


class MerchantService(ServiceAnswer):
    """A service of any merchant, in the version in force."""

    merchant: str

    @classmethod
    def of(cls, service: Service) -> Self:
        """The operator's view of a version."""
        return cls(merchant=service.merchant, **ServiceAnswer.of(service).model_dump())


class MerchantServices(Page[MerchantService]):
    """Services of all merchants, by merchant and name."""


class MerchantCallback(Callback):
    """A message to any merchant, and its state."""

    merchant: str

    @classmethod
    def of(cls, message: Message) -> Self:
        """A message without its body, which is about a person's order."""
        return cls(merchant=message.merchant, **Callback.of(message).model_dump())


class MerchantCallbacks(Page[MerchantCallback]):
    """Messages in one state, the latest attempt first."""


@router.get("/tokens", responses=error_responses("no_such_token"))
def list_caller_tokens(
    context: ContextDep,
    _: Watcher,
    role: Annotated[Role | None, Query()] = None,
    party: Annotated[PartyId | None, Query()] = None,
    after: Annotated[str | None, Query(pattern=ID_PATTERN, description=NEXT)] = None,
    limit: Limit = 100,
) -> CallerTokens:
    """List tokens without secrets, except those of people: their names are people's ids. Administrators issue and revoke tokens."""
    rows = tokens.list_tokens(
        context.database, role=role, party=party, after=after, limit=limit + 1, without_role="subject"
    )
    return CallerTokens.cut([TokenAnswer.of(token) for token in rows], limit, "id")


@router.get("/services")
def list_merchant_services(
    context: ContextDep,
    _: Watcher,
    after: Annotated[str | None, Query(max_length=300, description=NEXT)] = None,
    limit: Limit = 100,
) -> MerchantServices:
    """List the services of all merchants."""
    merchant, _slash, service = (after or "").rpartition("/")
    rows = services.of_all_merchants(context.database, limit + 1, None if after is None else (merchant, service))
    return MerchantServices.cut([MerchantService.of(row) for row in rows], limit, "name")


@router.get("/callbacks", responses=error_responses("unknown_callback"))
def list_merchant_callbacks(
    context: ContextDep,
    _: Watcher,
    state: Annotated[CallbackState, Query()] = "failed",
    merchant: Annotated[PartyId | None, Query()] = None,
    limit: Limit = 50,
    after: Annotated[str | None, Query(pattern=MESSAGE, description=NEXT)] = None,
) -> MerchantCallbacks:
    """List the messages of all merchants in one state: given up, unless you ask for others."""
    rows = messages.list_undelivered(context.database, state, limit + 1, after, merchant)
    return MerchantCallbacks.cut([MerchantCallback.of(message) for message in rows], limit, "id")


@router.post("/callbacks/{message_id}/resend", responses=error_responses("unknown_callback"))
def resend_merchant_callback(
    message_id: Annotated[str, Path(pattern=MESSAGE)], context: ContextDep, _: Watcher, now: Now
) -> MerchantCallback:
    """Send a message to its merchant again at once, in any state, to the service's present callback URL."""
    return MerchantCallback.of(messages.resend_any(context.database, message_id, now))
