"""The route that says whether this database holds demo data, and by which names we show its parties."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.demo.names import display_name
from api.demo.parties import FIRST_MERCHANT, OPERATOR, SUPERVISOR
from api.http.dependencies import ContextDep
from api.http.fields import PLAIN
from api.http.lanes import LanedRoute
from api.runtime import demo_mark

router = APIRouter(prefix="/v1", tags=["operation"], route_class=LanedRoute)


class PartyName(BaseModel):
    """A name for display. Nobody is meant by it."""

    en: str
    zh: str


class DemoParties(BaseModel):
    """The parties with the most to show, a role each."""

    operator: str
    merchant: str
    subject: str | None = Field(description="null: there is no simulated activity")
    supervisor: str


class DemoStatus(BaseModel):
    """What a page shows beside demo data."""

    demo: bool = Field(description="true: the database was filled with demo data, whatever else it holds by now")
    evidence: str | None = Field(description="town or berka")
    activity_from: datetime | None = Field(description="what happened from then until `activity_to` is simulated")
    activity_to: datetime | None
    parties: DemoParties | None
    names: dict[str, PartyName] = Field(description="of the parties that you asked for and that the demo knows, by id")


@router.get("/demo")
def get_demo(
    context: ContextDep,
    parties: Annotated[
        str | None,
        Query(
            pattern=PLAIN,
            max_length=4_000,
            description="whose names to answer, by commas: people, merchants, contributors, or services as `merchant/service`",
            examples=["lotus-hotel,lotus-hotel/room,p-1"],
        ),
    ] = None,
) -> DemoStatus:
    """Read whether this is demo data, and the names of its parties. Without demo data there are no names."""
    mark = demo_mark.read_mark(context.database)
    if mark is None:
        return DemoStatus(demo=False, evidence=None, activity_from=None, activity_to=None, parties=None, names={})
    requested = parties.split(",") if parties else []
    names = {one: name for one in requested if (name := display_name(one, mark.town_people))}
    return DemoStatus(
        demo=True,
        evidence=mark.evidence,
        activity_from=mark.activity_from,
        activity_to=mark.activity_to,
        parties=DemoParties(operator=OPERATOR, merchant=FIRST_MERCHANT, subject=mark.person, supervisor=SUPERVISOR),
        names={one: PartyName(en=name.en, zh=name.zh) for one, name in names.items()},
    )
