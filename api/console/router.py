"""All pages."""

from typing import Final

from api.console import (
    callers,
    decisions,
    evidence,
    features,
    monitor,
    people,
    rule_drafts,
    rule_moves,
    rule_trying,
    rules,
    sign_in,
    supervision,
)

ROUTERS: Final = (
    sign_in.router,
    rules.router,
    rule_drafts.router,
    rule_trying.router,
    rule_moves.router,
    people.router,
    decisions.router,
    features.router,
    monitor.router,
    evidence.router,
    callers.router,
    supervision.router,
)
