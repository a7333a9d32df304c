"""Route for perks: what a merchant can ask about, and with which fields."""

from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.http.dependencies import ContextDep, Merchant, Now
from api.http.fields import Money, PerkId, RequestFieldType
from api.http.lanes import LanedRoute
from api.http.routes.page import Page
from engine.lang.model.program import Perk
from engine.lang.model.types import MAX_INTEGER, Attribute, format_value

router = APIRouter(prefix="/v1/perks", tags=["merchants"], route_class=LanedRoute)


class RequestField(BaseModel):
    """A field that a question about the perk can have."""

    name: str
    type: RequestFieldType
    digits: int | None = Field(None, description="of a decimal: the digits after the point")
    values: list[str] | None = Field(None, description="of an enum: its words")
    lowest: str | None = Field(None, description="the lowest value, as you would write it; null: no limit")
    highest: str | None = Field(None, description="the highest value; null: no limit")

    @classmethod
    def of(cls, attribute: Attribute) -> Self:
        """The field as merchants write it."""
        type_ = attribute.type
        bounded = type_.numeric and not type_.moment
        return cls(
            name=attribute.name.removeprefix("request."),
            type=type_.kind,
            digits=type_.digits if type_.kind == "decimal" else None,
            values=list(type_.values) if type_.kind == "enum" else None,
            lowest=format_value(type_.low, type_) if bounded and type_.low > -MAX_INTEGER else None,
            highest=format_value(type_.high, type_) if bounded and type_.high < MAX_INTEGER else None,
        )


class PerkTerms(BaseModel):
    """A perk under the rules in force today."""

    perk: PerkId
    about: str
    currency: str
    most: Money = Field(description="the highest amount that you can ask about, in minor units")
    partial: bool = Field(description="whether we may waive a part")
    valid_hours: int = Field(description="how long an answer holds")
    fields: list[RequestField]

    @classmethod
    def of(cls, perk: Perk) -> Self:
        """What a merchant needs to ask about the perk: no condition, no cap."""
        return cls(
            perk=perk.id,
            about=perk.about,
            currency=perk.currency,
            most=perk.most,
            partial=perk.partial,
            valid_hours=perk.valid_hours,
            fields=[RequestField.of(attribute) for attribute in perk.request],
        )


class Perks(Page[PerkTerms]):
    """The perks of the rules in force."""


@router.get("")
def list_perks(context: ContextDep, _merchant: Merchant, now: Now) -> Perks:
    """List the perks that you can ask about, with the fields of their questions."""
    program = context.release.at(context.day(now))
    return Perks(items=[PerkTerms.of(perk) for perk in program.perks])
