"""Example bodies and problems for the OpenAPI document, by the schema's name or the problem's code.

All examples tell one story: `client-1` gets a room without a deposit at `inn`. A test checks every example against its schema.
"""

from typing import Any, Final

from api.http.problems import STATUS, ProblemDetails, title

CREATED_AT: Final = "2026-01-31T09:30:00Z"
STARTS_AT: Final = "2026-01-29T14:00:00Z"
ENDS_AT: Final = "2026-01-31T10:00:00Z"
DUE_AT: Final = "2026-02-20T09:30:00Z"
DECISION: Final = "d3ed0123456789abcdef0123456789ab"
ORDER: Final = "0a7c0123456789abcdef0123456789ab"
RELEASE: Final = "5f2b" * 16
HASH: Final = "9c1e" * 16
_PAYMENTS: Final = {"post_payments": [{"name": "two nights", "amount": 40000}]}
# A body to begin from, where the fields' own examples are not enough. Times are of the past.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "ServiceTerms": {"perk": "hotel", "callback": "https://inn.example/hook"},
    "ConsentForm": {"service": "rooms", "subject": "client-1", "classes": ["identity", "behaviour", "credit"]},
    "OrderForm": {
        "out_order_no": "O-20260131-0001",
        "service": "rooms",
        "decision_id": DECISION,
        "service_introduction": "two nights",
        "risk_fund": {"name": "DEPOSIT", "amount": 50000},
    },
    "CancelForm": {"cancel_reason": "the guest is ill"},
    "CompleteForm": _PAYMENTS | {"time_range": {"start_time": STARTS_AT, "end_time": ENDS_AT}},
    "ModifyForm": _PAYMENTS | {"modify_reason": "breakfast was not served"},
    "SyncForm": {"paid_at": "2026-01-31T10:30:00Z"},
    "DisputeForm": {"statement": "the room was cold"},
    "ConsentOfferForm": {"purpose": "perks", "classes": ["identity", "behaviour"], "service": "inn/rooms"},
    "ConsentGrantForm": {"classes": ["identity", "behaviour"]},
    "ConsentWithdrawalForm": {"purpose": "perks", "service": "inn/rooms"},
    "LookForm": {"kind": "dispute", "purpose": "answers the objection to missed-17"},
    "Objection": {"contributor": "bank-a", "event_id": "missed-17", "statement": "I paid on the first"},
    "Statement": {"statement": "I paid on the first"},
    "ReviewRequest": {"decision_id": DECISION, "statement": "my bill was paid"},
    "Resolution": {"outcome": "upheld", "note": "the bank confirms it"},
    "ReviewAnswer": {"outcome": "stands", "note": "the evidence is as it was"},
    "SandboxForm": {
        "subject": "sandbox-admit",
        "amount": 50000,
        "steps": [{"action": "create"}, {"action": "confirm"}],
    },
    "TokenRequest": {"role": "merchant", "party": "inn", "name": "the front desk", "days": 90},
    "Rotation": {"grace_hours": 24, "days": 90},
}


def _problem(code: str, detail: str, where: str, hint: str) -> tuple[str, dict[str, Any]]:
    status, urn = STATUS[code], f"urn:iftah:problem:{code}"
    problem = ProblemDetails(
        type=urn, title=title(code), status=status, code=code, detail=detail, where=where, hint=hint
    )
    return code, problem.model_dump()


_SEE_ORDER_HINT: Final = "see the order: GET /v1/orders/{out_order_no}"
# What goes wrong: at least one of each status of each route.
PROBLEMS: Final = dict(
    (
        _problem("ambiguous_header", "a header is there twice", "Authorization", "send it once"),
        _problem("no_token", "a token is needed", "Authorization", "send `Authorization: Bearer TOKEN`"),
        _problem("wrong_role", "a token of the role subject may not do this", "Authorization", "use one of merchant"),
        _problem("no_consent", "the person has not consented to this", "subject", "ask for consent: POST /v1/consents"),
        _problem(
            "no_lineage",
            "`relationships.trust` comes from the evidence of many people",
            "feature",
            "ask for a feature of the person's own evidence",
        ),
        _problem(
            "look_needed",
            "no look of yours at this is in force",
            "look",
            "state a purpose first: POST /v1/people/{person}/looks",
        ),
        _problem("not_found", "there is nothing here", "the address", "see /docs"),
        _problem("unknown_order", "unknown order", "order", "check the number, and whose token it is"),
        _problem(
            "transaction_mismatch", "this number was used for another question", "transaction_id", "use a new one"
        ),
        _problem("order_mismatch", "the order has other parameters", "out_order_no", _SEE_ORDER_HINT),
        _problem(
            "wrong_state", "`pay` is not for an order that is `created`", "order", "confirm and complete it first"
        ),
        _problem("day_not_over", "the day is not over yet", "day", "ask from ten minutes after its midnight (UTC) on"),
        _problem("consent_answered", "the request is answered already", "request_id", "see GET /v1/me/consents"),
        _problem("dispute_answered", "this objection is answered already", "event_id", "see GET /v1/me/disputes"),
        _problem("already_answered", "this is answered already, in another way", "outcome", "see what was answered"),
        _problem("open_orders", "an order is still open", "orders", "leave when it is closed"),
        _problem(
            "not_replayable", "this record is of no decision of the rules", "decision_id", "no rule was asked in it"
        ),
        _problem("erased", "the person has left, and the record with them", "decision_id", "nothing is kept of it"),
        _problem("unknown_proposal", "there is no proposal 9", "releases", "see GET /v1/proposals"),
        _problem("unknown_key", "nobody registered this key", "releases", "register it: POST /v1/keys"),
        _problem("own_proposal", "mei took part in proposal 7", "releases", "let somebody approve it who did not"),
        _problem(
            "wrong_proposal_state",
            "proposal 7 is draft: `approval` needs in review",
            "releases",
            "see GET /v1/proposals/7",
        ),
        _problem("base_moved", "another release is in force than you saw", "releases", "see GET /v1/releases"),
        _problem("unknown_draft", "there is no draft 9", "drafts", "see GET /v1/rules/drafts"),
        _problem("other_owner", "the draft is mei's", "draft", "ask mei"),
        _problem(
            "draft_moved",
            "tom saved this draft as version 5 at 2026-01-31T09:30:00Z",
            "version",
            "read it again, and take over your change",
        ),
        _problem("draft_exists", "you have a draft `late guests`", "name", "take another name"),
        _problem("no_change", "these files are in force already", "files", "change a file first"),
        _problem("no_dry_run", "there was no dry run of this", "receipt", "do a dry run of exactly this file and map"),
        _problem("too_large", "the request is too large", "the body", "one question at a time"),
        _problem("request_timeout", "the request did not come in time", "the request", "send the head within 10 s"),
        _problem("url_too_long", "the address is too long", "the address", "at most 8 KiB"),
        _problem("headers_too_large", "the header fields are too large", "the head", "at most 32 KiB"),
        _problem("unsupported_type", "events do not come in this type", "Content-Type", "send application/json"),
        _problem("bad_request", "`subject` should be text", "subject", "see /docs for what belongs there"),
        _problem("bad_amount", "`amount` should be a whole number", "amount", "see /docs for what belongs there"),
        _problem("too_many_requests", "too many requests", "Authorization", "wait for `Retry-After`"),
        _problem("not_ready", "the service is not available just now", "the server", "try again"),
    )
)
