"""A merchant and a person, through the client that openapi-python-client makes: prints what happened, as JSON.

Runs in an environment of its own, with the made client on its path: `python drive.py` with a JSON object on stdin.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from iftah_client import AuthenticatedClient
from iftah_client.api.merchants import ask_consent, ask_eligibility, get_consent_request
from iftah_client.api.orders import complete_order, create_order, get_order, list_orders, pay_order
from iftah_client.api.people import confirm_my_order, grant_consent, withdraw_consent
from iftah_client.models import (
    Allowed,
    CompleteForm,
    ConsentRequest,
    DataClass,
    EligibilityRequest,
    EligibilityRequestContext,
    FundName,
    OrderForm,
    Payment,
    ProblemDetails,
    RiskFund,
    TimesTaken,
    Withdrawn,
)

CLASSES = list(DataClass)


def drive(url: str, merchant_token: str, person_token: str, person: str, perk: str) -> dict[str, Any]:
    merchant = AuthenticatedClient(base_url=url, token=merchant_token, timeout=30)
    me = AuthenticatedClient(base_url=url, token=person_token, timeout=30)

    def asked(number: str, amount: int = 50_000) -> Any:
        context = EligibilityRequestContext.from_dict({"nights": 2})
        body = EligibilityRequest(number, perk, person, amount, context)
        return ask_eligibility.sync(client=merchant, body=body)

    withdraw_consent.sync(client=me, body=Withdrawn("perks", service=f"inn/{perk}"))
    refused = asked("py-1")
    request = ask_consent.sync(client=merchant, body=ConsentRequest(perk, person, CLASSES))
    answered = grant_consent.sync(request.id, client=me, body=Allowed(CLASSES, warned=True))
    granted = get_consent_request.sync(request.id, client=merchant)
    decision = asked("py-2")
    form = OrderForm("py-order", perk, decision.decision_id, "a room", RiskFund(50_000, FundName.DEPOSIT))
    order = create_order.sync(client=merchant, body=form)
    confirmed = confirm_my_order.sync(order.order_id, client=me)
    now = datetime.now(UTC).replace(microsecond=0)
    taken = TimesTaken(now - timedelta(hours=1), now - timedelta(seconds=1))
    ended = complete_order.sync("py-order", client=merchant, body=CompleteForm([Payment("room", 40_000)], taken))
    pay_order.sync("py-order", client=merchant)
    shown = get_order.sync("py-order", client=merchant)
    listed = list_orders.sync(client=merchant, limit=1)
    errors = [
        refused,
        asked("py-3", amount=-1),
        get_order.sync("no-such-order", client=merchant),
        get_order.sync("py-order", client=AuthenticatedClient(base_url=url, token="none")),
    ]
    assert all(isinstance(error, ProblemDetails) for error in errors), errors
    return {
        "consent": [request.state, answered.state, granted.state, len(granted.granted)],
        "eligibility": [decision.outcome, decision.waived_amount, decision.valid_until > now],
        "order": [order.state, confirmed.state, ended.state, ended.total_amount, shown.state],
        "listed": [one.out_order_no for one in listed.items],
        "errors": [[error.status, error.code, bool(error.detail)] for error in errors],
    }


json.dump(drive(**json.load(sys.stdin)), sys.stdout)
