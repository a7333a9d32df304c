"""Routes for people: read, grant, decline and withdraw consents. No consent is preselected."""

from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.consent import consents
from api.consent.consents import SENSITIVE_CLASS, WARNING, Consent, ConsentRequestStatus
from api.consent.permissions import Grants
from api.http.dependencies import ContextDep, Now, Subject
from api.http.fields import ConsentState, DataClass, Moment, PartyId
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.consents import Classes, RequestId
from api.runtime.scoring import current_build
from api.store.clock import moment
from api.store.database import Database
from engine.errors import Rejected

router = APIRouter(prefix="/v1/me/consents", tags=["people"], route_class=LanedRoute)

Purpose = Annotated[str, Field(strict=True, pattern="^[a-z][a-z_]*$", max_length=40, description="such as `perks`")]
Service = Annotated[
    PartyId,
    Field(description="a merchant's service: `merchant/service`"),
]
Until = Annotated[Moment, Field(description="when the consent ends; null: when you withdraw it")]
WarningShown = Annotated[
    bool,
    Field(
        strict=True,
        description=f"true: you were shown the warning that `{SENSITIVE_CLASS}` needs; see GET /v1/me/consents",
    ),
]


class ConsentGrantForm(BaseModel):
    """The part of a request that you grant."""

    model_config = ConfigDict(extra="forbid")

    classes: Classes = Field(description="some or all of the requested classes; there is no default")
    until: Until | None = None
    warned: WarningShown = False


class ConsentOfferForm(BaseModel):
    """A consent that you give without a request."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    classes: Classes
    service: Service | None = Field(
        None, description="null: consent to using evidence; otherwise: consent to the service's questions"
    )
    until: Until | None = None
    warned: WarningShown = False


class ConsentWithdrawalForm(BaseModel):
    """The consents that you withdraw."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    classes: Classes | None = Field(None, description="null: all classes")
    service: Service | None = Field(None, description="null: from all services, and the use of evidence altogether")


class PendingConsent(BaseModel):
    """A request that waits for your answer."""

    id: str
    merchant: str
    service: str
    purpose: str
    classes: list[DataClass]
    until: datetime | None
    asked_at: datetime
    warning: dict[str, str] | None = Field(
        description="the warning to show before you grant it, by language; null: none"
    )

    @classmethod
    def of(cls, request: ConsentRequestStatus) -> Self:
        """The person's view of a request."""
        terms = request.terms
        return cls.model_validate(
            {
                "id": request.id,
                "merchant": terms.merchant,
                "service": terms.service,
                "purpose": terms.purpose,
                "classes": terms.classes,
                "until": terms.until,
                "asked_at": request.asked_at,
                "warning": WARNING if SENSITIVE_CLASS in terms.classes else None,
            }
        )


class ConsentRequestView(PendingConsent):
    """A request to you, in any state."""

    state: ConsentState
    return_url: str | None = Field(description="the merchant's page to which you can go back")

    @classmethod
    def of(cls, request: ConsentRequestStatus) -> Self:
        """The person's view of a request."""
        pending = PendingConsent.of(request).model_dump()
        return cls(**pending, state=request.state, return_url=request.terms.return_url)


class ActiveConsent(BaseModel):
    """One data class that we may use, or that a service may ask about."""

    purpose: str
    service: str | None
    data_class: DataClass
    since: datetime
    until: datetime | None


class Consents(BaseModel):
    """Requests for your consent, and your consents in force."""

    requests: list[PendingConsent]
    in_force: list[ActiveConsent]
    warning: dict[str, str] = Field(
        description=f"the warning to show before you consent to `{SENSITIVE_CLASS}`, by language"
    )


class ConsentOutcome(BaseModel):
    """A request after your answer."""

    id: str
    state: ConsentState
    granted: list[DataClass]


_CHANGE_CODES: Final = ("bad_event",)
_GRANT_CODES: Final = (*_CHANGE_CODES, "bad_until", "warning_needed")


@router.get("")
def get_my_consents(context: ContextDep, caller: Subject, now: Now) -> Consents:
    """Read the requests for your consent, and your consents in force."""
    pending = [PendingConsent.of(request) for request in consents.pending_requests(context.database, caller.party, now)]
    return Consents(requests=pending, in_force=active_consents(context.database, caller.party, now), warning=WARNING)


def active_consents(database: Database, person: str, now: datetime) -> list[ActiveConsent]:
    """The consents of a person in force, by purpose, service and class."""
    grants_by_purpose = consents.consents_of(database, person, now)
    return [consent for purpose, grants in grants_by_purpose.items() for consent in _active_consents(purpose, grants)]


@router.post(
    "",
    status_code=201,
    responses={
        200: {"model": Consents, "description": "the consent is in force already"},
        **error_responses(*_GRANT_CODES, "unknown_service", "unknown_purpose"),
    },
)
def give_consent(
    body: ConsentOfferForm, context: ContextDep, caller: Subject, now: Now, response: Response
) -> Consents:
    """Consent to the use of evidence about you, or to a service's questions about you."""
    _check_purpose(body.purpose, current_build(context).purpose)
    grant = Consent(caller.party, body.purpose, tuple(body.classes), body.service, body.until, body.warned)
    if not consents.give_consent(context.database, grant, now):
        response.status_code = 200
    return get_my_consents(context, caller, now)


@router.get("/{request_id}", responses=error_responses("unknown_consent"))
def get_my_consent_request(request_id: RequestId, context: ContextDep, caller: Subject, now: Now) -> ConsentRequestView:
    """Read one request for your consent, in any state."""
    return ConsentRequestView.of(consents.request_of_person(context.database, caller.party, request_id, now))


@router.post(
    "/{request_id}/grant", responses=error_responses(*_GRANT_CODES, "not_asked", "unknown_consent", "consent_answered")
)
def grant_consent(
    request_id: RequestId, body: ConsentGrantForm, context: ContextDep, caller: Subject, now: Now
) -> ConsentOutcome:
    """Grant a request, for the classes that you name and no others."""
    grant = Consent(caller.party, "", tuple(body.classes), None, body.until, body.warned)
    return _outcome(consents.grant(context.database, request_id, grant, now))


@router.post("/{request_id}/decline", responses=error_responses(*_CHANGE_CODES, "unknown_consent", "consent_answered"))
def decline_consent(request_id: RequestId, context: ContextDep, caller: Subject, now: Now) -> ConsentOutcome:
    """Decline a request."""
    return _outcome(consents.decline(context.database, request_id, caller.party, now))


@router.post("/withdraw", responses=error_responses(*_CHANGE_CODES))
def withdraw_consent(body: ConsentWithdrawalForm, context: ContextDep, caller: Subject, now: Now) -> Consents:
    """Withdraw consents. They no longer count from the next question on; an open order continues."""
    classes = None if body.classes is None else tuple(body.classes)
    consents.withdraw(context.database, caller.party, body.purpose, classes, body.service, now)
    return get_my_consents(context, caller, now)


def _check_purpose(purpose: str, served_purpose: str) -> None:
    if purpose != served_purpose:
        message = f"this server does not serve the purpose `{purpose}`"
        raise Rejected(message, where="purpose", hint=f"use {served_purpose}", code="unknown_purpose")


def _active_consents(purpose: str, grants: Grants) -> list[ActiveConsent]:
    return [
        ActiveConsent(
            purpose=purpose,
            service=service,
            data_class=name,
            since=moment(grant.at),
            until=None if grant.until is None else moment(grant.until),
        )
        for service, classes in sorted(grants.items(), key=lambda item: item[0] or "")
        for name, grant in sorted(classes.items())
    ]


def _outcome(request: ConsentRequestStatus) -> ConsentOutcome:
    return ConsentOutcome.model_validate({"id": request.id, "state": request.state, "granted": request.granted_classes})
