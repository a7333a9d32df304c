"""Routes for people: who looked at your data, and why."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http.dependencies import ContextDep, Subject
from api.http.fields import Int64, LookKind, LookPart, Role
from api.http.lanes import LanedRoute
from api.http.routes.page import After, Page
from api.people import looks, person
from api.people.looks import Look
from api.store.database import reading

router = APIRouter(prefix="/v1/me/looks", tags=["people"], route_class=LanedRoute)


class LookView(BaseModel):
    """A look at a person's data."""

    number: Int64
    at: datetime
    until: datetime = Field(description="until then the caller could open the data again")
    role: Role
    party: str = Field(description="the caller")
    kind: LookKind
    purpose: str = Field(description="in the caller's own words")
    part: LookPart
    decision: str | None = Field(description="the id of the one decision that it shows")

    @classmethod
    def of(cls, look: Look) -> Self:
        """Without the look's id."""
        return cls(**person.look_view(look))


class MyLooks(Page[LookView]):
    """Looks at you, newest first."""


@router.get("")
def list_my_looks(
    context: ContextDep,
    caller: Subject,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = looks.PAGE,
) -> MyLooks:
    """List who looked at your data, when and for which purpose, newest first, in pages."""
    with reading(context.database) as connection:
        rows = looks.of_person(connection, caller.party, None if after is None else int(after), limit + 1)
    return MyLooks.cut([LookView.of(row) for row in rows], limit, "number")
