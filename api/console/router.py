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
    releases,
    sign_in,
    supervision,
    today,
)

ROUTERS: Final = (
    *(sign_in.router, today.router, releases.router, cases.router),
    *(people.router, decisions.router, features.router),
    *(monitor.router, evidence.router, callers.router),
    supervision.router,
)
