"""Roles: we call every route of the app with every role and without one. Only the roles listed here get in."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from api.access import auth, tokens
from api.http.app import ROUTERS, create_app
from api.releases import rules_folder
from api.runtime.context import AppContext
from api.store import clock
from api.store.database import open_database
from engine.decide.evaluators import Evaluators
from tests.paths import ROOT

PUBLIC: tuple[str, ...] = ()
MERCHANT, SUBJECT, ADMIN, SUPERVISOR = ("merchant",), ("subject",), ("admin",), ("supervisor",)
OPERATOR, CONTRIBUTOR = ("operator",), ("contributor",)
AUDITORS = ("supervisor", "operator")
REVIEWERS, KEY_READERS = ("operator", "approver"), ("operator", "approver", "admin")
WATCHERS, CALLER_READERS = ("operator", "approver", "supervisor"), ("operator", "admin")
ROLES = {
    "GET /v1/health": PUBLIC,
    "GET /v1/health/live": PUBLIC,
    "GET /v1/demo": PUBLIC,
    "POST /v1/eligibility": MERCHANT,
    "GET /v1/decisions/{decision_id}": MERCHANT,
    "GET /v1/perks": MERCHANT,
    "GET /v1/services": MERCHANT,
    "GET /v1/services/{service}": MERCHANT,
    "PUT /v1/services/{service}": MERCHANT,
    "POST /v1/services/{service}/sandbox": MERCHANT,
    "POST /v1/callbacks/verification": MERCHANT,
    "GET /v1/callbacks/secret": MERCHANT,
    "POST /v1/callbacks/secret/rotate": MERCHANT,
    "GET /v1/callbacks": MERCHANT,
    "POST /v1/callbacks/{message_id}/resend": MERCHANT,
    "GET /v1/orders": MERCHANT,
    "POST /v1/orders": MERCHANT,
    "GET /v1/orders/{out_order_no}": MERCHANT,
    **{f"POST /v1/orders/{{out_order_no}}/{action}": MERCHANT for action in ("cancel", "complete", "modify", "pay")},
    **{f"POST /v1/orders/{{out_order_no}}/{action}": MERCHANT for action in ("sync", "dispute")},
    "GET /v1/reconciliation/{day}": MERCHANT,
    "GET /v1/me/orders": SUBJECT,
    "POST /v1/me/orders/{order_id}/confirm": SUBJECT,
    "POST /v1/me/orders/{order_id}/dispute": SUBJECT,
    "POST /v1/events": CONTRIBUTOR,
    "GET /v1/events/submissions": CONTRIBUTOR,
    "GET /v1/events/submissions/{submission_id}": CONTRIBUTOR,
    "GET /v1/events/{event_id}": CONTRIBUTOR,
    "POST /v1/consents": MERCHANT,
    "GET /v1/consents/{request_id}": MERCHANT,
    "GET /v1/me/perks": SUBJECT,
    "GET /v1/me/consents": SUBJECT,
    "GET /v1/me/consents/{request_id}": SUBJECT,
    "POST /v1/me/consents": SUBJECT,
    "POST /v1/me/consents/withdraw": SUBJECT,
    "POST /v1/me/consents/{request_id}/grant": SUBJECT,
    "POST /v1/me/consents/{request_id}/decline": SUBJECT,
    **{f"{method} /v1/me": SUBJECT for method in ("GET", "DELETE")},
    **{f"GET /v1/me/{address}": SUBJECT for address in ("history", "recourse", "evidence", "inquiries", "export")},
    **{f"{method} /v1/me/monitoring": SUBJECT for method in ("GET", "PUT", "DELETE")},
    **{f"{method} /v1/me/{address}": SUBJECT for method in ("GET", "POST") for address in ("disputes", "reviews")},
    "POST /v1/me/disputes/{dispute_id}/statement": SUBJECT,
    "GET /v1/me/features": SUBJECT,
    "GET /v1/me/features/{feature}": SUBJECT,
    "GET /v1/disputes/{dispute_id}/features/{feature}": OPERATOR,
    "GET /v1/disputes": OPERATOR,
    "GET /v1/disputes/{dispute_id}": OPERATOR,
    "GET /v1/disputes/{dispute_id}/effect": OPERATOR,
    "GET /v1/reviews/{review_id}": OPERATOR,
    "GET /v1/me/looks": SUBJECT,
    "GET /v1/people": OPERATOR,
    "GET /v1/people/{person}": OPERATOR,
    **{
        f"GET /v1/people/{{person}}/{part}": OPERATOR
        for part in ("recourse", "features/{feature}", "evidence", "inquiries", "network")
    },
    **{f"POST /v1/{address}/looks": OPERATOR for address in ("people/{person}", "decisions/{decision_id}")},
    "GET /v1/features": OPERATOR,
    "GET /v1/audit/chain": SUPERVISOR,
    "GET /v1/audit/looks": SUPERVISOR,
    "POST /v1/disputes/{dispute_id}/resolve": OPERATOR,
    "GET /v1/reviews": OPERATOR,
    "POST /v1/reviews/{review_id}/answer": OPERATOR,
    "GET /v1/proposals": REVIEWERS,
    "POST /v1/proposals": OPERATOR,
    "GET /v1/proposals/{number}": REVIEWERS,
    "PUT /v1/proposals/{number}": OPERATOR,
    "GET /v1/proposals/{number}/files": REVIEWERS,
    "GET /v1/proposals/{number}/record": REVIEWERS,
    "GET /v1/audit/changes": SUPERVISOR,
    "GET /v1/audit/changes/{number}": SUPERVISOR,
    **{f"POST /v1/proposals/{{number}}/{step}": OPERATOR for step in ("measurement", "submission", "schedule")},
    **{f"POST /v1/proposals/{{number}}/{step}": OPERATOR for step in ("shadow", "release")},
    **{f"POST /v1/proposals/{{number}}/{step}": REVIEWERS for step in ("approval", "rejection", "stop")},
    "GET /v1/releases": REVIEWERS,
    "GET /v1/releases/comparison": REVIEWERS,
    "POST /v1/releases/rollback": REVIEWERS,
    **{f"{method} /v1/releases/break-glass": OPERATOR for method in ("POST", "DELETE")},
    "GET /v1/rules": REVIEWERS,
    "POST /v1/rules/explanation": REVIEWERS,
    **{f"POST /v1/rules/{action}": OPERATOR for action in ("check", "completion", "assessment", "measurement")},
    **{f"GET /v1/rules/drafts{rest}": REVIEWERS for rest in ("", "/{number}")},
    **{f"POST /v1/rules/drafts{rest}": OPERATOR for rest in ("", "/{number}/presence")},
    **{f"{method} /v1/rules/drafts/{{number}}": OPERATOR for method in ("PUT", "DELETE")},
    "GET /v1/keys": KEY_READERS,
    "POST /v1/keys": REVIEWERS,
    "DELETE /v1/keys/{fingerprint}": KEY_READERS,
    **{
        f"GET /v1/audit/{address}": SUPERVISOR
        for address in ("releases", "releases/{release_id}", "digests", "report/{year}")
    },
    "GET /v1/audit/decisions": AUDITORS,
    **{
        f"GET /v1/audit/decisions/{{decision_id}}{part}": AUDITORS for part in ("", "/explanation", "/replay", "/proof")
    },
    "GET /v1/today": REVIEWERS,
    "GET /v1/monitor": WATCHERS,
    "GET /v1/monitor/population": WATCHERS,
    "GET /v1/evidence/contributors": WATCHERS,
    "GET /v1/evidence/submissions": OPERATOR,
    "GET /v1/evidence/submissions/{submission_id}": OPERATOR,
    "POST /v1/evidence/imports/dry-run": OPERATOR,
    "POST /v1/evidence/imports": OPERATOR,
    **{f"GET /v1/callers/{address}": CALLER_READERS for address in ("tokens", "services", "callbacks")},
    "POST /v1/callers/callbacks/{message_id}/resend": CALLER_READERS,
    "GET /v1/tokens": ADMIN,
    "POST /v1/tokens": ADMIN,
    "POST /v1/tokens/{token_id}/rotate": ADMIN,
    "DELETE /v1/tokens/{token_id}": ADMIN,
}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppContext]:
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('roles') / 'iftah.db'}")
    context = AppContext(database, Evaluators(rules_folder.load_folder(ROOT / "rules")))
    yield context
    context.evaluators.close()
    database.dispose()


@pytest.fixture(scope="module")
def routes(context: AppContext) -> dict[str, tuple[str, str]]:
    """Each route as listed in `ROLES`, with its method and a matching path."""
    addresses = {}
    for path, methods in create_app(context).openapi()["paths"].items():
        for method in methods:
            addresses[f"{method.upper()} {path}"] = (method.upper(), re.sub(r"\{\w+\}", "0" * 16, path))
    return addresses


def test_every_route_states_its_roles(routes: dict[str, tuple[str, str]]) -> None:
    assert set(routes) == set(ROLES)


def test_no_route_but_the_metrics_is_hidden_from_the_document() -> None:
    hidden = {
        r.path for router in ROUTERS for r in router.routes if isinstance(r, APIRoute) and not r.include_in_schema
    }
    assert hidden == {"/metrics"}


def test_a_route_accepts_its_roles_and_no_other(context: AppContext, routes: dict[str, tuple[str, str]]) -> None:
    client = TestClient(create_app(context), raise_server_exceptions=False)
    secrets = {role: tokens.issue(context.database, role, f"a-{role}", role, clock.now()).secret for role in auth.ROLES}
    problems = []
    for name, (method, path) in routes.items():
        answers = {role: _request(client, method, path, secret) for role, secret in secrets.items()}
        answers[""] = _request(client, method, path, None)
        for role, (status, code) in answers.items():
            allowed = ROLES[name] == PUBLIC or role in ROLES[name]
            expected = (401, "no_token") if not role else (403, "wrong_role")
            is_admitted = code == "look_needed" or status not in (401, 403, 500)
            is_expected = is_admitted if allowed else (status, code) == expected
            if not is_expected:
                problems.append(f"{name} as {role or 'nobody'}: {status} {code}")
    assert problems == []


def test_every_group_of_routes_is_a_scope(routes: dict[str, tuple[str, str]]) -> None:
    groups = {path.split("/")[2] for name, (_, path) in routes.items() if ROLES.get(name)}
    assert groups <= set(auth.SCOPES)


def _request(client: TestClient, method: str, path: str, secret: str | None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    body: dict[str, Any] = {} if method == "GET" else {"json": {}}
    response = client.request(method, path, headers=headers, **body)
    payload = response.json() if response.content else {}
    return response.status_code, payload.get("code", "") if isinstance(payload, dict) else ""
