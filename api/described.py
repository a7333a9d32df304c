"""The OpenAPI document, for whoever reads or tries it at `/docs`: routes named by their docstrings, bodies that can be sent as
they stand, one problem for all, and what merchants are sent.
"""

from typing import Any, Final

from fastapi import FastAPI

from api.problems import DETAILS, Problem

_PAID: Final = {"post_payments": [{"name": "two nights", "amount": 40000}]}
# A body to begin from, by the form's name, where the fields' own examples are not enough. Times are of the past.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "ServiceTerms": {"perk": "hotel", "callback": "https://inn.example/hook"},
    "ConsentRequest": {"service": "rooms", "subject": "client-1", "classes": ["identity", "behaviour", "credit"]},
    "OrderForm": {
        **{"out_order_no": "O-20260131-0001", "service": "rooms", "decision_id": "d3ed0123456789abcdef0123456789ab"},
        **{"service_introduction": "two nights", "risk_fund": {"name": "DEPOSIT", "amount": 50000}},
    },
    "CancelForm": {"cancel_reason": "the guest is ill"},
    "CompleteForm": _PAID | {"time_range": {"start_time": "2026-01-29T14:00:00Z", "end_time": "2026-01-31T10:00:00Z"}},
    "ModifyForm": _PAID | {"modify_reason": "breakfast was not served"},
    "SyncForm": {"paid_at": "2026-01-31T10:30:00Z"},
    "DisputeForm": {"statement": "the room was cold"},
    "Given": {"purpose": "perks", "classes": ["identity", "behaviour"], "service": "inn/rooms"},
    "Allowed": {"classes": ["identity", "behaviour"]},
    "Withdrawn": {"purpose": "perks", "service": "inn/rooms"},
    "Objection": {"contributor": "bank-a", "event_id": "missed-17", "statement": "I paid on the first"},
    "Statement": {"statement": "I paid on the first"},
    "ReviewRequest": {"decision_id": "d3ed0123456789abcdef0123456789ab", "statement": "my bill was paid"},
    "Resolution": {"outcome": "upheld", "note": "the bank confirms it"},
    "ReviewAnswer": {"outcome": "stands", "note": "the evidence is as it was"},
    "TokenRequest": {"role": "merchant", "party": "inn", "name": "the front desk", "days": 90},
    "Rotation": {"grace_hours": 24, "days": 90},
}


def describe(app: FastAPI) -> None:
    """Make the document of the app's routes such a one."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            for path in (*document["paths"].values(), *document["webhooks"].values()):
                for operation in path.values():
                    _name(operation)
            schemas = document["components"]["schemas"]
            schemas[DETAILS] = Problem.model_json_schema()
            for name, body in BODIES.items():
                schemas[name]["examples"] = [body]
        return plain()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def _name(operation: dict[str, Any]) -> None:
    """The first sentence in the place of the function's name: what is listed tells itself."""
    first, _, rest = operation.pop("description").partition(". ")
    operation |= {"summary": first.removesuffix(".")} | ({"description": rest} if rest else {})
