"""A person's requests that a human looks at a decision again."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.database import reading
from api.deps import InWorld, Now, Subject
from api.lanes import LanedRoute
from api.people import reviews
from api.problems import documented
from api.routes.cases import Review
from api.routes.my_disputes import Said
from api.routes.page import Page

router = APIRouter(prefix="/v1/me/reviews", tags=["people"], route_class=LanedRoute)


class Reviews(Page[Review]):
    """Requests, newest first."""


class ReviewRequest(BaseModel):
    """A decision about you that a human should look at."""

    model_config = ConfigDict(extra="forbid", strict=True)

    decision_id: str = Field(pattern="^[0-9a-f]{1,64}$", description="as GET /v1/me/inquiries names it")
    statement: Said | None = None


@router.post("", status_code=201, responses=documented("unknown_decision"))
def ask_review(body: ReviewRequest, world: InWorld, caller: Subject, now: Now, response: Response) -> Review:
    """Ask for a human's look at a decision. Asked again: 200, the same."""
    row, new = reviews.asked(world.database, caller.party, body.decision_id, body.statement, now)
    response.status_code = 201 if new else 200
    return Review.of(row)


@router.get("")
def list_my_reviews(world: InWorld, caller: Subject) -> Reviews:
    """Your requests, newest first."""
    with reading(world.database) as connection:
        return Reviews(items=[Review.of(row) for row in reviews.of_person(connection, caller.party)])
