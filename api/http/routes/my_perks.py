"""Route for people: the perks that a score can open."""

from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.http.dependencies import ContextDep, Now, Subject
from api.http.fields import Money, PerkId
from api.http.lanes import LanedRoute
from api.http.routes.page import Page
from engine.lang.model.program import Perk

router = APIRouter(prefix="/v1/me/perks", tags=["people"], route_class=LanedRoute)


class MyPerk(BaseModel):
    """A perk that merchants may offer to you."""

    perk: PerkId
    about: str
    currency: str
    most: Money = Field(description="the highest deposit that a merchant can ask about, in minor units")

    @classmethod
    def of(cls, perk: Perk) -> Self:
        """What a person needs to choose a perk."""
        return cls(perk=perk.id, about=perk.about, currency=perk.currency, most=perk.most)


class MyPerks(Page[MyPerk]):
    """The perks of the rules in force."""


@router.get("")
def list_my_perks(context: ContextDep, _caller: Subject, now: Now) -> MyPerks:
    """List the perks that you can aim at: `GET /v1/me/recourse?perk=` shows what would get you one."""
    program = context.release.at(context.day(now))
    return MyPerks(items=[MyPerk.of(perk) for perk in program.perks])
