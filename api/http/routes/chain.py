"""Routes for supervisors: verify the chain of decisions, and read who looked at people."""

from dataclasses import asdict
from typing import Annotated, Final, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http.dependencies import ContextDep, Supervisor
from api.http.fields import Int64, PartyId
from api.http.lanes import CHECKS, LanedRoute, OnePerParty
from api.http.routes.my_looks import LookView
from api.http.routes.page import After, Page
from api.people import looks
from api.people.looks import Look
from api.supervision import audit
from api.supervision.audit import Verification

router = APIRouter(prefix="/v1/audit", tags=["supervisors"], route_class=LanedRoute)

_TURNS: Final = OnePerParty("a walk of yours over the chain is in progress")


class BrokenLink(BaseModel):
    """The first decision that does not fit: it, or what it depends on, was altered, dropped or inserted."""

    seq: Int64 | None
    id: str | None
    problem: str


class ChainCheck(BaseModel):
    """The result of a walk over the chain, up to the first break."""

    decisions: Int64
    erased: Int64 = Field(description="decisions whose records left with their people; we verified their entries")
    digests: int = Field(description="days whose digest we compared")
    head: str = Field(description="the hash of the last decision: keep it, and compare at your next visit")
    intact: bool
    first_break: BrokenLink | None

    @classmethod
    def of(cls, result: Verification) -> Self:
        """The result of the walk."""
        first_break = result.first_break
        return cls(
            decisions=result.decisions,
            erased=result.erased,
            digests=result.digests,
            head=result.head,
            intact=first_break is None,
            first_break=None if first_break is None else BrokenLink(**asdict(first_break)),
        )


class AuditedLook(LookView):
    """A look at a person, for a supervisor."""

    person: str

    @classmethod
    def of(cls, look: Look) -> Self:
        """Without the look's id, which is its caller's key."""
        return cls(**{name: value for name, value in vars(look).items() if name != "id"})


class AuditedLooks(Page[AuditedLook]):
    """Looks at people, newest first."""


@router.get("/chain")
async def verify_chain(
    context: ContextDep,
    caller: Supervisor,
    head: Annotated[
        str | None, Query(pattern="^[0-9a-f]{64}$", description="a hash that the chain must contain")
    ] = None,
) -> ChainCheck:
    """Walk the whole chain of decisions, and stop at the first break. A million decisions take about a minute."""
    async with _TURNS.turn(caller.party):
        return ChainCheck.of(await CHECKS.run(audit.verify, context.database, head=head))


@router.get("/looks")
def list_audited_looks(
    context: ContextDep,
    _: Supervisor,
    person: Annotated[PartyId | None, Query(description="only looks at this person")] = None,
    party: Annotated[PartyId | None, Query(description="only looks of this caller")] = None,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AuditedLooks:
    """List who looked at whom and why, newest first, in pages."""
    before = None if after is None else int(after)
    rows = looks.list_looks(context.database, before, limit + 1, person, party)
    return AuditedLooks.cut([AuditedLook.of(row) for row in rows], limit, "number")
