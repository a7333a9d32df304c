"""Routes for supervisors: read decisions, releases, digests and proofs. They write nothing.

Operators may search decisions and prove them. They open the record of one under a look (`api.people.looks`).
"""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.access.auth import Caller
from api.http.dependencies import Auditor, ContextDep, Now, Supervisor
from api.http.fields import AsStored, Int64, Moment, PartyId, PerkId, RecordedOutcome, RecordId
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.decision_record import AuditRecord, DecisionTerms, Proof
from api.http.routes.page import After, Page
from api.people.looks import require_decision_look
from api.releases import releases
from api.runtime.context import AppContext
from api.settings.settings import settings
from api.store.clock import moment
from api.supervision import audit, digests, report
from api.supervision.audit import day_name
from api.supervision.decision_search import DecisionFilter, find_decisions
from engine.errors import Rejected
from engine.lang.model.timezones import zone

log = logging.getLogger("iftah")

router = APIRouter(prefix="/v1/audit", tags=["supervisors"], route_class=LanedRoute)

DecisionId = Annotated[RecordId, Path(description="a decision's id")]
DecisionLook = Annotated[
    RecordId | None, Query(alias="look", description="an operator's look at this decision, or at its person")
]


class DecisionEntry(DecisionTerms):
    """A decision as an entry of the chain: the answer to the merchant, without the person."""

    seq: Int64
    decided_at: datetime
    valid_until: datetime
    release: str
    commitment: str = Field(description="SHA-256 of the salt, a line feed and the record")
    previous_hash: str
    hash: str


class DecisionEntries(Page[DecisionEntry]):
    """Decisions, newest first. With several filters a request looks at ten thousand decisions at most, so a page may hold fewer
    than you asked for, or none, and have a next one.
    """


class WholeDecision(DecisionEntry):
    """A decision with everything that it depended on."""

    erased: bool = Field(description="the person has left, and we erased the record")
    withheld: bool = Field(description="the record needs a look of yours: POST /v1/decisions/{decision_id}/looks")
    subject: str | None = Field(description="the person; null when erased or withheld")
    salt: str | None
    record: AsStored[AuditRecord] | None


class ReleaseLine(BaseModel):
    """A set of rule files that was in force."""

    id: str
    loaded_at: datetime = Field(description="when it last came into force")


class ReleaseLines(Page[ReleaseLine]):
    """Releases, newest first."""


class ReleaseFiles(ReleaseLine):
    """A release with the text of each file."""

    files: dict[str, str]


class DigestLine(BaseModel):
    """The Merkle root over the decisions of a day."""

    day: str
    first: Int64 = Field(description="seq of the first decision in it")
    last: Int64
    root: str
    made_at: datetime


class DigestLines(Page[DigestLine]):
    """Digests, oldest first."""


@router.get("/decisions")
def list_decisions(
    context: ContextDep,
    _: Auditor,
    since: Annotated[Moment | None, Query(alias="from", description="decided at this time or later")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="decided before this time")] = None,
    merchant: Annotated[PartyId | None, Query()] = None,
    perk: Annotated[PerkId | None, Query()] = None,
    outcome: Annotated[RecordedOutcome | None, Query()] = None,
    release: Annotated[RecordId | None, Query()] = None,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> DecisionEntries:
    """List decisions by time, merchant, perk, outcome and release, newest first, a page at a time."""
    criteria = DecisionFilter(since, until, merchant, perk, outcome, release)
    rows, stop = find_decisions(context.database, criteria, None if after is None else int(after), limit + 1)
    page = DecisionEntries.cut([_entry(row) for row in rows], limit, "seq")
    return page if stop is None else page.model_copy(update={"next": str(stop)})


@router.get("/decisions/{decision_id}", responses=error_responses("unknown_decision", "look_needed"))
def get_decision_record(
    decision_id: DecisionId, context: ContextDep, caller: Auditor, now: Now, look: DecisionLook = None
) -> WholeDecision:
    """Read one decision with its record. We log the access, since the record is about a person.

    Without a look, an operator gets the entry alone.
    """
    row = audit.find_decision_row(context.database, decision_id)
    withheld = caller.role == "operator" and look is None and row["about_record"] is not None
    if withheld:
        return WholeDecision(
            **_entry(row).model_dump(), erased=False, withheld=True, subject=None, salt=None, record=None
        )
    require_decision_access(context, caller, decision_id, look, now)
    record, salt = row["about_record"], row["about_salt"]
    if record is not None:
        log.info("a record was read", extra={"decision": row["id"], "token": caller.token, "role": caller.role})
    return WholeDecision(
        **_entry(row).model_dump(),
        erased=record is None,
        withheld=False,
        subject=row["about_subject"],
        salt=salt,
        record=None if record is None else json.loads(record),
    )


@router.get("/decisions/{decision_id}/proof", responses=error_responses("unknown_decision", "no_digest"))
def get_proof(decision_id: DecisionId, context: ContextDep, _: Auditor) -> Proof:
    """Prove that a decision is in its day's digest. You can check the proof by `iftah audit check-proof`, without a database."""
    return Proof(**digests.make_proof(context.database, decision_id))


@router.get("/releases")
def list_releases(context: ContextDep, _: Supervisor) -> ReleaseLines:
    """List every release that was ever in force, newest first."""
    rows = releases.list_releases(context.database)
    return ReleaseLines(items=[ReleaseLine(id=name, loaded_at=moment(at)) for name, at in rows])


@router.get("/releases/{release_id}", responses=error_responses("unknown_release"))
def get_release(release_id: Annotated[RecordId, Path()], context: ContextDep, _: Supervisor) -> ReleaseFiles:
    """Read a release with its files."""
    at, files = releases.files_of(context.database, release_id)
    return ReleaseFiles(id=release_id, loaded_at=moment(at), files=dict(files))


@router.get("/digests")
def list_digests(context: ContextDep, _: Supervisor) -> DigestLines:
    """List the digest of each past day, oldest first."""
    day_digests = digests.list_digests(context.database)
    lines = [
        DigestLine(day=day_name(d.day), first=d.first, last=d.last, root=d.root, made_at=d.made_at) for d in day_digests
    ]
    return DigestLines(items=lines)


@router.get("/report/{year}", responses=error_responses("bad_year"))
def get_report(
    year: Annotated[int, Path(ge=1970, le=9999)], context: ContextDep, _: Supervisor, now: Now
) -> report.YearlyReport:
    """Report a year's outcomes by perk and month, and by group where people gave attributes for monitoring."""
    timezone = context.release.timezone
    latest = now.astimezone(zone(timezone)).year
    if year > latest:
        raise Rejected("that year is in the future", where="year", hint=f"up to {latest}", code="bad_year")
    return report.yearly_report(context.database, year, now, settings().report_smallest_group, timezone)


def require_decision_access(
    context: AppContext, caller: Caller, decision_id: str, look: str | None, now: datetime
) -> None:
    """A supervisor may open any record; an operator needs a look at the decision or at its person. An erased one is nobody's.

    Raises Rejected: `look_needed`, `unknown_decision`.
    """
    subject = audit.find_decision_row(context.database, decision_id)["about_subject"]
    if caller.role != "supervisor" and subject is not None:
        require_decision_look(context.database, caller, subject, decision_id, look, now)


def _entry(row: Mapping[str, Any]) -> DecisionEntry:
    return DecisionEntry(
        seq=row["seq"],
        id=row["id"],
        merchant=row["merchant"],
        service=row["service"],
        service_version=row["service_version"],
        perk=row["perk"],
        amount=row["amount"],
        currency=row["currency"],
        outcome=row["outcome"],
        waived=row["waived"],
        deposit=row["deposit"],
        decided_at=moment(row["decided_at"]),
        valid_until=moment(row["valid_until"]),
        release=row["release"],
        commitment=row["commitment"],
        previous_hash=row["previous_hash"],
        hash=row["hash"],
    )
