"""All pages."""

from typing import Final

from api.console import (
    callers,
    cases,
    decisions,
    evidence,
    features,
    monitor,
    people,
    release_steps,
    releases,
    sign_in,
    supervision,
    today,
)

ROUTERS: Final = (
    *(sign_in.router, today.router, releases.router, release_steps.router, cases.router),
    *(people.router, decisions.router, features.router),
    *(monitor.router, evidence.router, callers.router),
    supervision.router,
)
