"""Consents, from the merchant's side: ask for one, see what became of it."""

from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api import actions
from api.consent import consents
from api.consent.consents import Ask, Request
from api.deps import InWorld, Merchant, Now
from api.identifiers import Identifier
from api.lanes import LanedRoute
from api.problems import documented
from api.routes.schema import ConsentState, DataClass, Moment

router = APIRouter(prefix="/v1/consents", tags=["merchants"], route_class=LanedRoute)

PLAIN: Final = r"^[^\x00-\x1f\x7f]+$"
Classes = Annotated[list[DataClass], Field(min_length=1, max_length=5)]
RequestId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="the request's id")]


class ConsentRequest(BaseModel):
    """What a merchant asks of a person."""

    model_config = ConfigDict(extra="forbid")

    service: str = Field(strict=True, pattern="^[a-z0-9_-]{1,40}$", description="one of the merchant's services")
    subject: Identifier = Field(
        strict=True, pattern=PLAIN, max_length=128, description="the person", examples=["client-1"]
    )
    classes: Classes = Field(description="the data classes that the answers may be made from")
    until: Moment | None = Field(None, description="when the consent is to end; null: when it is withdrawn")


class ConsentAnswer(BaseModel):
    """A request for consent as it stands. It says nothing about the person but what the person answered to it."""

    id: str
    service: str
    purpose: str
    classes: list[DataClass]
    until: datetime | None
    asked_at: datetime
    state: ConsentState
    granted: list[DataClass] = Field(description="what the service may ask about now")

    @classmethod
    def of(cls, found: Request) -> Self:
        """As it is told to the merchant."""
        said = {"id": found.id, "asked_at": found.asked_at, "state": found.state, "granted": found.granted}
        return cls.model_validate(vars(found.ask) | said)


@router.post(
    "",
    status_code=201,
    responses={
        200: {"model": ConsentAnswer, "description": "the same, which is open already"},
        **documented("unknown_service", "bad_until"),
    },
)
def ask_consent(
    body: ConsentRequest, world: InWorld, merchant: Merchant, now: Now, response: Response
) -> ConsentAnswer:
    """Ask a person to let a service ask about them. The answer is the same whether there is such a person or not."""
    purpose = actions.ready(world).purpose
    asked = Ask(merchant.party, body.service, body.subject, purpose, tuple(body.classes), body.until)
    made = consents.ask(world.database, asked, now)
    response.status_code = 201 if made.asked_at == now else 200
    return ConsentAnswer.of(made)


@router.get("/{request_id}", responses=documented("unknown_consent"))
def get_consent_request(request_id: RequestId, world: InWorld, merchant: Merchant, now: Now) -> ConsentAnswer:
    """What became of one of the merchant's requests."""
    return ConsentAnswer.of(consents.of_merchant(world.database, merchant.party, request_id, now))
