"""All pages."""

from typing import Final

from api.console import (
    ask,
    callbacks,
    callers,
    cases,
    decisions,
    evidence,
    features,
    integration,
    merchant_orders,
    monitor,
    my_consents,
    my_evidence,
    my_groups,
    my_inquiries,
    my_leave,
    my_orders,
    my_score,
    network,
    people,
    reconciliation,
    release_steps,
    releases,
    rule_drafts,
    rule_moves,
    rule_trying,
    rules,
    sandbox,
    services,
    sign_in,
    supervision,
    today,
)

_OF_EVERYONE: Final = (sign_in.router,)
_OF_OPERATORS: Final = (
    today.router,
    releases.router,
    release_steps.router,
    cases.router,
    rules.router,
    rule_drafts.router,
    rule_trying.router,
    rule_moves.router,
    people.router,
    network.router,
    decisions.router,
    features.router,
    monitor.router,
    evidence.router,
    callers.router,
)
_OF_PEOPLE: Final = (
    my_score.router,
    my_inquiries.router,
    my_consents.router,
    my_groups.router,
    my_evidence.router,
    my_orders.router,
    my_leave.router,
)
_OF_MERCHANTS: Final = (
    ask.router,
    merchant_orders.router,
    services.router,
    callbacks.router,
    reconciliation.router,
    integration.router,
    sandbox.router,
)
_OF_SUPERVISORS: Final = (supervision.router,)
ROUTERS: Final = (*_OF_EVERYONE, *_OF_OPERATORS, *_OF_PEOPLE, *_OF_MERCHANTS, *_OF_SUPERVISORS)
