"""Routes for people: request that a human reviews a decision about you."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.dependencies import ContextDep, Now, Subject
from api.http.fields import RecordId, StatementText
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.cases import ReviewView
from api.http.routes.page import Page
from api.people import reviews
from api.store.database import reading

router = APIRouter(prefix="/v1/me/reviews", tags=["people"], route_class=LanedRoute)


class Reviews(Page[ReviewView]):
    """Requests, newest first."""


class ReviewRequest(BaseModel):
    """The decision about you that a human should review."""

    model_config = ConfigDict(extra="forbid", strict=True)

    decision_id: RecordId = Field(description="as GET /v1/me/inquiries names it")
    statement: StatementText | None = None


@router.post("", status_code=201, responses=error_responses("unknown_decision"))
def ask_review(body: ReviewRequest, context: ContextDep, caller: Subject, now: Now, response: Response) -> ReviewView:
    """Request a human review of a decision. A repeated request returns the same: 200."""
    row, new = reviews.request_review(context.database, caller.party, body.decision_id, body.statement, now)
    response.status_code = 201 if new else 200
    return ReviewView.of(row)


@router.get("")
def list_my_reviews(context: ContextDep, caller: Subject) -> Reviews:
    """List your requests, newest first."""
    with reading(context.database) as connection:
        return Reviews(items=[ReviewView.of(row) for row in reviews.of_person(connection, caller.party)])
