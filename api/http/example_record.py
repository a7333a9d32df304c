"""The example of a decision's record for the OpenAPI document."""

from typing import Final

from api.http.examples import CREATED_AT, DECISION, HASH, RELEASE

_ANSWER: Final = {"outcome": "ADMIT", "waived": 50000, "deposit": 0, "tier": "whole", "because": []}
RECORD: Final = {
    "id": DECISION,
    "merchant": "inn",
    "transaction_id": "T-20260131-0001",
    "service": "rooms",
    "subject": "client-1",
    "context": {"nights": 2},
    "decided_at": CREATED_AT,
    "valid_until": "2026-02-01T09:30:00Z",
    "order_moves": HASH,
    "decision": {
        "version": 5,
        "release": RELEASE,
        "question": {
            "subject": "client-1",
            "perk": "hotel",
            "amount": 50000,
            "currency": "CNY",
            "as_of": CREATED_AT,
            "known_at": CREATED_AT,
            "asked_at": CREATED_AT,
            "purpose": "perks",
            "values": {"credit.kept": 9, "identity.level": 2},
            "context": {"nights": 2},
            "global_as_of": CREATED_AT,
            "global_known_at": CREATED_AT,
            "used": [
                {
                    "perk": "bicycle",
                    "currency": "CNY",
                    "waived": 20000,
                    "at": "2026-01-30T09:30:00Z",
                    "open": True,
                },
            ],
            "held_since": None,
            "timezone": "Asia/Shanghai",
            "in_service": 1,
            "unpaid": 0,
            "overdue": 0,
        },
        "scored": {
            "score": 731,
            "alone": 719,
            "band": "good",
            "parts": [
                {
                    "id": "kept",
                    "dimension": "credit",
                    "status": True,
                    "bin": 2,
                    "points": 30,
                    "baseline": 45,
                    "reason": "missed_payments",
                },
            ],
            "reasons": ["missed_payments"],
        },
        "statuses": {"whole": True},
        "unknown": {},
        "answer": _ANSWER,
        "alone": _ANSWER,
        "reasons": [],
        "held_since": None,
        "valid_hours": 24,
        "same_without_relationships": True,
    },
}
