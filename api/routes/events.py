"""Evidence by the API: contributors send events, and see again what they sent and what was refused of it."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.datastructures import Headers

from api.clock import iso
from api.deps import Contributor, InWorld, Now
from api.evidence import bodies, intake, submissions
from api.lanes import BULK, LanedRoute, OneEach
from api.problems import documented
from api.routes import event_schema
from api.routes.page import NEXT, Page
from api.routes.schema import Amendment, RowOutcome
from api.world import World

router = APIRouter(prefix="/v1/events", tags=["contributors"], route_class=LanedRoute)


class RowResult(BaseModel):
    """What became of one event."""

    row: int = Field(description="its place in what was sent, from 0; blank lines do not count")
    event_id: str | None
    result: RowOutcome
    reason: str | None = Field(description="why it was refused")


class Sent(BaseModel):
    """What became of a sending. Sent again it changes nothing: what was accepted is a duplicate then."""

    id: str = Field(description="of the sending; GET /v1/events/submissions/{id} shows it again")
    accepted: int
    duplicates: int = Field(description="events that were recorded before, with the same content")
    refused: int
    recorded_at: datetime | None = Field(description="when those accepted were recorded; null: none was")
    rows: list[RowResult]


class RowProblem(BaseModel):
    """A row that was refused. The reason names fields and leaves out what was in them."""

    row: int
    event_id: str | None
    reason: str


class SubmissionSummary(BaseModel):
    """A sending."""

    id: str
    received_at: datetime
    rows: int
    accepted: int
    duplicates: int
    refused: int = Field(description="all rows where all or nothing was asked for and one was refused")


class Submission(SubmissionSummary):
    """A sending, and each of its rows that was refused for its own sake."""

    problems: list[RowProblem]


class Submissions(Page[SubmissionSummary]):
    """Sendings, newest first."""


class Said(BaseModel):
    """What was said of an event since."""

    what: Amendment
    recorded_at: datetime
    outcome: str | None = Field(description="of a dispute; upheld: the event stays out")


class Recorded(BaseModel):
    """That an event was recorded; what came after does not change it, but what is seen of it."""

    event_id: str
    recorded_at: datetime
    since: list[Said]


SUBMISSIONS: Final = OneEach("another submission of yours is in progress")


async def _turn(contributor: Contributor) -> AsyncIterator[None]:
    """Before the body is read: of one contributor no two bodies are in memory."""
    async with SUBMISSIONS.turn(contributor.party):
        yield


async def _body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "",
    responses={
        **documented("unsupported_type", "too_many_rows"),
        200: {"model": Sent},
    },
    openapi_extra={"requestBody": event_schema.BODY},
)
async def send_events(
    request: Request,
    world: InWorld,
    contributor: Contributor,
    now: Now,
    _: Annotated[None, Depends(_turn, scope="function")],
    body: Annotated[bytes, Depends(_body)],  # read when it is known who sends it
    all_or_nothing: Annotated[bool, Query(description="one refused event keeps out all others")] = False,
) -> Response:
    """Send events. The answer says of each whether it is accepted, known already, or refused and why.

    One submission of a contributor is taken at a time: the next waits for it, and is refused 429 after some seconds.
    """
    return await BULK.run(_taken, request.headers, world, contributor.party, body, now, all_or_nothing)


def _taken(headers: Headers, world: World, party: str, body: bytes, now: datetime, all_or_nothing: bool) -> Response:
    rows = bodies.rows_of(body, headers.get("content-type"), headers.get("content-encoding"))
    taken = intake.take(world.database, party, rows, now, all_or_nothing=all_or_nothing)
    at = None if taken.recorded_at is None else iso(taken.recorded_at)
    head = {"id": taken.id, "accepted": taken.accepted, "duplicates": taken.duplicates, "refused": taken.refused}
    # Polars writes ten thousand rows in the time in which one by one a hundred are written.
    said = json.dumps({**head, "recorded_at": at})[:-1] + f', "rows": {taken.rows.write_json()}}}'
    return Response(said, media_type="application/json")


@router.get("/submissions", responses=documented("unknown_submission"))
def list_submissions(
    world: InWorld,
    contributor: Contributor,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=128, description=NEXT)] = None,
) -> Submissions:
    """The contributor's sendings of the last ninety days, newest first."""
    found = submissions.sent(world.database, contributor.party, limit + 1, after)
    shown = [SubmissionSummary(**{k: v for k, v in vars(one).items() if k != "problems"}) for one in found]
    return Submissions.cut(shown, limit, "id")


@router.get("/submissions/{submission_id}", responses=documented("unknown_submission"))
def get_submission(submission_id: str, world: InWorld, contributor: Contributor) -> Submission:
    """One sending, with what was refused of it."""
    return Submission(**vars(submissions.submission(world.database, contributor.party, submission_id)))


# The id is the contributor's own and may have a slash in it.
@router.get("/{event_id:path}", responses=documented("unknown_event"))
def get_event(event_id: str, world: InWorld, contributor: Contributor) -> Recorded:
    """That one of the contributor's own events is recorded, and what was said of it since: never by whom, nor in which words."""
    return Recorded(**asdict(submissions.recorded(world.database, contributor.party, event_id)))
