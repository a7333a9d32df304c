"""Services: what a merchant signs up for."""

from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api import services
from api.database import reading
from api.deps import InWorld, Merchant, Now
from api.identifiers import Identifier
from api.lanes import WRITES, LanedRoute
from api.orders import targets
from api.problems import documented
from api.routes.page import NEXT, After, Page
from api.routes.schema import Money, ServiceMode
from api.services import Service, Terms
from api.settings import settings
from api.world import World
from engine.errors import Refused

router = APIRouter(prefix="/v1/services", tags=["merchants"], route_class=LanedRoute)

PLAIN: Final = r"^[^\x00-\x1f\x7f]+$"
NAME: Final = "^[a-z0-9_-]{1,40}$"
ServiceId = Annotated[str, Path(pattern=NAME, description="the merchant's own name for the service")]


class _Terms(BaseModel):
    """What is shown again of the terms."""

    model_config = ConfigDict(extra="forbid", strict=True)

    perk: Identifier = Field(
        pattern=PLAIN, max_length=60, description="a perk of the rules in force", examples=["hotel"]
    )
    mode: ServiceMode = "waive_first"
    ceiling: Money | None = Field(
        None, gt=0, le=10**12, description="the most that one order may come to, in minor units; enjoy_first needs it"
    )
    callback: str | None = Field(
        None, max_length=500, description="where orders' changes are told; https", examples=["https://inn.example/hook"]
    )


class ServiceTerms(_Terms):
    """What the merchant signs up for. A change is a further version; orders keep the one they were made under."""

    allowed: list[Annotated[Identifier, Field(pattern=PLAIN, max_length=128)]] | None = Field(
        None, max_length=1000, description="the only people it may ask about, before launch; null: anyone who consents"
    )


class ServiceAnswer(_Terms):
    """A version of a service."""

    allowed_people: int | None = Field(
        description="how many people the list has, which names nobody and is not shown again; null: there is no list"
    )
    id: str
    name: str = Field(description="as people's consents name it")
    version: int
    created_at: datetime

    @classmethod
    def of(cls, made: Service) -> Self:
        """What the merchant is told of it."""
        terms = dict(vars(made.terms))
        allowed = terms.pop("allowed")
        people = None if allowed is None else len(allowed)
        return cls(
            **terms, allowed_people=people, id=made.id, name=made.name, version=made.version, created_at=made.created_at
        )


class Services(Page[ServiceAnswer]):
    """The version in force of each service."""


class Versions(Page[ServiceAnswer]):
    """Versions of one service, newest first."""


class ServiceVersions(BaseModel):
    """A service as it is in force, and how it came to be so."""

    service: ServiceAnswer
    versions: Versions


@router.put(
    "/{service}",
    responses={
        201: {"model": ServiceAnswer, "description": "a new version"},
        **documented("unknown_perk", "bad_ceiling", "bad_callback"),
    },
)
async def put_service(
    service: ServiceId, body: ServiceTerms, world: InWorld, merchant: Merchant, now: Now, response: Response
) -> ServiceAnswer:
    """Sign up for a perk, or change the terms: 201 for a new version, 200 when these are in force already."""
    _within_the_rules(world, body, now)
    if body.callback is not None:
        await targets.check(body.callback, settings().callbacks_private, merchant.party)
    allowed = None if body.allowed is None else tuple(sorted(set(body.allowed)))
    terms = Terms(body.perk, body.mode, body.ceiling, allowed, body.callback)
    made = await WRITES.run(services.sign_up, world.database, merchant.party, service, terms, now)
    response.status_code = 201 if made.created_at == now else 200
    return ServiceAnswer.of(made)


@router.get("")
def list_services(
    world: InWorld,
    merchant: Merchant,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(pattern=NAME, description=NEXT)] = None,
) -> Services:
    """The merchant's services."""
    found = services.of_merchant(world.database, merchant.party, limit + 1, after)
    return Services.cut([ServiceAnswer.of(service) for service in found], limit, "id")


@router.get("/{service}", responses=documented("unknown_service"))
def get_service(
    service: ServiceId,
    world: InWorld,
    merchant: Merchant,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
    after: After = None,
) -> ServiceVersions:
    """One of the merchant's services, with its versions."""
    before = None if after is None else int(after)
    found = services.versions(world.database, merchant.party, service, limit + 1, before)
    page = Versions.cut([ServiceAnswer.of(one) for one in found], limit, "version")
    with reading(world.database) as connection:
        newest = services.newest(connection, merchant.party, service)
    return ServiceVersions(service=ServiceAnswer.of(newest), versions=page)


def _within_the_rules(world: World, terms: ServiceTerms, now: datetime) -> None:
    """Raises Refused for a perk that the rules have not, and for a ceiling that they do not let be."""
    program = world.release.at(world.day(now))
    perk = program.perk(terms.perk)
    if perk is None:
        known = ", ".join(p.id for p in program.perks)
        raise Refused(f"unknown perk `{terms.perk}`", code="unknown_perk", where="perk", hint=f"use one of {known}")
    most = perk.most
    if terms.ceiling is None and terms.mode == "enjoy_first":
        hint = f"give the most that one order may come to, up to {most}"
        raise Refused("enjoy_first needs a ceiling", where="ceiling", hint=hint, code="bad_ceiling")
    if terms.ceiling is not None and terms.ceiling > most:
        message = f"a ceiling of {terms.ceiling} is beyond the perk's"
        raise Refused(message, where="ceiling", hint=f"up to {most} in minor units", code="bad_ceiling")
