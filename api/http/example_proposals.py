"""Examples of changes of rules for the OpenAPI document: `mei` proposes one, and `tom` approves it."""

from typing import Any, Final

from api.http.examples import CREATED_AT, HASH, RELEASE

_KEY: Final = "7d1a" * 4
_SIGNATURE: Final = "4e" * 64
_ENTRY: Final = "b1c2" * 16
_FILES: Final = {"trust.yaml": "...", "perks.yaml": "...", "reasons.yaml": "...", "policy.yaml": "..."}
_MESSAGE: Final = "Guests who pay late twice pay a deposit"
_OLD_RELEASE: Final = "0e1f" * 16
PLAN: Final = {
    "stages": [{"share": "5%", "hours": 24}, {"share": "100%"}],
    "guards": {"admit_rate": {"least": "-5%", "most": "5%"}},
    "on_break": "hold",
    "confidence": "99%",
}
BODIES: Final[dict[str, dict[str, Any]]] = {
    "ProposalForm": {"files": _FILES, "message": _MESSAGE, "plan": PLAN},
    "BreakGlassForm": {"files": _FILES, "hours": 4, "reason": "the tiers of hotels waive ten times too much"},
    "SignatureForm": {"manifest": HASH, "key": _KEY, "signature": _SIGNATURE},
    "ReasonForm": {"reason": "the effect on students is too large"},
    "ScheduleForm": {"at": "2026-02-01T09:00:00Z"},
    "RollbackForm": {"reason": "complaints at the airport", "to": None},
    "KeyForm": {"public": "a93c" * 16, "signature": _SIGNATURE},
}
SUMMARY: Final = {
    "number": 7,
    "state": "in review",
    "author": "mei",
    "message": _MESSAGE,
    "at": CREATED_AT,
    "revision": 1,
    "release": RELEASE,
    "due_at": None,
    "share": "0%",
}
_FIGURES: Final = {
    "name": "hotel",
    "currency": "CNY",
    "amount": 50000,
    "total": 2000,
    "moved": 30,
    "moves": {"less": 30},
    "matrix": [{"old": "ADMIT", "new": "ADMIT", "count": 1970}, {"old": "ADMIT", "new": "DECLINE", "count": 30}],
    "waived_before": 100000000,
    "waived_after": 98500000,
    "by_rule": [{"name": "hotel.late", "more": 0, "less": 30, "other": 0}],
    "by_band": [{"name": "good", "more": 0, "less": 30, "other": 0}],
    "by_reason": [{"name": "missed_payments", "more": 0, "less": 30, "other": 0}],
    "by_group": {},
    "sample": [],
}
_DIFFERENCES: Final = ["perks.yaml: hotel: + knockouts hotel.late"]
SWAP: Final = {
    "old": _OLD_RELEASE,
    "new": RELEASE,
    "unit": "people",
    "as_of": CREATED_AT,
    "differences": _DIFFERENCES,
    "changes": ["knockouts hotel.late"],
    "bands": None,
    "perks": [_FIGURES],
}
_EFFECT: Final = {
    "old": _OLD_RELEASE,
    "new": RELEASE,
    "differences": _DIFFERENCES,
    "lost_changes": [],
    "swap": SWAP,
    "needs_build": [],
}
_MANIFEST: Final = {
    "format": "iftah.manifest.1",
    "proposal": 7,
    "revision": 1,
    "release": RELEASE,
    "files": {"trust.yaml": HASH},
    "bundle": HASH,
    "definitions": HASH,
    "base": {"release": _OLD_RELEASE, "entry": _ENTRY},
    "effect": HASH,
    "plan": PLAN,
    "message": _MESSAGE,
    "author": "mei",
    "entry": _ENTRY,
    "at": 1769851800000000,
}
_STEP: Final = {
    "seq": 31,
    "hash": _ENTRY,
    "kind": "submission",
    "at": CREATED_AT,
    "actor": "mei",
    "key": _KEY,
    "signature": _SIGNATURE,
    "manifest": HASH,
    "reason": None,
}
ACTIVATION: Final = {
    "seq": 27,
    "entry": _ENTRY,
    "kind": "activation",
    "release": _OLD_RELEASE,
    "at": CREATED_AT,
    "actor": "mei",
    "proposal": 6,
}
STATUS: Final = {
    "mode": "approved",
    "proposal": 6,
    "break_glass_until": None,
    "trial": {"proposal": 7, "state": "partial", "share": "5%", "stage": 0, "hold": None},
}
_SIGNING_KEY: Final = {
    "fingerprint": _KEY,
    "public": "a93c" * 16,
    "party": "mei",
    "role": "operator",
    "at": CREATED_AT,
    "revoked": False,
}
_PROPOSAL: Final = SUMMARY | {
    "problems": [],
    "reason": None,
    "hold": None,
    "base_moved": False,
    "plan": PLAN,
    "effect": _EFFECT,
    "manifest": _MANIFEST,
    "manifest_hash": HASH,
    "text_to_sign": f'iftah.approval.1\n{{"content":{{"manifest":"{HASH}"}},"proposal":7}}',
    "steps": [_STEP],
}
_NO_ORDERS: Final = {"bad": 0, "orders": 0, "people": 0, "rate": None, "low": None, "high": None}
_GUARD: Final = {
    "measure": "admit_rate",
    "status": "holds",
    "least": "-5%",
    "most": "5%",
    "estimate": -0.004,
    "low": -0.031,
    "high": 0.023,
    "needs": 2110,
}
ANSWERS: Final[dict[str, Any]] = {
    "ChangeRecord": {
        "proposal": _PROPOSAL,
        "text_differences": {"perks.yaml": "--- old/perks.yaml\n+++ new/perks.yaml"},
        "guards": [_GUARD],
        "outcomes": [
            {
                "measure": "overdue",
                "difference": None,
                "low": None,
                "high": None,
                "champion": _NO_ORDERS,
                "challenger": _NO_ORDERS,
            }
        ],
    },
    "Proposals": {"items": [SUMMARY], "next": None},
    "ProposalAnswer": _PROPOSAL,
    "ProposalFiles": {"bundle": HASH, "files": _FILES},
    "ActivationAnswer": ACTIVATION,
    "ReleaseStatus": STATUS,
    "Releases": {"in_force": ACTIVATION, "status": STATUS, "activations": {"items": [ACTIVATION], "next": None}},
    "KeyAnswer": _SIGNING_KEY,
    "ReleaseComparison": {
        "old": _OLD_RELEASE,
        "new": RELEASE,
        "differences": _DIFFERENCES,
        "text_differences": {"perks.yaml": "--- old/perks.yaml\n+++ new/perks.yaml"},
    },
    "Keys": {"items": [_SIGNING_KEY], "next": None},
}
