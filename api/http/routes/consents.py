"""Routes for merchants: request a person's consent, and read the state of a request."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.consent import consents
from api.consent.consents import ConsentRequestStatus, ConsentTerms
from api.http.dependencies import ContextDep, Merchant, Now
from api.http.fields import SERVICE_NAME, ConsentState, DataClass, Moment, PartyId
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.return_urls import ReturnUrl
from api.runtime.scoring import current_build

router = APIRouter(prefix="/v1/consents", tags=["merchants"], route_class=LanedRoute)

Classes = Annotated[list[DataClass], Field(min_length=1, max_length=5)]
RequestId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="the request's id")]


class ConsentForm(BaseModel):
    """A merchant's request for a person's consent."""

    model_config = ConfigDict(extra="forbid")

    service: str = Field(strict=True, pattern=SERVICE_NAME, description="one of the merchant's services")
    subject: PartyId = Field(description="the person", examples=["client-1"])
    classes: Classes = Field(description="the data classes that we may use for the answers")
    until: Moment | None = Field(None, description="when the consent ends; null: when the person withdraws it")
    return_url: ReturnUrl | None = None


class ConsentAnswer(BaseModel):
    """The state of a request for consent. About the person it holds only their answer to this request."""

    id: str
    service: str
    purpose: str
    classes: list[DataClass]
    until: datetime | None
    return_url: str | None
    page: str = Field(description="the page of this server on which the person answers: send the person there")
    asked_at: datetime
    state: ConsentState
    granted: list[DataClass] = Field(description="the data classes that the service may use now")

    @classmethod
    def of(cls, request: ConsentRequestStatus) -> Self:
        """The merchant's view of a request."""
        return cls.model_validate(
            {
                "id": request.id,
                "service": request.terms.service,
                "purpose": request.terms.purpose,
                "classes": request.terms.classes,
                "until": request.terms.until,
                "return_url": request.terms.return_url,
                "page": f"/consent/{request.id}",
                "asked_at": request.asked_at,
                "state": request.state,
                "granted": request.granted_classes,
            }
        )


@router.post(
    "",
    status_code=201,
    responses={
        200: {"model": ConsentAnswer, "description": "the same request, which is still open"},
        **error_responses("unknown_service", "bad_until"),
    },
)
def ask_consent(
    body: ConsentForm, context: ContextDep, merchant: Merchant, now: Now, response: Response
) -> ConsentAnswer:
    """Ask a person to let a service ask about them. The answer does not reveal whether the person exists."""
    purpose = current_build(context).purpose
    classes = tuple(body.classes)
    terms = ConsentTerms(merchant.party, body.service, body.subject, purpose, classes, body.until, body.return_url)
    request = consents.request_consent(context.database, terms, now)
    response.status_code = 201 if request.asked_at == now else 200
    return ConsentAnswer.of(request)


@router.get("/{request_id}", responses=error_responses("unknown_consent"))
def get_consent_request(request_id: RequestId, context: ContextDep, merchant: Merchant, now: Now) -> ConsentAnswer:
    """Read the state of one of the merchant's requests."""
    return ConsentAnswer.of(consents.request_of_merchant(context.database, merchant.party, request_id, now))
