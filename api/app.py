"""The web application: routes, and one shape for every error."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api import problems
from api.actions import World
from api.limits import BodyLimit
from api.refresher import refreshing
from api.reload import Reload, reloading
from api.routes import eligibility, health

ABOUT = """May this person have this perk without a deposit? Merchants ask with a token; the answer says how much of the
deposit is waived. It holds no score and no reasons: those belong to the person."""


def create_app(world: World, reload: Reload | None = None, *, refresh: bool = False) -> FastAPI:
    """The application over a database and a release; over what a folder says at any time, as long as it runs. `refresh`:
    whether it keeps rows and scores up with the ledger.
    """

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        with reloading(app, reload) if reload else nullcontext(), refreshing(app) if refresh else nullcontext():
            yield

    app = FastAPIOffline(title="Iftah", description=ABOUT, version="1", redoc_url=None, lifespan=running)
    app.state.world = world
    app.state.stuck = None  # why rows are not refreshed, if something is wrong
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.include_router(eligibility.router)
    app.include_router(health.router)
    return app
