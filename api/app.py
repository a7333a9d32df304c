"""The web application: routes, and one shape for every error."""

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api import problems
from api.actions import World
from api.limits import BodyLimit
from api.routes import eligibility, health

ABOUT = """May this person have this perk without a deposit? Merchants ask with a token; the answer says how much of the
deposit is waived. It holds no score and no reasons: those belong to the person."""


def create_app(world: World) -> FastAPI:
    """The application over a database and a release."""
    app = FastAPIOffline(title="Iftah", description=ABOUT, version="1", redoc_url=None)
    app.state.world = world
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.include_router(eligibility.router)
    app.include_router(health.router)
    return app
