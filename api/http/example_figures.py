"""Example answers of the operator's figures for the OpenAPI document."""

from typing import Any, Final

from api.http.examples import CREATED_AT, DUE_AT, HASH, RELEASE

_OUTCOMES: Final = {"ADMIT": 14, "PARTIAL": 3, "DECLINE": 2, "UNSCORABLE": 1, "REFUSED": 0}
_ANSWERS: Final = {
    "first": "2026-01-31",
    "last": "2026-01-31",
    "step_days": 1,
    "days": [{"day": "2026-01-31", "outcomes": _OUTCOMES}],
    "perks": [{"perk": "hotel", "outcomes": _OUTCOMES, "admit_rate": 0.7, "admit_rates": [0.7]}],
    "behind": 0,
}
_BAND: Final = {
    "band": "good",
    "count": 200,
    "bad": 8,
    "rate": 0.04,
    "low": 0.0204,
    "high": 0.0769,
    "expected": 0.05,
    "as_expected": True,
}
_SHIFT: Final = {"index": 0.012, "verdict": "stable", "by_chance": 0.003, "points": -0.4}
_SCORE_SHIFT: Final = _SHIFT | {"points": None}
_BIN: Final = {"name": "< 1", "people": 400, "reference_people": 410, "points": 0}
_SCORE: Final = {
    "name": "score",
    "feature": None,
    "bins": [_BIN | {"name": "600", "points": None}],
    "shift": _SCORE_SHIFT,
    "bins_changed": False,
}
_CONTRIBUTOR: Final = {
    "contributor": "bank-a",
    "events": 1200,
    "last_happened_at": CREATED_AT,
    "last_recorded_at": CREATED_AT,
    "stale": False,
    "kinds": [{"kind": "payment.made", "events": 1200, "last_happened_at": CREATED_AT, "last_recorded_at": CREATED_AT}],
}
_BUILD: Final = {"id": 12, "computed_at": CREATED_AT, "release": RELEASE, "people": 2000}
_CASES: Final = {"waiting": 1, "overdue": 0, "first": [{"id": "ab12" * 4, "due_at": DUE_AT}]}
BODIES: Final[dict[str, dict[str, Any]]] = {
    "UploadForm": {"name": "orders.csv", "content": "aWQsY3VzdG9tZXIK", "map": "kind: map"},
    "ImportForm": {"name": "orders.csv", "content": "aWQsY3VzdG9tZXIK", "map": "kind: map", "receipt": HASH},
}


_MONITOR: Final = {
    "made_at": CREATED_AT,
    "smallest_group": 20,
    "answers": _ANSWERS,
    "outcomes": {
        "calibration": {"bands": [_BAND], "out_of_order": [], "statistic": 0.42, "bands_compared": 1},
        "hidden": ["poor"],
        "reference_first": "2025-01-01",
        "reference_orders": 2400,
    },
    "callbacks": {"waiting": 0, "oldest_seconds": 0.0, "failed": 1},
    "latencies": [
        {"method": "POST", "route": "/v1/eligibility", "requests": 900, "median": 0.004, "p95": 0.02, "p99": None}
    ],
}
_POPULATION: Final = {
    "smallest_group": 20,
    "drift": {
        "build": _BUILD,
        "reference": _BUILD | {"id": 3},
        "score": _SCORE,
        "bands": _SCORE | {"name": "band"},
        "characteristics": [_SCORE | {"name": "kept", "feature": "credit.kept", "bins": [_BIN], "shift": _SHIFT}],
        "band_starts": [{"band": "poor", "lowest": 350}],
    },
}
_UPLOAD: Final = {
    "mistakes": [],
    "accepted": 2,
    "duplicates": 0,
    "refused": 1,
    "kinds": [{"kind": "payment.made", "accepted": 2, "duplicates": 0, "refused": 1}],
    "problems": [{"message": "payment.made: `…` in `total` is no number", "rows": 1, "first_line": 3}],
    "first_events": [{"contributor": "shop", "event_id": "1", "kind": "payment.made", "subject": "client-1"}],
    "receipt": HASH,
}
_TODAY: Final = {
    "made_at": CREATED_AT,
    "party": "mei",
    "disputes": _CASES,
    "reviews": _CASES | {"waiting": 0, "first": []},
    "alarms": [{"alarm": "evidence_stale", "detail": "bank-b", "count": None, "since": CREATED_AT, "until": None}],
    "answers": _ANSWERS,
    "contributors": [_CONTRIBUTOR],
}
_REFUSED_ROW: Final = {"row": 3, "event_id": "e-4", "reason": "`amount` should be a whole number"}


def figures(
    token: dict[str, Any],
    service: dict[str, Any],
    callback: dict[str, Any],
    submission: dict[str, Any],
    proposal: dict[str, Any],
    release: dict[str, Any],
) -> dict[str, Any]:
    """The answers, with parts of other stories."""
    received = submission | {"contributor": "bank-a"}
    message = callback | {"merchant": "inn", "state": "failed", "attempts": 16, "status": 503, "sent_at": None}
    proposals, in_force = {"to_approve": [proposal], "own": []}, {"id": RELEASE, "since": CREATED_AT, **release}
    return {
        "MonitorFigures": _MONITOR,
        "PopulationFigures": _POPULATION,
        "Today": _TODAY | {"proposals": proposals, "release": in_force},
        "Contributors": {"items": [_CONTRIBUTOR], "next": None},
        "ReceivedSubmissions": {"items": [received], "next": None},
        "ReceivedSubmissionDetails": received | {"problems": [_REFUSED_ROW]},
        "UploadReport": _UPLOAD,
        "CallerTokens": {"items": [token], "next": None},
        "MerchantServices": {"items": [service | {"merchant": "inn"}], "next": None},
        "MerchantCallback": message,
        "MerchantCallbacks": {"items": [message], "next": None},
    }
