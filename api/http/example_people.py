"""Examples of looks at people, of networks, explanations and features, for the OpenAPI document."""

from typing import Any, Final

from api.http.examples import CREATED_AT, DECISION, HASH, RELEASE

LOOK: Final = {
    "number": 7,
    "at": CREATED_AT,
    "until": "2026-01-31T09:45:00Z",
    "role": "operator",
    "party": "mei",
    "kind": "dispute",
    "purpose": "answers the objection to missed-17",
    "part": "person",
    "decision": None,
}
OPEN_LOOK: Final = LOOK | {"id": "100c" * 8, "person": "client-1"}
CHARACTERISTIC: Final = {
    "id": "kept",
    "dimension": "credit",
    "feature": "credit.kept",
    "about": "Number of promises kept.",
    "value": "9",
    "status": True,
    "points": 18,
    "best": 35,
    "missing_points": 0,
    "bins": [
        {"low": None, "high": "12", "points": 18, "has_value": True},
        {"low": "12", "high": None, "points": 35, "has_value": False},
    ],
    "raise_to": 1,
    "gain": 17,
    "can_change": True,
    "reason_code": "few_promises_kept",
    "reason": "Few promises were kept",
    "comparisons": [{"text": "credit.kept < 12", "status": True, "value": "9", "distance": "+3"}],
}
_NODES: Final = [
    {"name": "client-1", "steps": 0, "kind": "person", "trust": 120},
    {"name": "client-2", "steps": 1, "kind": "person", "trust": None},
]
_NOTHING_OMITTED: Final = {"people": 0, "merchants": 0, "edges": 0}
_RULE: Final = {
    "id": "hotel.700",
    "kind": "tier",
    "status": True,
    "decides": True,
    "comparisons": [{"text": "score >= 700", "status": True, "value": "731", "distance": "-32"}],
    "unknown": [],
    "file": "perks.yaml",
    "line": 39,
}
_LINE: Final = "      - {id: hotel.700, when: score >= 700, waive: {up_to: 5000 CNY}}"
_DISTRIBUTION: Final = {
    "build": 3,
    "as_of": CREATED_AT,
    "people": 2000,
    "share_missing": 0.12,
    "bins": [
        {"low": None, "high": "12", "word": None, "people": 900},
        {"low": "12", "high": None, "word": None, "people": 860},
    ],
    "drift": {"index": 0.004, "verdict": "stable", "by_chance": 0.001, "since": CREATED_AT},
}
ANSWERS: Final[dict[str, Any]] = {
    "MyFeatures": {
        "items": [
            {
                "feature": "behaviour.payments",
                "about": "Number of payments made.",
                "value": "12",
                "unit": "payments",
                "as_of": CREATED_AT,
                "window": "24 months",
                "data_classes": ["behaviour"],
                "made_of": ["The subject paid the other party"],
            }
        ],
        "next": None,
    },
    "OpenLook": OPEN_LOOK,
    "FoundPeople": {"items": [{"person": "client-1"}], "next": None},
    "MyLooks": {"items": [LOOK], "next": None},
    "AuditedLooks": {"items": [LOOK | {"person": "client-1"}], "next": None},
    "NetworkView": {
        "person": "client-1",
        "steps": 1,
        "as_of": CREATED_AT,
        "purpose": "perks",
        "ties": {
            "nodes": _NODES,
            "ties": [{"a": 0, "b": 1, "kinds": ["friend"], "strength": 5}],
            "omitted": _NOTHING_OMITTED,
            "drawing": "<svg/>",
        },
        "money": {
            "nodes": _NODES,
            "payments": [{"payer": 0, "payee": 1, "currency": "CNY", "amount": 50000, "count": 2}],
            "omitted": _NOTHING_OMITTED,
            "drawing": "<svg/>",
        },
    },
    "ExplainedDecision": {
        "decision_id": DECISION,
        "release": RELEASE,
        "perk": "hotel",
        "outcome": "ADMIT",
        "score": 731,
        "band": "good",
        "score_without_relationships": 719,
        "outcome_without_relationships": "ADMIT",
        "reasons": [{"code": "missed_payments", "text": "Payments were missed"}],
        "lacks": [],
        "rules": [_RULE],
        "file": "perks.yaml",
        "lines": [{"number": 39, "text": _LINE, "decides": True}],
        "points": [
            {
                **{"id": "kept", "dimension": "credit", "feature": "credit.kept", "value": "9"},
                **{"status": True, "points": 18, "best": 35},
            }
        ],
        "values": [{"feature": "credit.kept", "about": "Number of promises kept.", "value": "9"}],
    },
    "ChainCheck": {
        "decisions": 160,
        "erased": 2,
        "digests": 31,
        "head": HASH,
        "intact": True,
        "first_break": None,
    },
    "CatalogueFeatures": {
        "items": [
            {
                "feature": "credit.kept",
                "dimension": "credit",
                "about": "Number of promises kept.",
                "type": "int",
                "unit": "obligations",
                "low": "0",
                "high": "1000000000",
                "direction": "higher is better",
                "data_classes": ["credit"],
                "window": "24 months",
                "missing": "Missing without consent to credit evidence; otherwise 0 if there is no evidence.",
                "scope": "local",
                "effort": 3,
                "definition": "  - id: credit.kept\n    of: obligation.paid\n    measure: count",
                "formula": "",
                "reference": "",
                "uses": [{"place": "characteristic", "id": "kept", "perk": None}],
                "distribution": _DISTRIBUTION,
            }
        ],
        "next": None,
    },
}


def records(score: Any, change: Any, consents: Any, dispute: Any, review: Any) -> dict[str, Any]:
    """The example of a person under a look, from the examples of its parts."""
    answer = {
        "person": "client-1",
        "look": OPEN_LOOK,
        "score": score,
        "problem": None,
        "characteristics": [CHARACTERISTIC],
        "consents": consents,
        "history": [change],
        "orders": [],
        "consent_requests": [],
        "disputes": [dispute],
        "reviews": [review],
        "looks": [LOOK],
    }
    return {"PersonRecords": answer}
