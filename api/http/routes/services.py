"""Routes for services: a merchant signs up for a perk, and reads its services and their versions."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.dependencies import ContextDep, Merchant, Now
from api.http.fields import MAX_DEPOSIT, Money, PartyId, PerkId, ServiceMode, ServiceName
from api.http.lanes import WRITES, LanedRoute
from api.http.problems import error_responses
from api.http.routes.page import NEXT, After, Page
from api.merchants import callback_targets, services
from api.merchants.services import Service, Terms
from api.runtime.context import AppContext
from api.settings.settings import settings
from api.store.database import reading
from engine.errors import Rejected

router = APIRouter(prefix="/v1/services", tags=["merchants"], route_class=LanedRoute)

ServiceId = Annotated[ServiceName, Path(description="the merchant's own name for the service")]


class _ServiceFields(BaseModel):
    """The terms that answers show again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    perk: PerkId = Field(description="a perk of the rules in force", examples=["hotel"])
    mode: ServiceMode = "waive_first"
    ceiling: Money | None = Field(
        None,
        gt=0,
        le=MAX_DEPOSIT,
        description="the highest total of one order, in minor units; enjoy_first needs it",
    )
    callback: str | None = Field(
        None,
        max_length=500,
        description="the https URL to which we send changes of orders",
        examples=["https://inn.example/hook"],
    )


class ServiceTerms(_ServiceFields):
    """The terms of a service. A change creates a new version; an order keeps the version under which it was created."""

    allowed: list[PartyId] | None = Field(
        None,
        max_length=1000,
        description="before launch, the only people that the service may ask about; null: all people who consent",
    )


class ServiceAnswer(_ServiceFields):
    """A version of a service."""

    allowed_people: int | None = Field(
        description="the number of people in `allowed`, which we do not show again; null: there is no list"
    )
    id: str
    name: str = Field(description="the name in people's consents")
    version: int
    created_at: datetime

    @classmethod
    def of(cls, service: Service) -> Self:
        """The merchant's view of a version."""
        terms = service.terms
        return cls.model_validate(
            {
                "perk": terms.perk,
                "mode": terms.mode,
                "ceiling": terms.ceiling,
                "callback": terms.callback,
                "allowed_people": None if terms.allowed is None else len(terms.allowed),
                "id": service.id,
                "name": service.name,
                "version": service.version,
                "created_at": service.created_at,
            }
        )


class Services(Page[ServiceAnswer]):
    """The version in force of each service."""


class Versions(Page[ServiceAnswer]):
    """Versions of one service, newest first."""


class ServiceVersions(BaseModel):
    """The version of a service in force, and earlier versions."""

    service: ServiceAnswer
    versions: Versions


@router.put(
    "/{service}",
    responses={
        201: {"model": ServiceAnswer, "description": "a new version"},
        **error_responses("unknown_perk", "bad_ceiling", "bad_callback"),
    },
)
async def put_service(
    service: ServiceId, body: ServiceTerms, context: ContextDep, merchant: Merchant, now: Now, response: Response
) -> ServiceAnswer:
    """Sign up for a perk, or change the terms: 201 for a new version, 200 if these terms are in force already."""
    _check_terms(context, body, now)
    if body.callback is not None:
        await callback_targets.check(body.callback, settings().allow_private_callbacks, merchant.party)
    allowed = None if body.allowed is None else tuple(sorted(set(body.allowed)))
    terms = Terms(body.perk, body.mode, body.ceiling, allowed, body.callback)
    result = await WRITES.run(services.sign_up, context.database, merchant.party, service, terms, now)
    response.status_code = 201 if result.created_at == now else 200
    return ServiceAnswer.of(result)


@router.get("")
def list_services(
    context: ContextDep,
    merchant: Merchant,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[ServiceName | None, Query(description=NEXT)] = None,
) -> Services:
    """List the merchant's services."""
    rows = services.of_merchant(context.database, merchant.party, limit + 1, after)
    return Services.cut([ServiceAnswer.of(service) for service in rows], limit, "id")


@router.get("/{service}", responses=error_responses("unknown_service"))
def get_service(
    service: ServiceId,
    context: ContextDep,
    merchant: Merchant,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
    after: After = None,
) -> ServiceVersions:
    """Read one of the merchant's services with its versions."""
    before = None if after is None else int(after)
    versions = services.versions(context.database, merchant.party, service, limit + 1, before)
    page = Versions.cut([ServiceAnswer.of(version) for version in versions], limit, "version")
    with reading(context.database) as connection:
        newest = services.newest(connection, merchant.party, service)
    return ServiceVersions(service=ServiceAnswer.of(newest), versions=page)


def _check_terms(context: AppContext, terms: ServiceTerms, now: datetime) -> None:
    """Raise Rejected for a perk that is not in the rules, and for a ceiling that the rules do not allow."""
    program = context.release.at(context.day(now))
    perk = program.perk(terms.perk)
    if perk is None:
        perk_ids = ", ".join(p.id for p in program.perks)
        raise Rejected(f"unknown perk `{terms.perk}`", code="unknown_perk", where="perk", hint=f"use one of {perk_ids}")
    max_amount = perk.most
    if terms.ceiling is None and terms.mode == "enjoy_first":
        hint = f"give the most that one order may come to, up to {max_amount}"
        raise Rejected("enjoy_first needs a ceiling", where="ceiling", hint=hint, code="bad_ceiling")
    if terms.ceiling is not None and terms.ceiling > max_amount:
        message = f"a ceiling of {terms.ceiling} is beyond the perk's"
        raise Rejected(message, where="ceiling", hint=f"up to {max_amount} in minor units", code="bad_ceiling")
