"""What a supervisor reads: decisions, releases, digests and proofs; a decision made again. Nothing is written here."""

import json
import logging
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, RootModel

from api.clock import moment
from api.deps import InWorld, Now, Supervisor
from api.identifiers import Identifier
from api.lanes import LanedRoute
from api.problems import documented
from api.releases import releases
from api.routes.page import After, Page
from api.routes.schema import Int64, Moment, Money, RecordedOutcome
from api.settings import settings
from api.supervision import audit, digests, replay, report
from api.supervision.audit import Sought, day_name
from engine.errors import Refused
from engine.lang.timezones import zone

log = logging.getLogger("iftah")

router = APIRouter(prefix="/v1/audit", tags=["supervisors"], route_class=LanedRoute)

DecisionId = Annotated[str, Path(pattern="^[0-9a-f]{1,64}$", description="a decision's id")]
PLAIN = r"^[^\x00-\x1f\x7f]+$"


class Entry(BaseModel):
    """A decision as the chain has it: what a merchant was told, and no person."""

    seq: Int64
    id: str
    merchant: str
    service: str | None
    service_version: int | None
    perk: str
    amount: Money
    currency: str
    outcome: RecordedOutcome
    waived: Money
    deposit: Money
    decided_at: datetime
    valid_until: datetime
    release: str
    commitment: str = Field(description="SHA-256 of the salt, a line feed and the record")
    previous_hash: str
    hash: str


class Entries(Page[Entry]):
    """Decisions, newest first."""


class WholeDecision(Entry):
    """A decision with what it depended on."""

    erased: bool = Field(description="the person has left, and the record with them")
    subject: str | None = Field(description="whom it was about; null when erased")
    salt: str | None
    record: dict[str, Any] | None


class ReleaseLine(BaseModel):
    """A set of rule files that was in force."""

    id: str
    loaded_at: datetime = Field(description="when it last came into force")


class ReleaseLines(Page[ReleaseLine]):
    """Releases, newest first."""


class ReleaseFiles(ReleaseLine):
    """The same with the text of each file."""

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


class Proof(RootModel[dict[str, Any]]):
    """That a decision is in its day's digest."""


@router.get("/decisions")
def list_decisions(
    world: InWorld,
    _: Supervisor,
    since: Annotated[Moment | None, Query(alias="from", description="decided then or later")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="decided before that")] = None,
    merchant: Annotated[Identifier | None, Query(pattern=PLAIN, max_length=128)] = None,
    perk: Annotated[Identifier | None, Query(pattern=PLAIN, max_length=60)] = None,
    outcome: Annotated[RecordedOutcome | None, Query()] = None,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Entries:
    """Decisions by time, merchant, perk and outcome, newest first, a page at a time."""
    what = Sought(since, until, merchant, perk, outcome)
    found = audit.sought(world.database, what, None if after is None else int(after), limit + 1)
    return Entries.cut([_entry(row) for row in found], limit, "seq")


@router.get("/decisions/{decision_id}", responses=documented("unknown_decision"))
def get_decision_record(decision_id: DecisionId, world: InWorld, caller: Supervisor) -> WholeDecision:
    """One decision with its record, which is about a person: that it was read is logged."""
    found = audit.whole(world.database, decision_id)
    record, salt = found["about_record"], found["about_salt"]
    if record is not None:
        log.info("a record was read", extra={"decision": found["id"], "token": caller.token, "role": caller.role})
    return WholeDecision(
        **_entry(found).model_dump(),
        erased=record is None,
        subject=found["about_subject"],
        salt=salt,
        record=None if record is None else json.loads(record),
    )


@router.get("/decisions/{decision_id}/replay", responses=documented("unknown_decision", "erased", "not_replayable"))
def replay_decision(decision_id: DecisionId, world: InWorld, caller: Supervisor) -> replay.Replayed:
    """Decide again under the release of then, by the reference and by the online engine, and compare bit for bit."""
    log.info("a record was replayed", extra={"decision": decision_id, "token": caller.token, "role": caller.role})
    return replay.replay(world, decision_id)


@router.get("/decisions/{decision_id}/proof", responses=documented("unknown_decision", "no_digest"))
def get_proof(decision_id: DecisionId, world: InWorld, _: Supervisor) -> Proof:
    """That a decision is in its day's digest: what `iftah audit check-proof` checks without a database."""
    return Proof(digests.proof(world.database, decision_id))


@router.get("/releases")
def list_releases(world: InWorld, _: Supervisor) -> ReleaseLines:
    """Every release that was ever in force, newest first."""
    found = releases.listed(world.database)
    return ReleaseLines(items=[ReleaseLine(id=name, loaded_at=moment(at)) for name, at in found])


@router.get("/releases/{release_id}", responses=documented("unknown_release"))
def get_release(
    release_id: Annotated[str, Path(pattern="^[0-9a-f]{1,64}$")], world: InWorld, _: Supervisor
) -> ReleaseFiles:
    """A release with its files as they were."""
    at, files = releases.files_of(world.database, release_id)
    return ReleaseFiles(id=release_id, loaded_at=moment(at), files=dict(files))


@router.get("/digests")
def list_digests(world: InWorld, _: Supervisor) -> DigestLines:
    """The digest of each day that is over, oldest first."""
    found = digests.listed(world.database)
    lines = [DigestLine(day=day_name(d.day), first=d.first, last=d.last, root=d.root, made_at=d.made_at) for d in found]
    return DigestLines(items=lines)


@router.get("/report/{year}", responses=documented("bad_year"))
def get_report(year: Annotated[int, Path(ge=1970, le=9999)], world: InWorld, _: Supervisor, now: Now) -> report.Report:
    """What came of a year's questions, by perk and month, and by group where people gave attributes for monitoring."""
    timezone = world.release.timezone
    latest = now.astimezone(zone(timezone)).year
    if year > latest:
        raise Refused("that year is to come", where="year", hint=f"up to {latest}", code="bad_year")
    return report.yearly(world.database, year, now, settings().report_smallest_group, timezone)


def _entry(row: dict[str, Any]) -> Entry:
    times = {name: moment(row[name]) for name in ("decided_at", "valid_until")}
    return Entry(**{name: row[name] for name in Entry.model_fields} | times)
