"""Examples of disputes and reviews for the OpenAPI document, as the person and the operator see them."""

from typing import Any

from api.http.examples import CREATED_AT


def answers(*, dispute: Any, review: Any, item: Any, inquiry: Any) -> dict[str, Any]:
    """The examples by the name of their schema."""
    dispute_case = dispute | {"subject": "client-1", "item": item, "overdue": False, "resolved_by": None}
    review_case = review | {"subject": "client-1", "decision": inquiry, "overdue": False, "answered_by": None}
    return {
        "DisputeView": dispute,
        "Disputes": _page(dispute),
        "DisputeCase": dispute_case,
        "DisputeCases": _page(dispute_case),
        "DisputeOutcomes": {
            "as_of": CREATED_AT,
            "score_out": 742,
            "band_out": "very_good",
            "score_counted": 698,
            "band_counted": "good",
            "features": [
                {"feature": "credit.missed", "about": "payments missed", "item_out": "0", "item_counted": "1"},
            ],
        },
        "ReviewView": review,
        "Reviews": _page(review),
        "ReviewCase": review_case,
        "ReviewCases": _page(review_case),
    }


def _page(row: Any) -> dict[str, Any]:
    return {"items": [row], "next": None}
