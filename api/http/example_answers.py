"""Example answers for the OpenAPI document, by the schema's name. They continue the story of `api.http.examples`."""

from typing import Any, Final

from api.http import example_casework, example_figures, example_people, example_proposals, example_rules
from api.http.example_consents import CONSENT, CONSENT_REQUEST, CONSENTS
from api.http.example_orders import CALLBACK_ANSWER, MY_ORDER_ANSWER, ORDER_ANSWER, SANDBOX_RESULT
from api.http.example_record import RECORD
from api.http.examples import CREATED_AT, DECISION, DUE_AT, HASH, ORDER, RELEASE


def _page(item: Any, cursor: str | None = None) -> dict[str, Any]:
    return {"items": [item], "next": cursor}


_ELIGIBLE: Final = {
    "decision_id": DECISION,
    "outcome": "ADMIT",
    "waived_amount": 50000,
    "deposit_amount": 0,
    "currency": "CNY",
    "valid_until": "2026-02-01T09:30:00Z",
}
_SERVICE: Final = {
    "perk": "hotel",
    "mode": "waive_first",
    "ceiling": None,
    "allowed_people": None,
    "callback": "https://inn.example/hook",
    "id": "rooms",
    "name": "inn/rooms",
    "version": 1,
    "created_at": CREATED_AT,
}
_DISPUTE: Final = {
    "dispute_id": "ab12" * 8,
    "contributor": "bank-a",
    "event_id": "missed-17",
    "statement": "I paid on the first",
    "opened_at": CREATED_AT,
    "due_at": DUE_AT,
    "outcome": None,
    "note": None,
    "resolved_at": None,
}
_REVIEW: Final = {
    "review_id": "cd34" * 8,
    "decision_id": DECISION,
    "statement": "my bill was paid",
    "asked_at": CREATED_AT,
    "due_at": DUE_AT,
    "outcome": None,
    "note": None,
    "answered_at": None,
}
_REASON: Final = {"code": "missed_payments", "text": "Payments were missed"}
_EARLIER_CONTENT: Final = {
    "with": None,
    "happened_at": "2026-01-15T00:00:00Z",
    "recorded_at": "2026-01-16T03:00:00Z",
    "fields": {"obligation": "loan-3", "due": "2026-01-12"},
}
_ITEM: Final = {
    "number": 4711,
    "id": "client-1",
    "contributor": "bank-a",
    "event_id": "missed-17",
    "kind": "obligation.missed",
    "about": "The subject did not pay an instalment or a bill in time",
    "data_class": "credit",
    "with": None,
    "said_of_you_by_another": False,
    "happened_at": "2026-01-15T00:00:00Z",
    "recorded_at": "2026-01-16T03:00:00Z",
    "fields": {"obligation": "loan-3", "due": "2026-01-14"},
    "dispute": "open",
    "corrected_at": "2026-01-20T03:00:00Z",
    "retracted_at": None,
    "history": [_EARLIER_CONTENT],
}
_INQUIRY: Final = {
    "number": 12,
    "decision_id": DECISION,
    "asked_at": CREATED_AT,
    "merchant": "inn",
    "service": "rooms",
    "perk": "hotel",
    "amount": 50000,
    "currency": "CNY",
    "purpose": "perks",
    "outcome": "ADMIT",
    "waived_amount": 50000,
    "deposit_amount": 0,
    "reasons": [],
}
_ME: Final = {
    "person": "client-1",
    "score": 731,
    "band": "good",
    "lowest": 350,
    "highest": 950,
    "bands": [{"name": "poor", "lowest": 350}, {"name": "good", "lowest": 600}],
    "base": 500,
    "dimensions": [{"name": "credit", "points": 110, "best": 150}],
    "reasons": [_REASON],
    "consents_to": ["behaviour", "credit", "identity"],
    "linked_ids": [],
    "as_of": CREATED_AT,
    "computed_at": CREATED_AT,
    "release": RELEASE,
}
_SCORE_CHANGE: Final = {"at": CREATED_AT, "score": 731, "band": "good", "release": RELEASE}
_SUBMISSION: Final = {
    "id": "7f00aa11bb22cc33",
    "received_at": CREATED_AT,
    "rows": 2,
    "accepted": 1,
    "duplicates": 0,
    "refused": 1,
}
_TOKEN: Final = {
    "id": "00ff11ee22dd33cc",
    "name": "the front desk",
    "role": "merchant",
    "party": "inn",
    "scopes": None,
    "replaces": None,
    "created_at": CREATED_AT,
    "expires_at": "2026-05-01T09:30:00Z",
    "revoked_at": None,
    "last_used_at": None,
}
_ENTRY_TERMS: Final = {
    "id": DECISION,
    "merchant": "inn",
    "service": "rooms",
    "service_version": 1,
    "perk": "hotel",
    "amount": 50000,
    "currency": "CNY",
    "outcome": "ADMIT",
    "waived": 50000,
    "deposit": 0,
    "release": RELEASE,
    "commitment": HASH,
}
_ENTRY: Final = {
    "seq": 12,
    **_ENTRY_TERMS,
    "decided_at": CREATED_AT,
    "valid_until": "2026-02-01T09:30:00Z",
    "previous_hash": HASH,
    "hash": HASH,
}
_RELEASE: Final = {"id": RELEASE, "loaded_at": CREATED_AT}
_DIGEST: Final = {"day": "2026-01-31", "first": 1, "last": 12, "root": HASH, "made_at": "2026-02-01T00:05:00Z"}
_GROUP: Final = {
    "value": "north",
    "hidden": False,
    "people": 120,
    "outcomes": {"ADMIT": 90, "DECLINE": 30},
    "admit_rate": 0.75,
    "ratio": 1.0,
    "under_four_fifths": False,
}
ANSWERS: Final[dict[str, Any]] = {
    "EligibilityAnswer": _ELIGIBLE,
    "DecisionAnswer": {
        **_ELIGIBLE,
        "transaction_id": "T-20260131-0001",
        "service": "rooms",
        "service_version": 1,
        "subject": "client-1",
        "perk": "hotel",
        "amount": 50000,
        "decided_at": CREATED_AT,
    },
    "Perks": _page(
        {
            "perk": "hotel",
            "about": "A room without a deposit",
            "currency": "CNY",
            "most": 2000000,
            "partial": True,
            "valid_hours": 24,
            "fields": [
                {"name": "nights", "type": "int", "digits": None, "values": None, "lowest": "1", "highest": "60"}
            ],
        }
    ),
    "FeatureLineage": {
        "feature": "credit.kept",
        "value": "12",
        "as_of": CREATED_AT,
        "events": [
            {
                "contributor": "bank",
                "event_id": "bill-17",
                "kind": "obligation.paid",
                "happened_at": CREATED_AT,
                "value_without": "11",
            }
        ],
        "examined": 31,
        "visible": 31,
    },
    "ServiceAnswer": _SERVICE,
    "ServiceVersions": {"service": _SERVICE, "versions": _page(_SERVICE)},
    "Services": _page(_SERVICE),
    "Secrets": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=", "others": []},
    "Callback": CALLBACK_ANSWER,
    "Callbacks": _page(CALLBACK_ANSWER, "msg_" + ORDER),
    "OrderNotification": {"type": "order.created", "timestamp": CREATED_AT, "data": ORDER_ANSWER},
    "ConsentAnswer": CONSENT,
    "Consents": CONSENTS,
    "ConsentOutcome": {"id": CONSENT["id"], "state": "granted", "granted": ["identity", "behaviour"]},
    "OrderAnswer": ORDER_ANSWER,
    "OrderDetails": ORDER_ANSWER | {"actions": ["cancel"]},
    "SandboxResult": SANDBOX_RESULT,
    "SignatureResult": {"matches": True, "fresh": True},
    "MyPerks": _page({"perk": "hotel", "about": "A room without a deposit", "currency": "CNY", "most": 2000000}),
    "ConsentRequestView": CONSENT_REQUEST,
    "MerchantOrders": _page(ORDER_ANSWER, "O-20260131-0001"),
    "MyOrder": MY_ORDER_ANSWER,
    "MyOrders": _page(MY_ORDER_ANSWER),
    "SubmissionAnswer": {
        "id": "7f00aa11bb22cc33",
        "accepted": 1,
        "duplicates": 0,
        "refused": 1,
        "recorded_at": CREATED_AT,
        "rows": [
            {"row": 0, "event_id": "bill-17", "result": "accepted", "reason": None},
            {"row": 1, "event_id": "bill-18", "result": "refused", "reason": "`amount` and `currency` go together"},
        ],
    },
    "SubmissionDetails": _SUBMISSION
    | {"problems": [{"row": 1, "event_id": "bill-18", "reason": "`amount` and `currency` go together"}]},
    "Submissions": _page(_SUBMISSION),
    "EventAnswer": {
        "event_id": "bill-17",
        "recorded_at": CREATED_AT,
        "since": [],
    },
    "MyScore": _ME,
    "ScoreHistory": _page(_SCORE_CHANGE),
    "RecourseAnswer": {
        "score": 731,
        "target": 750,
        "reached": True,
        "new_score": 751,
        "new_band": "very good",
        "steps": [
            {
                "feature": "credit.kept",
                "characteristics": ["kept"],
                "now": 9,
                "reach": 12,
                "text": "Keep 3 more promises",
            },
        ],
    },
    "EvidenceItems": _page(_ITEM),
    "Inquiries": _page(_INQUIRY),
    "Export": {
        "version": 1,
        "person": "client-1",
        "exported_at": CREATED_AT,
        "score": _ME,
        "history": [_SCORE_CHANGE],
        "evidence": [_ITEM],
        "consent_requests": [],
        "inquiries": [_INQUIRY],
        "orders": [],
        "disputes": [_DISPUTE],
        "reviews": [],
        "monitoring": {"region": "north"},
        "looks": [example_people.LOOK],
    },
    "Attributes": {"region": "north"},
    "ErasureSummary": {"events": 212, "kept_of_others": 3, "decisions": 4},
    **example_casework.answers(dispute=_DISPUTE, review=_REVIEW, item=_ITEM, inquiry=_INQUIRY),
    "NewToken": {"secret": "iftah_shown-once", "token": _TOKEN},
    "Tokens": _page(_TOKEN),
    "DecisionEntries": _page(_ENTRY, "12"),
    "WholeDecision": _ENTRY
    | {"erased": False, "withheld": False, "subject": "client-1", "salt": "5a17" * 8, "record": RECORD},
    "Proof": {
        "format": "iftah.proof.2",
        "entry": {**_ENTRY_TERMS, "decided_at": 1769851800000000, "valid_until": 1769938200000000},
        "previous_hash": HASH,
        "day": "2026-01-31",
        "index": 11,
        "size": 12,
        "path": [HASH],
        "root": HASH,
    },
    "ReplayResult": {"decision": DECISION, "release": RELEASE, "equal": True, "differences": []},
    "ReleaseLines": _page(_RELEASE),
    "ReleaseFiles": _RELEASE | {"files": {"trust.yaml": "..."}},
    "DigestLines": _page(_DIGEST),
    "YearlyReport": {
        "year": 2025,
        "complete": True,
        "made_at": CREATED_AT,
        "smallest_group": 20,
        "decisions": 160,
        "erased": 2,
        "outcomes": {"ADMIT": 120, "DECLINE": 40},
        "counts": [{"perk": "hotel", "month": 1, "outcome": "ADMIT", "decisions": 14}],
        "attributes": [{"attribute": "region", "groups": [_GROUP]}],
    },
    "Liveness": {"status": "alive"},
    "DemoStatus": {
        "demo": True,
        "evidence": "town",
        "activity_from": "2025-11-02T09:30:00Z",
        "activity_to": CREATED_AT,
        "parties": {"operator": "mei", "merchant": "lotus-hotel", "subject": "p-857", "supervisor": "sun"},
        "names": {"lotus-hotel": {"en": "Lotus Hotel", "zh": "莲花酒店"}},
    },
    "Health": {
        "status": "ready",
        "release": RELEASE,
        "since": CREATED_AT,
        "rules_refused": None,
        "policy_changed": None,
        "people": 2000,
        "as_of": CREATED_AT,
        "computed_at": CREATED_AT,
        "fresh": {
            "events_behind": 0,
            "seconds_behind": 0.0,
            "people_put_off": 0,
            "events_later": 0,
            "refreshed_at": CREATED_AT,
            "problem": None,
        },
        "releases": example_proposals.STATUS,
    },
    **example_people.records(
        score=_ME, change=_SCORE_CHANGE, consents=CONSENTS["in_force"], dispute=_DISPUTE, review=_REVIEW
    ),
    **example_people.ANSWERS,
    **example_proposals.ANSWERS,
    **example_rules.ANSWERS,
    **example_figures.figures(
        token=_TOKEN,
        service=_SERVICE,
        callback=CALLBACK_ANSWER,
        submission=_SUBMISSION,
        proposal=example_proposals.SUMMARY,
        release={"activation": example_proposals.ACTIVATION, "status": example_proposals.STATUS},
    ),
}
