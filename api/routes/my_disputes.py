"""A person's objections to items of evidence."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.database import reading
from api.deps import InWorld, Now, Subject
from api.identifiers import Identifier
from api.lanes import LanedRoute
from api.people import disputes
from api.problems import documented
from api.routes.cases import Dispute
from api.routes.eligibility import PLAIN
from api.routes.page import Page

router = APIRouter(prefix="/v1/me/disputes", tags=["people"], route_class=LanedRoute)

STATEMENT = r"^[^\x00]*$"
Id = Annotated[str, Path(pattern="^[0-9a-f]{1,64}$")]
Said = Annotated[str, Field(min_length=1, max_length=2000, pattern=STATEMENT)]


class Disputes(Page[Dispute]):
    """Objections, newest first."""


class Objection(BaseModel):
    """An item of your evidence that is not right."""

    model_config = ConfigDict(extra="forbid", strict=True)

    contributor: Identifier = Field(pattern=PLAIN, max_length=128, description="who told it")
    event_id: Identifier = Field(pattern=PLAIN, max_length=128, description="as GET /v1/me/evidence names it")
    statement: Said | None = None


class Statement(BaseModel):
    """What you have to say about it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    statement: Said


@router.post("", status_code=201, responses=documented("unknown_item", "dispute_answered"))
def open_dispute(body: Objection, world: InWorld, caller: Subject, now: Now, response: Response) -> Dispute:
    """Object to an item. At once it says nothing against you, and the answer comes within twenty days. Asked again: 200, the same."""
    row, new = disputes.opened(world.database, caller.party, body.contributor, body.event_id, body.statement, now)
    response.status_code = 201 if new else 200
    return Dispute.of(row)


@router.get("")
def list_my_disputes(world: InWorld, caller: Subject) -> Disputes:
    """Your objections, newest first."""
    with reading(world.database) as connection:
        return Disputes(items=[Dispute.of(row) for row in disputes.of_person(connection, caller.party)])


@router.post("/{dispute_id}/statement", responses=documented("unknown_dispute"))
def add_statement(dispute_id: Id, body: Statement, world: InWorld, caller: Subject) -> Dispute:
    """Put a statement beside an item that you objected to, also after the answer."""
    return Dispute.of(disputes.stated(world.database, caller.party, dispute_id, body.statement))
