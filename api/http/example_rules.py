"""Examples of writing rules for the OpenAPI document: `mei` writes a draft that keeps late guests from a room without a deposit."""

from typing import Any, Final

from api.http.example_proposals import SWAP
from api.http.examples import CREATED_AT, RELEASE

_FILES: Final = {"perks.yaml": "kind: perks\n..."}
_PLACE: Final = {"file": "perks.yaml", "line": 14, "column": 9, "length": 12}
_DRAFT: Final = {
    "id": 3,
    "owner": "mei",
    "name": "late guests",
    "version": 4,
    "base": RELEASE,
    "created_at": CREATED_AT,
    "saved_at": CREATED_AT,
    "saved_by": "mei",
}
_DISTRIBUTION: Final = {
    "people": 2000,
    "missing": 120,
    "quantiles": ["0", "0", "0", "1", "7"],
    "shares": [],
}
_LINES: Final = ["Number of orders of which the last payment was late"]
BODIES: Final[dict[str, dict[str, Any]]] = {
    "FilesForm": {"draft": 3, "files": _FILES},
    "CheckForm": {"draft": 3, "files": _FILES, "cases": ["perks.cases.yaml"]},
    "PlaceForm": {"draft": 3, "files": _FILES, "file": "perks.yaml", "line": 14, "column": 27},
    "AssessmentForm": {"draft": 3, "values": {"identity.level": "2", "credit.orders_late": "3"}},
    "DraftForm": {"name": "late guests"},
    "DraftChange": {"version": 4, "files": _FILES},
    "DraftPresence": {"editor": "5c1d0e9f2a3b4c5d"},
}
ANSWERS: Final[dict[str, Any]] = {
    "RulesInForce": {"release": RELEASE, "files": _FILES},
    "RuleCheck": {
        "release": None,
        "problems": [
            {
                "at": _PLACE,
                "severity": "error",
                "code": "R101",
                "message": "unknown name `credit.orders_lat`",
                "hint": "did you mean `credit.orders_late`?",
            }
        ],
        "cases": None,
    },
    "RuleCompletion": {
        "line": 14,
        "column": 20,
        "options": [
            {
                "label": "credit.orders_late",
                "apply": "credit.orders_late",
                "kind": "name",
                "detail": "int, 0 to 1000000000",
                "lines": _LINES,
                "boost": 0,
                "distribution": _DISTRIBUTION,
            }
        ],
    },
    "RuleExplanationAnswer": {
        "line": 14,
        "column": 20,
        "length": 18,
        "word": "credit.orders_late",
        "lines": _LINES,
        "distribution": _DISTRIBUTION,
    },
    "RuleAssessment": {
        "as_of": CREATED_AT,
        "score": 655,
        "band": "excellent",
        "reasons": [{"code": "orders_late", "text": "Recent orders were paid late."}],
        "base": 480,
        "perks": [
            {
                "perk": "hotel",
                "currency": "CNY",
                "amount": 50000,
                "outcome": "DECLINE",
                "waived": 0,
                "deposit": 50000,
                "tier": None,
                "because": ["orders_late"],
            }
        ],
        "lines": [
            {
                "id": "hotel.late",
                "sort": "knockout",
                "part": "hotel",
                "met": True,
                "points": None,
                "value": "",
                "at": _PLACE,
                "met_at": _PLACE,
                "comparisons": [{"text": "credit.orders_late >= 2", "met": True, "value": "3", "distance": "-2"}],
                "unknown": [],
            }
        ],
        "values": [{"name": "credit.orders_late", "type": "int", "value": "3"}],
        "missing": [],
    },
    "RuleMeasurement": {"swap": SWAP, "needs_build": []},
    "Drafts": {"items": [_DRAFT], "next": None},
    "DraftSummary": _DRAFT,
    "DraftAnswer": _DRAFT | {"files": _FILES},
    "DraftPresenceAnswer": {
        "version": 4,
        "saved_at": CREATED_AT,
        "saved_by": "mei",
        "editors": [{"party": "tom", "is_you": False, "seen_at": CREATED_AT}],
    },
}
