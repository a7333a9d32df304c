"""The routes for monitoring: whether the process lives, and whether the server can answer.

Liveness needs the event loop alone. Readiness has a thread and a database connection of its own, so it answers while
everything else waits.
"""

import asyncio
from datetime import datetime
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.features import refresh
from api.http.dependencies import ContextDep, Now, RefreshProblemDep
from api.http.lanes import HEALTH, LanedRoute
from api.http.routes.release_status import ReleaseStatus, followed_state
from api.runtime.context import AppContext
from api.store.database import health_database
from engine.errors import Rejected

router = APIRouter(prefix="/v1", tags=["operation"], route_class=LanedRoute)

TIMEOUT_SECONDS: Final = 3.0  # until any answer
MAX_PROBLEMS: Final = 5  # of a rejected rules folder


class Liveness(BaseModel):
    """The process answers. Restart it when it does not; an answer of 503 from `/v1/health` is no reason to."""

    status: Literal["alive"]


class RulesRefusal(BaseModel):
    """A changed rules folder that we rejected. The release before it stays in force."""

    at: datetime
    problems: int = Field(description="the number of problems")
    first: list[str] = Field(description="the first problems, as `iftah check` shows them")


class PolicyChange(BaseModel):
    """The last change of policy.yaml that came into force on this server."""

    at: datetime
    changes: list[str]


class Freshness(BaseModel):
    """How far rows and scores lag behind the ledger. The features of the whole graph are as of the build."""

    events_behind: int = Field(description="events that no row takes into account yet")
    seconds_behind: float = Field(description="since the oldest of these events was recorded; 0: there is none")
    people_put_off: int = Field(description="people whose refresh is deferred: one of many, or with many events")
    events_later: int = Field(description="events after the fixed `as_of` of a build: no refresh sees them")
    refreshed_at: datetime | None = Field(description="when a row was last refreshed; null: not since the build")
    problem: str | None = Field(description="the problem that keeps this server from refreshing")


class Health(BaseModel):
    """Ready: the server has a release and features. Otherwise we answer 503."""

    status: Literal["ready"]
    release: str
    since: datetime = Field(description="when the release came into force on this server")
    rules_refused: RulesRefusal | None = Field(description="null: the rules folder equals the release in force")
    policy_changed: PolicyChange | None
    people: int
    as_of: datetime = Field(
        description="of the features of the whole graph, and of each person without a refresh since"
    )
    computed_at: datetime
    fresh: Freshness
    releases: ReleaseStatus


@router.get("/health/live")
async def get_liveness() -> Liveness:
    """Whether the process answers at all: before the first build too, and while the database is away."""
    return Liveness(status="alive")


@router.get("/health")
async def get_health(context: ContextDep, now: Now, refresh_problem: RefreshProblemDep) -> Health:
    """Read whether the server can answer, from which build, and under which rules."""
    lag, releases = await _readings(context, now)
    rejection, amendment, build = context.rejection, context.amendment, lag.build
    return Health(
        status="ready",
        release=context.release.id,
        since=context.since,
        rules_refused=rejection
        and RulesRefusal(
            at=rejection.at, problems=len(rejection.problems), first=list(rejection.problems[:MAX_PROBLEMS])
        ),
        policy_changed=amendment and PolicyChange(at=amendment.at, changes=list(amendment.changes)),
        people=build.people,
        as_of=build.as_of,
        computed_at=build.computed_at,
        fresh=Freshness(
            events_behind=lag.events,
            seconds_behind=lag.seconds,
            people_put_off=lag.people,
            events_later=build.future_events,
            refreshed_at=build.refreshed_at,
            problem=refresh_problem,
        ),
        releases=releases,
    )


async def _readings(context: AppContext, now: datetime) -> tuple[refresh.Lag, ReleaseStatus]:
    """The lag of rows behind the ledger, and the status of the releases. Raises Rejected if the database does not answer in time."""
    database = health_database(context.database)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await HEALTH.run(
                lambda: (refresh.lag(database, now), ReleaseStatus.of(followed_state(context, database)))
            )
    except TimeoutError:
        message, hint = "the database does not answer", "see the server's log"
        raise Rejected(message, where="the database", hint=hint, code="not_ready") from None
