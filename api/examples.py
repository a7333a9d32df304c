"""Examples for the OpenAPI document: a body to begin from and an answer to expect, by the schema's name.

Each is one story: `client-1` has a room without a deposit at `inn`. A test holds that every example fits its schema.
"""

from typing import Any, Final

from api.problems import STATUS, Problem, title

AT: Final = "2026-01-31T09:30:00Z"
BEGINS: Final = "2026-01-29T14:00:00Z"
ENDS: Final = "2026-01-31T10:00:00Z"
LATER: Final = "2026-02-20T09:30:00Z"
DECISION: Final = "d3ed0123456789abcdef0123456789ab"
ORDER: Final = "0a7c0123456789abcdef0123456789ab"
RELEASE: Final = "5f2b" * 16
HASH: Final = "9c1e" * 16
_PAID: Final = {"post_payments": [{"name": "two nights", "amount": 40000}]}
# A body to begin from, where the fields' own examples are not enough. Times are of the past.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "ServiceTerms": {"perk": "hotel", "callback": "https://inn.example/hook"},
    "ConsentRequest": {"service": "rooms", "subject": "client-1", "classes": ["identity", "behaviour", "credit"]},
    "OrderForm": {
        **{"out_order_no": "O-20260131-0001", "service": "rooms", "decision_id": DECISION},
        **{"service_introduction": "two nights", "risk_fund": {"name": "DEPOSIT", "amount": 50000}},
    },
    "CancelForm": {"cancel_reason": "the guest is ill"},
    "CompleteForm": _PAID | {"time_range": {"start_time": BEGINS, "end_time": ENDS}},
    "ModifyForm": _PAID | {"modify_reason": "breakfast was not served"},
    "SyncForm": {"paid_at": "2026-01-31T10:30:00Z"},
    "DisputeForm": {"statement": "the room was cold"},
    "Given": {"purpose": "perks", "classes": ["identity", "behaviour"], "service": "inn/rooms"},
    "Allowed": {"classes": ["identity", "behaviour"]},
    "Withdrawn": {"purpose": "perks", "service": "inn/rooms"},
    "Objection": {"contributor": "bank-a", "event_id": "missed-17", "statement": "I paid on the first"},
    "Statement": {"statement": "I paid on the first"},
    "ReviewRequest": {"decision_id": DECISION, "statement": "my bill was paid"},
    "Resolution": {"outcome": "upheld", "note": "the bank confirms it"},
    "ReviewAnswer": {"outcome": "stands", "note": "the evidence is as it was"},
    "TokenRequest": {"role": "merchant", "party": "inn", "name": "the front desk", "days": 90},
    "Rotation": {"grace_hours": 24, "days": 90},
}


def _page(item: Any, following: str | None = None) -> dict[str, Any]:
    return {"items": [item], "next": following}


_ELIGIBLE: Final = {
    **{"decision_id": DECISION, "outcome": "ADMIT", "waived_amount": 50000, "deposit_amount": 0},
    **{"currency": "CNY", "valid_until": "2026-02-01T09:30:00Z"},
}
_SERVICE: Final = {
    **{"perk": "hotel", "mode": "waive_first", "ceiling": None, "allowed_people": None},
    **{"callback": "https://inn.example/hook", "id": "rooms", "name": "inn/rooms", "version": 1, "created_at": AT},
}
_ORDER: Final = {
    **{"order_id": ORDER, "out_order_no": "O-20260131-0001", "service": "rooms", "decision_id": DECISION},
    **{"state": "created", "perk": "hotel", "currency": "CNY", "mode": "waive_first", "waived_amount": 50000},
    **{"total_amount": None, "disputed": False, "created_at": AT, "changed_at": AT, "starts_at": None},
    **{"ends_at": None, "due_at": None, "closed_at": None, "service_introduction": "two nights"},
    **{"risk_fund": {"name": "DEPOSIT", "amount": 50000, "description": None}},
    **{"time_range": {"start_time": None, "end_time": None}, "location": None, "post_payments": None},
    **{"post_discounts": None, "damage_amount": None, "need_user_confirm": True, "attach": None},
    **{"cancel_reason": None, "dispute": None},
}
_MY_ORDER: Final = {
    **{"order_id": ORDER, "merchant": "inn", "service": "rooms", "service_introduction": "two nights"},
    **{"state": "due", "perk": "hotel", "currency": "CNY", "waived_amount": 50000, "total_amount": 40000},
    **{"post_payments": [{"name": "two nights", "amount": 40000, "description": None, "count": None}]},
    **{"post_discounts": [], "damage_amount": 0, "created_at": "2026-01-29T09:30:00Z", "starts_at": BEGINS},
    **{"ends_at": ENDS, "due_at": "2026-02-07T10:00:00Z", "closed_at": None, "dispute": None},
}
_CALLBACK: Final = {
    **{"id": "msg_" + ORDER, "order_id": ORDER, "event": "order.created", "url": "https://inn.example/hook"},
    **{"state": "sent", "attempts": 1, "status": 204, "created_at": AT, "next_at": None},
    "sent_at": "2026-01-31T09:30:01Z",
}
_CONSENT: Final = {
    **{"id": "c0ffee00" * 4, "service": "rooms", "purpose": "perks"},
    **{"classes": ["identity", "behaviour", "credit"], "until": None, "asked_at": AT, "state": "asked", "granted": []},
}
_WARNING: Final = {"en": "Balances show much of how you live.", "zh": "余额会显示您的许多生活情况。"}
_CONSENTS: Final = {
    "requests": [],
    "in_force": [
        {"purpose": "perks", "service": "inn/rooms", "data_class": "behaviour", "since": AT, "until": None},
    ],
    "warning": _WARNING,
}
_DISPUTE: Final = {
    **{"dispute_id": "ab12" * 8, "contributor": "bank-a", "event_id": "missed-17"},
    **{"statement": "I paid on the first", "opened_at": AT, "due_at": LATER, "outcome": None, "note": None},
    "resolved_at": None,
}
_REVIEW: Final = {
    **{"review_id": "cd34" * 8, "decision_id": DECISION, "statement": "my bill was paid", "asked_at": AT},
    **{"due_at": LATER, "outcome": None, "note": None, "answered_at": None},
}
_REASON: Final = {"code": "missed_payments", "text": "Payments were missed"}
_EARLIER: Final = {
    **{"with": None, "happened_at": "2026-01-15T00:00:00Z", "recorded_at": "2026-01-16T03:00:00Z"},
    "fields": {"obligation": "loan-3", "due": "2026-01-12"},
}
_ITEM: Final = {
    **{"number": 4711, "contributor": "bank-a", "event_id": "missed-17", "kind": "obligation.missed"},
    **{"data_class": "credit", "with": None, "said_of_you_by_another": False, "happened_at": "2026-01-15T00:00:00Z"},
    **{
        "recorded_at": "2026-01-16T03:00:00Z",
        "fields": {"obligation": "loan-3", "due": "2026-01-14"},
        "dispute": "open",
    },
    **{"corrected_at": "2026-01-20T03:00:00Z", "retracted_at": None, "history": [_EARLIER]},
}
_INQUIRY: Final = {
    **{"number": 12, "decision_id": DECISION, "asked_at": AT, "merchant": "inn", "service": "rooms"},
    **{"perk": "hotel", "amount": 50000, "currency": "CNY", "purpose": "perks", "outcome": "ADMIT"},
    **{"waived_amount": 50000, "deposit_amount": 0, "reasons": []},
}
_ME: Final = {
    **{"person": "client-1", "score": 731, "band": "good", "lowest": 350, "highest": 950, "base": 500},
    **{"dimensions": [{"name": "credit", "points": 110, "best": 150}], "reasons": [_REASON]},
    **{"consents_to": ["behaviour", "credit", "identity"], "as_of": AT, "computed_at": AT, "release": RELEASE},
}
_SCORED: Final = {"at": AT, "score": 731, "band": "good", "release": RELEASE}
_SUBMISSION: Final = {
    **{"id": "7f00aa11bb22cc33", "received_at": AT, "rows": 2, "accepted": 1, "duplicates": 0, "refused": 1},
}
_TOKEN: Final = {
    **{"id": "00ff11ee22dd33cc", "name": "the front desk", "role": "merchant", "party": "inn", "scopes": None},
    **{"replaces": None, "created_at": AT, "expires_at": "2026-05-01T09:30:00Z", "revoked_at": None},
    "last_used_at": None,
}
_ENTRY: Final = {
    **{"seq": 12, "id": DECISION, "merchant": "inn", "service": "rooms", "service_version": 1, "perk": "hotel"},
    **{"amount": 50000, "currency": "CNY", "outcome": "ADMIT", "waived": 50000, "deposit": 0, "decided_at": AT},
    **{"valid_until": "2026-02-01T09:30:00Z", "release": RELEASE, "commitment": HASH, "previous_hash": HASH},
    "hash": HASH,
}
_RELEASE: Final = {"id": RELEASE, "loaded_at": AT}
_DIGEST: Final = {"day": "2026-01-31", "first": 1, "last": 12, "root": HASH, "made_at": "2026-02-01T00:05:00Z"}
_GROUP: Final = {
    **{"value": "north", "hidden": False, "people": 120, "outcomes": {"ADMIT": 90, "DECLINE": 30}},
    **{"admit_rate": 0.75, "ratio": 1.0, "under_four_fifths": False},
}
ANSWERS: Final[dict[str, Any]] = {
    "EligibilityAnswer": _ELIGIBLE,
    "DecisionAnswer": {
        **_ELIGIBLE,
        **{"transaction_id": "T-20260131-0001", "service": "rooms", "service_version": 1, "subject": "client-1"},
        **{"perk": "hotel", "amount": 50000, "decided_at": AT},
    },
    "ServiceAnswer": _SERVICE,
    "ServiceVersions": {"service": _SERVICE, "versions": _page(_SERVICE)},
    "Services": _page(_SERVICE),
    "Secrets": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=", "others": []},
    "Callback": _CALLBACK,
    "Callbacks": _page(_CALLBACK, "msg_" + ORDER),
    "Told": {"type": "order.created", "timestamp": AT, "data": _ORDER},
    "ConsentAnswer": _CONSENT,
    "Consents": _CONSENTS,
    "Answered": {"id": _CONSENT["id"], "state": "granted", "granted": ["identity", "behaviour"]},
    "OrderAnswer": _ORDER,
    "Orders": _page(_ORDER, "O-20260131-0001"),
    "MyOrder": _MY_ORDER,
    "MyOrders": _page(_MY_ORDER),
    "Sent": {
        **{"id": "7f00aa11bb22cc33", "accepted": 1, "duplicates": 0, "refused": 1, "recorded_at": AT},
        "rows": [
            {"row": 0, "event_id": "bill-17", "result": "accepted", "reason": None},
            {"row": 1, "event_id": "bill-18", "result": "refused", "reason": "`amount` and `currency` go together"},
        ],
    },
    "Submission": _SUBMISSION
    | {"problems": [{"row": 1, "event_id": "bill-18", "reason": "`amount` and `currency` go together"}]},
    "Submissions": _page(_SUBMISSION),
    "Recorded": {
        "event_id": "bill-17",
        "recorded_at": AT,
        "since": [],
    },
    "Me": _ME,
    "History": _page(_SCORED),
    "Raised": {
        **{"score": 731, "target": 750, "reached": True, "new_score": 751, "new_band": "very good"},
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
    "Evidence": _page(_ITEM),
    "Inquiries": _page(_INQUIRY),
    "Export": {
        **{"version": 1, "person": "client-1", "exported_at": AT, "score": _ME, "history": [_SCORED]},
        **{"evidence": [_ITEM], "consent_requests": [], "inquiries": [_INQUIRY], "orders": []},
        **{"disputes": [_DISPUTE], "reviews": [], "monitoring": {"region": "north"}},
    },
    "Attributes": {"region": "north"},
    "Left": {"events": 212, "kept_of_others": 3, "decisions": 4},
    "Dispute": _DISPUTE,
    "Disputes": _page(_DISPUTE),
    "DisputeCase": (case := _DISPUTE | {"subject": "client-1", "item": _ITEM, "overdue": False, "resolved_by": None}),
    "DisputeCases": _page(case),
    "Review": _REVIEW,
    "Reviews": _page(_REVIEW),
    "ReviewCase": (
        review := _REVIEW | {"subject": "client-1", "decision": _INQUIRY, "overdue": False, "answered_by": None}
    ),
    "ReviewCases": _page(review),
    "NewToken": {"secret": "iftah_shown-once", "token": _TOKEN},
    "Tokens": _page(_TOKEN),
    "Entries": _page(_ENTRY, "12"),
    "WholeDecision": _ENTRY
    | {"erased": False, "subject": "client-1", "salt": "5a17" * 8, "record": {"decision": {"outcome": "ADMIT"}}},
    "Proof": {
        **{"format": "iftah.proof.1", "entry": {"id": DECISION, "outcome": "ADMIT"}, "previous_hash": HASH},
        **{"day": "2026-01-31", "index": 11, "size": 12, "path": [HASH], "root": HASH},
    },
    "Replayed": {"decision": DECISION, "release": RELEASE, "equal": True, "differences": []},
    "ReleaseLines": _page(_RELEASE),
    "ReleaseFiles": _RELEASE | {"files": {"trust.yaml": "..."}},
    "DigestLines": _page(_DIGEST),
    "Report": {
        **{"year": 2025, "complete": True, "made_at": AT, "smallest_group": 20, "decisions": 160, "erased": 2},
        **{"outcomes": {"ADMIT": 120, "DECLINE": 40}},
        "counts": [{"perk": "hotel", "month": 1, "outcome": "ADMIT", "decisions": 14}],
        "attributes": [{"attribute": "region", "groups": [_GROUP]}],
    },
    "Health": {
        **{"status": "ready", "release": RELEASE, "since": AT, "rules_refused": None, "policy_changed": None},
        **{"people": 2000, "as_of": AT, "computed_at": AT},
        "fresh": {
            **{"events_behind": 0, "seconds_behind": 0.0, "people_put_off": 0, "events_later": 0},
            **{"refreshed_at": AT, "problem": None},
        },
    },
}


def _problem(code: str, detail: str, where: str, hint: str) -> tuple[str, dict[str, Any]]:
    status, urn = STATUS[code], f"urn:iftah:problem:{code}"
    problem = Problem(type=urn, title=title(code), status=status, code=code, detail=detail, where=where, hint=hint)
    return code, problem.model_dump()


_SEE_ORDER: Final = "see the order: GET /v1/orders/{out_order_no}"
# What goes wrong: at least one of each status of each route.
PROBLEMS: Final = dict(
    (
        _problem("ambiguous_header", "a header is there twice", "Authorization", "send it once"),
        _problem("no_token", "a token is needed", "Authorization", "send `Authorization: Bearer TOKEN`"),
        _problem("wrong_role", "a token of the role subject may not do this", "Authorization", "use one of merchant"),
        _problem("no_consent", "the person has not consented to this", "subject", "ask for consent: POST /v1/consents"),
        _problem("not_found", "there is nothing here", "the address", "see /docs"),
        _problem("unknown_order", "unknown order", "order", "check the number, and whose token it is"),
        _problem(
            "transaction_mismatch", "this number was used for another question", "transaction_id", "use a new one"
        ),
        _problem("order_mismatch", "the order has other parameters", "out_order_no", _SEE_ORDER),
        _problem(
            "wrong_state", "`pay` is not for an order that is `created`", "order", "confirm and complete it first"
        ),
        _problem("day_not_over", "the day is not over yet", "day", "ask from ten minutes after its midnight (UTC) on"),
        _problem("consent_answered", "the request is answered already", "request_id", "see GET /v1/me/consents"),
        _problem("dispute_answered", "this objection is answered already", "event_id", "see GET /v1/me/disputes"),
        _problem("already_answered", "this is answered already, in another way", "outcome", "see what was answered"),
        _problem("orders_open", "an order is still open", "orders", "leave when it is closed"),
        _problem(
            "not_replayable", "this record is of no decision of the rules", "decision_id", "no rule was asked in it"
        ),
        _problem("erased", "the person has left, and the record with them", "decision_id", "nothing is kept of it"),
        _problem("too_large", "the request is too large", "the body", "one question at a time"),
        _problem("unsupported_type", "events do not come in this type", "Content-Type", "send application/json"),
        _problem("bad_request", "`subject` should be text", "subject", "see /docs for what belongs there"),
        _problem("bad_amount", "`amount` should be a whole number", "amount", "see /docs for what belongs there"),
        _problem("too_many_requests", "too many requests", "Authorization", "wait for `Retry-After`"),
        _problem("not_ready", "the service is not available just now", "the server", "try again"),
    )
)
