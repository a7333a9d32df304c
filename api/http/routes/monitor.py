"""Routes for the monitor: answers, outcomes and latencies of a window, and the drift of the population. They name nobody."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.http import metrics
from api.http.dependencies import ContextDep, Now, caller_as
from api.http.lanes import LanedRoute
from api.http.metrics import RouteLatency
from api.http.problems import error_responses
from api.orders import messages
from api.orders.messages import OutboxCounts
from api.settings.settings import settings
from api.store.database import reading
from api.supervision import drift, monitor
from api.supervision.drift import PopulationDrift
from api.supervision.monitor import AnswerSeries, BandOutcomes
from engine.errors import Rejected

MAX_DAYS: Final = 366
MAX_ROUTES: Final = 20  # with latencies

router = APIRouter(
    prefix="/v1/monitor",
    tags=["operators"],
    route_class=LanedRoute,
    dependencies=[Depends(caller_as("operator", "approver", "supervisor"))],
)
Days = Annotated[int, Query(ge=1, le=MAX_DAYS, description="of the window, up to today")]


class MonitorFigures(BaseModel):
    """What happened in a window of days, and how the server does now."""

    made_at: datetime
    smallest_group: int = Field(description="orders of the smallest band that we show")
    answers: AnswerSeries
    outcomes: BandOutcomes
    callbacks: OutboxCounts
    latencies: list[RouteLatency] = Field(description="since the server started, of the routes that were asked most")


class PopulationFigures(BaseModel):
    """How far the population has moved: PSI of the score, CSI of each characteristic."""

    smallest_group: int = Field(description="people of the smallest bin that we show")
    drift: PopulationDrift


@router.get("")
def get_monitor(context: ContextDep, now: Now, days: Days = 30) -> MonitorFigures:
    """Read the answers by outcome and perk of the last days, overdue orders by band with their calibration, callbacks and latencies."""
    smallest, program = settings().report_smallest_group, context.release.at(context.day(now))
    with reading(context.database) as connection:
        figures = monitor.figures(connection, program, days, now, smallest)
        outbox = messages.count_outbox(connection, now)
    return MonitorFigures(
        made_at=now,
        smallest_group=smallest,
        answers=figures.answers,
        outcomes=figures.outcomes,
        callbacks=outbox,
        latencies=metrics.latencies()[:MAX_ROUTES],
    )


@router.get("/population", responses=error_responses("not_ready"))
def get_population(
    context: ContextDep,
    now: Now,
    days: Annotated[
        int, Query(ge=0, le=3660, description="the age of the build to compare with, if there is one as old")
    ] = 90,
) -> PopulationFigures:
    """Compare the people of the newest build with those of an earlier one, by the bins of the scorecard in force."""
    smallest, program = settings().report_smallest_group, context.release.at(context.day(now))
    with reading(context.database) as connection:
        population = drift.population_drift(connection, program, smallest, timedelta(days=days))
    if population is None:
        message, hint = "no build was counted yet", "run `iftah build`"
        raise Rejected(message, where="monitor", hint=hint, code="not_ready")
    return PopulationFigures(smallest_group=smallest, drift=population)
