"""A merchant and a person, through the client that openapi-python-client generates. Prints the results as JSON.

It runs in an environment of its own, with the generated client on its path: `python drive.py` with a JSON object on stdin.
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
    CompleteForm,
    ConsentForm,
    ConsentGrantForm,
    ConsentWithdrawalForm,
    DataClass,
    EligibilityRequest,
    EligibilityRequestContext,
    FundName,
    OrderForm,
    PaymentForm,
    ProblemDetails,
    RiskFund,
    ServiceTimes,
)

CLASSES = list(DataClass)


def drive(url: str, merchant_token: str, person_token: str, person: str, perk: str) -> dict[str, Any]:
    merchant = AuthenticatedClient(base_url=url, token=merchant_token, timeout=30)
    me = AuthenticatedClient(base_url=url, token=person_token, timeout=30)

    def ask(transaction_id: str, amount: int = 50_000) -> Any:
        context = EligibilityRequestContext.from_dict({"nights": 2})
        body = EligibilityRequest(transaction_id, perk, person, amount, context)
        return ask_eligibility.sync(client=merchant, body=body)

    withdraw_consent.sync(client=me, body=ConsentWithdrawalForm("perks", service=f"inn/{perk}"))
    problem = ask("py-1")
    request = ask_consent.sync(client=merchant, body=ConsentForm(perk, person, CLASSES))
    grant = grant_consent.sync(request.id, client=me, body=ConsentGrantForm(CLASSES, warned=True))
    consent_request = get_consent_request.sync(request.id, client=merchant)
    decision = ask("py-2")
    form = OrderForm("py-order", perk, decision.decision_id, "a room", RiskFund(50_000, FundName.DEPOSIT))
    order = create_order.sync(client=merchant, body=form)
    confirmed_order = confirm_my_order.sync(order.order_id, client=me)
    now = datetime.now(UTC).replace(microsecond=0)
    service_times = ServiceTimes(now - timedelta(hours=1), now - timedelta(seconds=1))
    completed_order = complete_order.sync(
        "py-order", client=merchant, body=CompleteForm([PaymentForm("room", 40_000)], service_times)
    )
    pay_order.sync("py-order", client=merchant)
    stored_order = get_order.sync("py-order", client=merchant)
    order_list = list_orders.sync(client=merchant, limit=1)
    errors = [
        problem,
        ask("py-3", amount=-1),
        get_order.sync("no-such-order", client=merchant),
        get_order.sync("py-order", client=AuthenticatedClient(base_url=url, token="none")),
    ]
    assert all(isinstance(error, ProblemDetails) for error in errors), errors
    return {
        "consent": [request.state, grant.state, consent_request.state, len(consent_request.granted)],
        "eligibility": [decision.outcome, decision.waived_amount, decision.valid_until > now],
        "order": [
            order.state,
            confirmed_order.state,
            completed_order.state,
            completed_order.total_amount,
            stored_order.state,
        ],
        "listed": [item.out_order_no for item in order_list.items],
        "errors": [[error.status, error.code, bool(error.detail)] for error in errors],
    }


json.dump(drive(**json.load(sys.stdin)), sys.stdout)
