"""All pages."""

from typing import Final

from api.console import callers, decisions, evidence, features, monitor, people, sign_in, supervision

ROUTERS: Final = (
    sign_in.router,
    people.router,
    decisions.router,
    features.router,
    monitor.router,
    evidence.router,
    callers.router,
    supervision.router,
)
