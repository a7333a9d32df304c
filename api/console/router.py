"""All pages."""

from typing import Final

from api.console import callers, evidence, monitor, rule_drafts, rule_moves, rule_trying, rules, sign_in

ROUTERS: Final = (
    sign_in.router,
    rules.router,
    rule_drafts.router,
    rule_trying.router,
    rule_moves.router,
    monitor.router,
    evidence.router,
    callers.router,
)
