"""The web application: its routes, its middleware, its background jobs, and one shape for every error."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api.console.router import ROUTERS as PAGE_ROUTERS
from api.http import problems
from api.http.body_limits import BodyLimit
from api.http.decider import Decider
from api.http.direct_eligibility import install_direct_way
from api.http.gate import Gate
from api.http.openapi import CONTACT, LICENCE, SERVERS, TAGS, describe, operation_id
from api.http.request_log import RequestLog
from api.http.routes import (
    audit,
    callback_keys,
    callbacks,
    callers,
    casework,
    chain,
    change_records,
    consents,
    decision_explanations,
    demo,
    eligibility,
    events,
    evidence_overview,
    features,
    health,
    keys,
    me,
    metrics,
    monitor,
    my_consents,
    my_disputes,
    my_looks,
    my_orders,
    my_perks,
    my_reviews,
    orders,
    people,
    perks,
    proposals,
    reconciliation,
    releases,
    rule_drafts,
    rules,
    sandbox,
    services,
    today,
    tokens,
)
from api.jobs.break_glass_alarm import warning_of_break_glass
from api.jobs.daily_sums import adding_daily_sums
from api.jobs.day_digests import making_digests
from api.jobs.election import elected
from api.jobs.last_use import recording_last_uses
from api.jobs.order_clock import ticking_orders
from api.jobs.proposal_checker import checking_proposals
from api.jobs.refresher import refreshing
from api.jobs.release_follower import following
from api.jobs.release_reports import reporting_releases
from api.jobs.reload import ReloadOptions, reloading
from api.jobs.sender import sending
from api.jobs.vacuum import vacuuming
from api.jobs.watermarks import GetMarks, watching
from api.runtime.context import AppContext

DESCRIPTION = """May this person have this perk without a deposit? A merchant asks with a token. The answer holds how much of the
deposit we waive, without score and reasons: those belong to the person."""


ROUTERS: Final = (
    eligibility.router,
    perks.router,
    services.router,
    sandbox.router,
    callback_keys.router,
    callbacks.router,
    consents.router,
    orders.router,
    reconciliation.router,
    events.router,
    me.router,
    my_consents.router,
    my_orders.router,
    my_perks.router,
    my_disputes.router,
    my_reviews.router,
    my_looks.router,
    casework.router,
    people.router,
    features.router,
    proposals.router,
    change_records.router,
    releases.router,
    rules.router,
    rule_drafts.router,
    keys.router,
    tokens.router,
    today.router,
    monitor.router,
    evidence_overview.router,
    callers.router,
    audit.router,
    decision_explanations.router,
    chain.router,
    health.router,
    demo.router,
    metrics.router,
)
# Background work of the one process that is elected to it. `refreshing` reports back, so we start it separately.
JOBS: Final = (making_digests, adding_daily_sums, vacuuming, warning_of_break_glass, reporting_releases)
MARKED_JOBS: Final = (
    sending,
    ticking_orders,
    checking_proposals,
)  # those that look only when a watermark says that there may be work


def create_app(
    context: AppContext, reload: ReloadOptions | None = None, *, background: bool = False, gate: Gate | None = None
) -> FastAPI:
    """The application for a context, which holds the database and the release.

    With `reload` it follows a rules folder. With `background` it also runs the background jobs. `gate` admits callers; the default
    admits every token that we issued.
    """
    # No redirects that add or remove a final slash: they would go to the host that the caller named.
    app = FastAPIOffline(
        title="Iftah",
        description=DESCRIPTION,
        version="1",
        servers=SERVERS,
        contact=CONTACT,
        license_info=LICENCE,
        openapi_tags=TAGS,
        generate_unique_id_function=operation_id,
        redoc_url=None,
        lifespan=_lifespan(reload, background),
        redirect_slashes=False,
    )
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestLog)  # the last is the outermost
    install_direct_way(app)
    for router in ROUTERS:
        app.include_router(router, responses=problems.error_responses())
    for router in PAGE_ROUTERS:
        app.include_router(router)
    app.webhooks.include_router(callbacks.webhooks)
    describe(app)
    return attach_context(app, context, gate)


def _lifespan(reload: ReloadOptions | None, background: bool) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Run the background jobs from start to end of the app."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        def in_force() -> AppContext:
            context: AppContext = app.state.context
            return context

        with ExitStack() as stack:
            if background:
                marks = stack.enter_context(watching(in_force))
                stack.enter_context(following(in_force, partial(setattr, app.state, "context"), marks))
            if reload:
                stack.enter_context(reloading(in_force, partial(setattr, app.state, "context"), reload))
            if background:
                stack.enter_context(recording_last_uses(in_force))
                report = partial(setattr, app.state, "refresh_problem")
                work = partial(_background_work, in_force, report, marks)
                stack.enter_context(elected(in_force().database, work))
            yield

    return lifespan


@contextmanager
def _background_work(
    context: Callable[[], AppContext], report: Callable[[str | None], None], marks: GetMarks
) -> Iterator[None]:
    """The work that one process does for all that serve the database."""
    with ExitStack() as stack:
        stack.callback(report, None)
        stack.enter_context(refreshing(context, report, marks))
        for job in JOBS:
            stack.enter_context(job(context))
        for marked_job in MARKED_JOBS:
            stack.enter_context(marked_job(context, marks))
        yield


def attach_context(app: FastAPI, context: AppContext, gate: Gate | None = None) -> FastAPI:
    """Set the context of the application, and return the application."""
    app.state.context = context
    app.state.gate = gate or Gate()
    app.state.decider = Decider(lambda: app.state.context)
    app.state.refresh_problem = None  # the problem that keeps us from refreshing rows
    return app
