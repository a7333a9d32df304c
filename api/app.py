"""The web application: routes, and one shape for every error."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api import problems
from api.access.gate import Gate
from api.background.digester import digesting
from api.background.last_use import noting
from api.background.refresher import refreshing
from api.background.reload import Reload, reloading
from api.background.sender import sending
from api.background.sweeper import sweeping
from api.background.timekeeper import keeping_time
from api.decisions.decider import Decider
from api.described import CONTACT, LICENCE, SERVERS, TAGS, describe, operation_id
from api.limits import BodyLimit
from api.routes import (
    audit,
    callback_keys,
    callbacks,
    casework,
    consents,
    eligibility,
    events,
    health,
    me,
    metrics,
    my_consents,
    my_disputes,
    my_orders,
    my_reviews,
    orders,
    reconciliation,
    services,
    tokens,
)
from api.watched import Watched
from api.world import World

ABOUT = """May this person have this perk without a deposit? Merchants ask with a token; the answer says how much of the
deposit is waived. It holds no score and no reasons: those belong to the person."""


ROUTERS: Final = (
    *(eligibility.router, services.router, callback_keys.router, callbacks.router, consents.router, orders.router),
    *(reconciliation.router, events.router, me.router, my_consents.router, my_orders.router, my_disputes.router),
    *(my_reviews.router, casework.router, tokens.router, audit.router, health.router, metrics.router),
)
# What runs beside the answers while the app serves, each until the end.
WORK: Final = (refreshing, noting, digesting, keeping_time, sending, sweeping)


def create_app(world: World, reload: Reload | None = None, *, works: bool = False, gate: Gate | None = None) -> FastAPI:
    """The application over a database and a release; over what a folder says at any time, as long as it runs. `works`:
    whether what must be done besides answering is done here too. `gate`: who is let in; any token of our own unless given.
    """

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as running:
            if reload:
                running.enter_context(reloading(app, reload))
            for work in WORK if works else ():
                running.enter_context(work(app))
            yield

    # No redirects to an address with or without a slash at its end: they would go to whatever host the caller named.
    app = FastAPIOffline(
        title="Iftah",
        description=ABOUT,
        version="1",
        servers=SERVERS,
        contact=CONTACT,
        license_info=LICENCE,
        openapi_tags=TAGS,
        generate_unique_id_function=operation_id,
        redoc_url=None,
        lifespan=running,
        redirect_slashes=False,
    )
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Watched)  # the last is the outermost
    for router in ROUTERS:
        app.include_router(router, responses=problems.documented())
    app.webhooks.include_router(callbacks.told)
    describe(app)
    return over(app, world, gate)


def over(app: FastAPI, world: World, gate: Gate | None = None) -> FastAPI:
    """The application, over this world from now on."""
    app.state.world = world
    app.state.gate = gate or Gate()
    app.state.decider = Decider(lambda: app.state.world)
    app.state.stuck = None  # why rows are not refreshed, if something is wrong
    return app
