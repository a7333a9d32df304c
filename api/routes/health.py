"""Whether the server can answer, for whatever watches it."""

from datetime import datetime
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api import actions
from api.deps import InWorld
from api.problems import documented

router = APIRouter(prefix="/v1", tags=["operation"])

MOST_TOLD: Final = 5  # problems of a refused rules folder


class RulesRefused(BaseModel):
    """A changed rules folder that did not come into force; what was in force before goes on."""

    at: datetime
    problems: int = Field(description="how many problems there are")
    first: list[str] = Field(description="the first of them, as `iftah check` shows them")


class PolicyChanged(BaseModel):
    """The last change of policy.yaml that this server saw come into force."""

    at: datetime
    changes: list[str]


class Health(BaseModel):
    """Ready: a release and features are there. Otherwise the answer is 503."""

    status: Literal["ready"]
    release: str
    since: datetime = Field(description="when the release came into force on this server")
    rules_refused: RulesRefused | None = Field(description="null when the rules folder says what is in force")
    policy_changed: PolicyChanged | None
    people: int
    as_of: datetime
    computed_at: datetime


@router.get("/health", responses=documented("not_ready"))
def health(world: InWorld) -> Health:
    """Whether eligibility can be answered, from what, and under which rules."""
    made, refused, amended = actions.ready(world), world.refused, world.amended
    return Health(
        status="ready",
        release=world.release.id,
        since=world.since,
        rules_refused=refused
        and RulesRefused(at=refused.at, problems=len(refused.problems), first=list(refused.problems[:MOST_TOLD])),
        policy_changed=amended and PolicyChanged(at=amended.at, changes=list(amended.changes)),
        people=made.people,
        as_of=made.as_of,
        computed_at=made.computed_at,
    )
