"""Consents, from the person's side: what is asked, what is allowed; allow, decline, withdraw. Nothing is ticked beforehand."""

from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api import actions
from api.clock import moment
from api.consent import consents
from api.consent.consents import WARNED, WARNING, Request, Said
from api.consent.permissions import Grants
from api.deps import InWorld, Now, Subject
from api.identifiers import Identifier
from api.lanes import LanedRoute
from api.problems import documented
from api.routes.consents import PLAIN, Classes, RequestId
from api.routes.schema import ConsentState, DataClass, Moment
from engine.errors import Refused

router = APIRouter(prefix="/v1/me/consents", tags=["people"], route_class=LanedRoute)

Purpose = Annotated[str, Field(strict=True, pattern="^[a-z][a-z_]*$", max_length=40, description="such as `perks`")]
Service = Annotated[
    Identifier,
    Field(strict=True, pattern=PLAIN, max_length=128, description="a merchant's service: `merchant/service`"),
]
Until = Annotated[Moment, Field(description="when it ends; null: when it is withdrawn")]
Warned = Annotated[
    bool, Field(strict=True, description=f"that the warning was shown, which `{WARNED}` needs: see GET /v1/me/consents")
]


class Allowed(BaseModel):
    """What the person allows of a request."""

    model_config = ConfigDict(extra="forbid")

    classes: Classes = Field(description="some or all of those that were asked for; there is no default")
    until: Until | None = None
    warned: Warned = False


class Given(BaseModel):
    """What the person allows unasked."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    classes: Classes
    service: Service | None = Field(None, description="null: that evidence is used; else that the service may ask")
    until: Until | None = None
    warned: Warned = False


class Withdrawn(BaseModel):
    """What the person takes back."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    classes: Classes | None = Field(None, description="null: all")
    service: Service | None = Field(None, description="null: from everyone, and that evidence is used at all")


class Waiting(BaseModel):
    """A request that waits for the person's answer."""

    id: str
    merchant: str
    service: str
    purpose: str
    classes: list[DataClass]
    until: datetime | None
    asked_at: datetime
    warning: dict[str, str] | None = Field(description="to be shown before it is allowed, by language; null: none")

    @classmethod
    def of(cls, found: Request) -> Self:
        """As it is told to the person."""
        warning = WARNING if WARNED in found.ask.classes else None
        return cls.model_validate(
            vars(found.ask) | {"id": found.id, "asked_at": found.asked_at, "warning": warning}, from_attributes=False
        )


class InForce(BaseModel):
    """One data class that may be used, or that a service may ask about."""

    purpose: str
    service: str | None
    data_class: DataClass
    since: datetime
    until: datetime | None


class Consents(BaseModel):
    """What is asked of the person, and what the person allows."""

    requests: list[Waiting]
    in_force: list[InForce]
    warning: dict[str, str] = Field(description=f"what must be shown before `{WARNED}` is allowed, by language")


class Answered(BaseModel):
    """A request after the person's answer."""

    id: str
    state: ConsentState
    granted: list[DataClass]


_CHANGE: Final = ("bad_event",)
_GRANT: Final = (*_CHANGE, "bad_until", "warning_needed")


@router.get("")
def get_my_consents(world: InWorld, me: Subject, now: Now) -> Consents:
    """What is asked of me, and what I allow."""
    waiting = [Waiting.of(found) for found in consents.waiting(world.database, me.party, now)]
    held = consents.held(world.database, me.party, now)
    listed = [line for purpose, grants in held.items() for line in _lines(purpose, grants)]
    return Consents(requests=waiting, in_force=listed, warning=WARNING)


@router.post(
    "",
    status_code=201,
    responses={
        200: {"model": Consents, "description": "that is in force already"},
        **documented(*_GRANT, "unknown_service", "unknown_purpose"),
    },
)
def give_consent(body: Given, world: InWorld, me: Subject, now: Now, response: Response) -> Consents:
    """Allow that evidence about me is used, or that a service asks about me."""
    _known_purpose(body.purpose, actions.ready(world).purpose)
    said = Said(me.party, body.purpose, tuple(body.classes), body.service, body.until, body.warned)
    if not consents.give(world.database, said, now):
        response.status_code = 200
    return get_my_consents(world, me, now)


@router.post("/{request_id}/grant", responses=documented(*_GRANT, "not_asked", "unknown_consent", "consent_answered"))
def grant_consent(request_id: RequestId, body: Allowed, world: InWorld, me: Subject, now: Now) -> Answered:
    """Say yes to a request, to the classes that are named here and no others."""
    said = Said(me.party, "", tuple(body.classes), None, body.until, body.warned)
    return _told(consents.grant(world.database, request_id, said, now))


@router.post("/{request_id}/decline", responses=documented(*_CHANGE, "unknown_consent", "consent_answered"))
def decline_consent(request_id: RequestId, world: InWorld, me: Subject, now: Now) -> Answered:
    """Say no to a request."""
    return _told(consents.decline(world.database, request_id, me.party, now))


@router.post("/withdraw", responses=documented(*_CHANGE))
def withdraw_consent(body: Withdrawn, world: InWorld, me: Subject, now: Now) -> Consents:
    """Take back what I allowed. From the next question on it does not count; an order that is open goes on."""
    classes = None if body.classes is None else tuple(body.classes)
    consents.withdraw(world.database, me.party, body.purpose, classes, body.service, now)
    return get_my_consents(world, me, now)


def _known_purpose(given: str, known: str) -> None:
    if given != known:
        message = f"nothing is done here for the purpose `{given}`"
        raise Refused(message, where="purpose", hint=f"use {known}", code="unknown_purpose")


def _lines(purpose: str, grants: Grants) -> list[InForce]:
    return [
        InForce(
            purpose=purpose,
            service=service,
            data_class=name,
            since=moment(held.at),
            until=None if held.until is None else moment(held.until),
        )
        for service, classes in sorted(grants.items(), key=lambda item: item[0] or "")
        for name, held in sorted(classes.items())
    ]


def _told(found: Request) -> Answered:
    return Answered.model_validate({"id": found.id, "state": found.state, "granted": found.granted})
