"""Routes for people: object to items of your evidence."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.dependencies import ContextDep, Now, Subject
from api.http.fields import PartyId, RecordId, StatementText
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.cases import DisputeView
from api.http.routes.page import Page
from api.people import disputes
from api.store.database import reading

router = APIRouter(prefix="/v1/me/disputes", tags=["people"], route_class=LanedRoute)

CaseId = Annotated[RecordId, Path()]


class Disputes(Page[DisputeView]):
    """Objections, newest first."""


class Objection(BaseModel):
    """The item of your evidence that you object to."""

    model_config = ConfigDict(extra="forbid", strict=True)

    contributor: PartyId = Field(description="the contributor of the item")
    event_id: PartyId = Field(description="as GET /v1/me/evidence names it")
    statement: StatementText | None = None


class Statement(BaseModel):
    """Your statement about an item."""

    model_config = ConfigDict(extra="forbid", strict=True)
    statement: StatementText


@router.post("", status_code=201, responses=error_responses("unknown_item", "dispute_answered"))
def open_dispute(body: Objection, context: ContextDep, caller: Subject, now: Now, response: Response) -> DisputeView:
    """Object to an item. It stops counting against you at once, and we answer within twenty days. A repeated objection returns the same: 200."""
    row, new = disputes.open_dispute(
        context.database, context.vocabulary, caller.party, body.contributor, body.event_id, body.statement, now
    )
    response.status_code = 201 if new else 200
    return DisputeView.of(row)


@router.get("")
def list_my_disputes(context: ContextDep, caller: Subject) -> Disputes:
    """List your objections, newest first."""
    with reading(context.database) as connection:
        return Disputes(items=[DisputeView.of(row) for row in disputes.of_person(connection, caller.party)])


@router.post("/{dispute_id}/statement", responses=error_responses("unknown_dispute"))
def add_statement(dispute_id: CaseId, body: Statement, context: ContextDep, caller: Subject) -> DisputeView:
    """Add your statement to an item that you objected to, also after the answer."""
    return DisputeView.of(disputes.set_statement(context.database, caller.party, dispute_id, body.statement))
