"""Routes for operators about evidence: who sends what, what was refused and why, and the import of a file after a dry run."""

import base64
import binascii
import logging
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.access.auth import Caller
from api.evidence import contributor_sums, submissions
from api.evidence.contributor_sums import ContributorSum
from api.evidence.imports import uploads
from api.evidence.imports.uploads import Upload, UploadReport
from api.http.dependencies import ContextDep, Now, Operator, caller_as
from api.http.fields import PartyId
from api.http.lanes import BULK, LanedRoute, OnePerParty
from api.http.large_forms import body_of, form_schemas, parse_form, read_body
from api.http.problems import error_responses
from api.http.routes.events import RowProblem, SubmissionSummary
from api.http.routes.page import NEXT, Page
from api.runtime.context import AppContext
from api.store.database import reading
from engine.errors import Rejected

log = logging.getLogger("iftah")

router = APIRouter(prefix="/v1/evidence", tags=["operators"], route_class=LanedRoute)

Watcher = Annotated[Caller, Depends(caller_as("operator", "approver", "supervisor"))]
MAX_NAME: Final = 200
MAX_MAP_CHARS: Final = 200_000


class Contributors(Page[ContributorSum]):
    """Contributors, by name."""


class ReceivedSubmission(SubmissionSummary):
    """A submission of any contributor."""

    contributor: str


class ReceivedSubmissionDetails(ReceivedSubmission):
    """A submission with each row that was refused because of its own content, without that content."""

    problems: list[RowProblem]


class ReceivedSubmissions(Page[ReceivedSubmission]):
    """Submissions of all contributors, newest first."""


class UploadForm(BaseModel):
    """A file of rows and the map that reads it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(
        min_length=1,
        max_length=MAX_NAME,
        description="of the file; its ending says how it is written",
        examples=["orders.csv"],
    )
    content: str = Field(
        max_length=uploads.MAX_FILE_BYTES * 4 // 3 + 4,
        description="the bytes of the file in Base64",
        examples=["aWQsY3VzdG9tZXIK"],
    )
    map: str = Field(max_length=MAX_MAP_CHARS, description="the map, as for `iftah import`", examples=["kind: map"])


class ImportForm(UploadForm):
    """The same file and map as in a dry run."""

    receipt: str = Field(max_length=200, description="of the dry run", examples=["9c1e" * 16])


SCHEMAS: Final = form_schemas(UploadForm, ImportForm)  # FastAPI does not see these bodies
UPLOAD_LOCK: Final = OnePerParty("another import of yours is in progress")


async def _upload_turn(operator: Operator) -> AsyncIterator[None]:
    """Wait for the operator's turn before the body is read, so that we hold one file per operator in memory."""
    async with UPLOAD_LOCK.turn(operator.party):
        yield


UploadTurn = Annotated[None, Depends(_upload_turn, scope="function")]
Body = Annotated[bytes, Depends(read_body)]  # read after the caller is authenticated


@router.get("/contributors")
def list_contributors(
    context: ContextDep,
    _: Watcher,
    now: Now,
    after: Annotated[PartyId | None, Query(description=NEXT)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Contributors:
    """List who sends evidence: how many events of each kind we ever recorded, and when the newest happened and came."""
    with reading(context.database) as connection:
        rows = contributor_sums.contributors(connection, now)
    following = [row for row in rows if after is None or row.contributor > after]
    return Contributors.cut(following[: limit + 1], limit, "contributor")


@router.get("/submissions", responses=error_responses("unknown_submission"))
def list_received_submissions(
    context: ContextDep,
    _: Operator,
    contributor: Annotated[PartyId | None, Query()] = None,
    refused: Annotated[bool, Query(description="only those with refused rows")] = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=128, description=NEXT)] = None,
) -> ReceivedSubmissions:
    """List everyone's submissions of the last ninety days, newest first."""
    rows = submissions.list_all(context.database, limit + 1, after, contributor, refused=refused)
    items = [ReceivedSubmission.model_validate(row, from_attributes=True) for row in rows]
    return ReceivedSubmissions.cut(items, limit, "id")


@router.get("/submissions/{submission_id}", responses=error_responses("unknown_submission"))
def get_received_submission(
    submission_id: Annotated[str, Path(max_length=128)], context: ContextDep, _: Operator
) -> ReceivedSubmissionDetails:
    """Read one submission with the rows that were refused, and why."""
    report = submissions.find_submission(context.database, submission_id)
    return ReceivedSubmissionDetails.model_validate(report, from_attributes=True)


@router.post("/imports/dry-run", responses=error_responses("too_large"), openapi_extra=body_of(UploadForm))
async def try_import(context: ContextDep, operator: Operator, now: Now, _: UploadTurn, body: Body) -> UploadReport:
    """Read a file by a map and write nothing. The answer has the first events, the counts, the problems, and a receipt."""
    return await BULK.run(_try, context, operator, body, now)


def _try(context: AppContext, operator: Caller, body: bytes, now: datetime) -> UploadReport:
    return uploads.try_upload(
        context.database, context.vocabulary, _upload(operator, parse_form(body, UploadForm)), now
    )


@router.post("/imports", responses=error_responses("too_large", "no_dry_run"), openapi_extra=body_of(ImportForm))
async def import_file(context: ContextDep, operator: Operator, now: Now, _: UploadTurn, body: Body) -> UploadReport:
    """Import a file after its dry run, of today or yesterday. If you send it again, its events are duplicates."""
    return await BULK.run(_import, context, operator, body, now)


def _import(context: AppContext, operator: Caller, body: bytes, now: datetime) -> UploadReport:
    form = parse_form(body, ImportForm)
    upload = _upload(operator, form)
    report = uploads.load_upload(context.database, context.vocabulary, upload, form.receipt, now)
    log.info("a file was imported", extra={"party": operator.party, "token": operator.token, "events": report.accepted})
    return report


def _upload(operator: Caller, form: UploadForm) -> Upload:
    try:
        content = base64.b64decode(form.content, validate=True)
    except (binascii.Error, ValueError):
        hint = "encode the bytes of the file"
        raise Rejected("`content` is not Base64", where="content", hint=hint, code="bad_request") from None
    return Upload(operator.party, form.name, content, form.map)
