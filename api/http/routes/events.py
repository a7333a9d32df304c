"""Routes for contributors: send events, and read your submissions, their refused rows, and the state of an event."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.datastructures import Headers

from api.evidence import bodies, intake, submissions
from api.http.dependencies import ContextDep, Contributor, Now
from api.http.fields import Amendment, RowOutcome
from api.http.lanes import BULK, LanedRoute, OnePerParty
from api.http.problems import error_responses
from api.http.routes import event_schema
from api.http.routes.page import NEXT, Page
from api.runtime.context import AppContext
from api.store.clock import iso

router = APIRouter(prefix="/v1/events", tags=["contributors"], route_class=LanedRoute)


class RowResult(BaseModel):
    """The result for one event."""

    row: int = Field(description="the event's position in the submission, from 0, without blank lines")
    event_id: str | None
    result: RowOutcome
    reason: str | None = Field(description="the reason for a refusal")


class SubmissionAnswer(BaseModel):
    """The result of a submission. If you send it again, nothing changes: accepted events are duplicates then."""

    id: str = Field(description="the submission's id, for GET /v1/events/submissions/{id}")
    accepted: int
    duplicates: int = Field(description="events that were recorded before, with the same content")
    refused: int
    recorded_at: datetime | None = Field(description="when we recorded the accepted events; null: none")
    rows: list[RowResult]


class RowProblem(BaseModel):
    """A refused row. The reason names fields without their values."""

    row: int
    event_id: str | None
    reason: str


class SubmissionSummary(BaseModel):
    """A submission."""

    id: str
    received_at: datetime
    rows: int
    accepted: int
    duplicates: int
    refused: int = Field(description="all rows, if you set `all_or_nothing` and one was refused")


class SubmissionDetails(SubmissionSummary):
    """A submission with each row that was refused because of its own content."""

    problems: list[RowProblem]


class Submissions(Page[SubmissionSummary]):
    """Submissions, newest first."""


class EventAmendment(BaseModel):
    """A later statement about an event."""

    what: Amendment
    recorded_at: datetime
    outcome: str | None = Field(description="the outcome of a dispute; upheld: the event stays out")


class EventAnswer(BaseModel):
    """A recorded event and later statements about it. They do not change the event, but its visibility."""

    event_id: str
    recorded_at: datetime
    since: list[EventAmendment]


SUBMISSION_LOCK: Final = OnePerParty("another submission of yours is in progress")


async def _submission_turn(contributor: Contributor) -> AsyncIterator[None]:
    """Wait for the contributor's turn before the body is read, so that we hold one body per contributor in memory."""
    async with SUBMISSION_LOCK.turn(contributor.party):
        yield


async def _body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "",
    responses={
        **error_responses("unsupported_type", "too_many_rows"),
        200: {"model": SubmissionAnswer},
    },
    openapi_extra={"requestBody": event_schema.BODY},
)
async def send_events(
    request: Request,
    context: ContextDep,
    contributor: Contributor,
    now: Now,
    _: Annotated[None, Depends(_submission_turn, scope="function")],
    body: Annotated[bytes, Depends(_body)],  # read after the caller is authenticated
    all_or_nothing: Annotated[bool, Query(description="one refused event refuses all others")] = False,
) -> Response:
    """Send events. The answer lists for each whether it is accepted, a duplicate, or refused, with the reason.

    We take one submission per contributor at a time. The next one waits, and we reject it with 429 after some seconds.
    """
    return await BULK.run(_take_events, request.headers, context, contributor.party, body, now, all_or_nothing)


def _take_events(
    headers: Headers, context: AppContext, party: str, body: bytes, now: datetime, all_or_nothing: bool
) -> Response:
    rows = bodies.rows_of(body, headers.get("content-type"), headers.get("content-encoding"))
    result = intake.ingest(
        context.database, party, rows, now, all_or_nothing=all_or_nothing, vocabulary=context.vocabulary
    )
    at = None if result.recorded_at is None else iso(result.recorded_at)
    head = {"id": result.id, "accepted": result.accepted, "duplicates": result.duplicates, "refused": result.refused}
    # Polars writes ten thousand rows in the time in which `json` writes a hundred.
    content = json.dumps({**head, "recorded_at": at})[:-1] + f', "rows": {result.rows.write_json()}}}'
    return Response(content, media_type="application/json")


@router.get("/submissions", responses=error_responses("unknown_submission"))
def list_submissions(
    context: ContextDep,
    contributor: Contributor,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=128, description=NEXT)] = None,
) -> Submissions:
    """List the contributor's submissions of the last ninety days, newest first."""
    rows = submissions.list_submissions(context.database, contributor.party, limit + 1, after)
    summaries = [SubmissionSummary.model_validate(row, from_attributes=True) for row in rows]
    return Submissions.cut(summaries, limit, "id")


@router.get("/submissions/{submission_id}", responses=error_responses("unknown_submission"))
def get_submission(submission_id: str, context: ContextDep, contributor: Contributor) -> SubmissionDetails:
    """Read one submission with its refused rows."""
    report = submissions.submission(context.database, contributor.party, submission_id)
    return SubmissionDetails.model_validate(report, from_attributes=True)


# The contributor chooses the id, and it may contain a slash.
@router.get("/{event_id:path}", responses=error_responses("unknown_event"))
def get_event(event_id: str, context: ContextDep, contributor: Contributor) -> EventAnswer:
    """Read whether one of the contributor's own events is recorded, and later statements about it, without author and wording."""
    return EventAnswer(**asdict(submissions.event_status(context.database, contributor.party, event_id)))
