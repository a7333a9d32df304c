"""All pages."""

from typing import Final

from api.console import (
    ask,
    callbacks,
    integration,
    merchant_orders,
    my_consents,
    my_evidence,
    my_inquiries,
    my_leave,
    my_orders,
    my_score,
    reconciliation,
    sandbox,
    services,
    sign_in,
)

_OF_EVERYONE: Final = (sign_in.router,)
_OF_PEOPLE: Final = (
    my_score.router,
    my_inquiries.router,
    my_consents.router,
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
ROUTERS: Final = (*_OF_EVERYONE, *_OF_PEOPLE, *_OF_MERCHANTS)
