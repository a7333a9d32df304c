"""Whether the server can answer, for whatever watches it.

Asked on a connection of its own, from a thread of its own: it answers while everything else waits.
"""

import asyncio
from datetime import datetime
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import Engine

from api.database import connection_of_health
from api.deps import InWorld, Now, Stuck
from api.features import refresh
from api.lanes import HEALTH, LanedRoute
from engine.errors import Refused

router = APIRouter(prefix="/v1", tags=["operation"], route_class=LanedRoute)

LONGEST: Final = 3.0  # seconds to an answer, whatever it is
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


class Freshness(BaseModel):
    """How far rows and scores follow the ledger; the features of the whole graph are as of the build."""

    events_behind: int = Field(description="events that no row takes into account yet")
    seconds_behind: float = Field(description="since the oldest of them was recorded; 0 when there is none")
    people_put_off: int = Field(description="people with a row still to be made: one of many, or with many events")
    events_later: int = Field(
        description="events that happened after the moment of a build made as of one: no refresh sees them"
    )
    refreshed_at: datetime | None = Field(description="when a row was last made anew; null: not since the build")
    problem: str | None = Field(description="what keeps this server from refreshing")


class Health(BaseModel):
    """Ready: a release and features are there. Otherwise the answer is 503."""

    status: Literal["ready"]
    release: str
    since: datetime = Field(description="when the release came into force on this server")
    rules_refused: RulesRefused | None = Field(description="null when the rules folder says what is in force")
    policy_changed: PolicyChanged | None
    people: int
    as_of: datetime = Field(description="of the features of the whole graph, and of everyone not refreshed since")
    computed_at: datetime
    fresh: Freshness


@router.get("/health")
async def get_health(world: InWorld, now: Now, stuck: Stuck) -> Health:
    """Whether eligibility can be answered, from what, and under which rules."""
    lag, refused, amended = await _lag(world.database, now), world.refused, world.amended
    made = lag.made
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
        fresh=Freshness(
            events_behind=lag.events,
            seconds_behind=lag.seconds,
            people_put_off=lag.people,
            events_later=made.later,
            refreshed_at=made.refreshed_at,
            problem=stuck,
        ),
    )


async def _lag(database: Engine, now: datetime) -> refresh.Lag:
    """How far rows are behind. Raises Refused when the database does not say so in time."""
    try:
        async with asyncio.timeout(LONGEST):
            return await HEALTH.run(refresh.lag, connection_of_health(database), now)
    except TimeoutError:
        message, hint = "the database does not answer", "see the server's log"
        raise Refused(message, where="the database", hint=hint, code="not_ready") from None
