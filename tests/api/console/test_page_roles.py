"""Each page with every role and without one: only the roles listed here get in."""

import re

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from api.access import auth, sessions, tokens
from api.console.navigation import PAGES
from api.console.router import ROUTERS
from api.console.visits import COOKIE
from api.http.app import create_app
from api.runtime.context import AppContext
from api.store import clock

PUBLIC: tuple[str, ...] = auth.ROLES
OPERATOR, REVIEWERS, MERCHANT, SUBJECT = ("operator",), ("operator", "approver"), ("merchant",), ("subject",)
SUPERVISOR, CALLER_READERS = ("supervisor",), ("operator", "admin")
ROLES: dict[str, tuple[str, ...]] = {
    "GET /": PUBLIC,
    "GET /static/{name}": PUBLIC,
    "GET /language/{language}": PUBLIC,
    "GET /sign-in": PUBLIC,
    "POST /sign-in": PUBLIC,
    "GET /sign-in/ticket": PUBLIC,
    "GET /sign-in/oidc": PUBLIC,
    "GET /sign-in/oidc/callback": PUBLIC,
    "POST /sign-out": PUBLIC,
    "GET /confirm": PUBLIC,
    "POST /confirm": PUBLIC,
    "GET /today": REVIEWERS,
    "GET /today/answers.csv": REVIEWERS,
    **{f"GET /releases{part}": REVIEWERS for part in ("", "/compare", "/keys", "/{number}", "/{number}/progress")},
    "GET /releases/{number}/guards": REVIEWERS,
    "GET /releases/break-glass": OPERATOR,
    **{f"POST /releases/{part}": REVIEWERS for part in ("keys", "keys/{fingerprint}/revocation", "rollback")},
    "POST /releases/{number}/{step}": REVIEWERS,
    **{f"POST /releases/break-glass{part}": OPERATOR for part in ("", "/end")},
    "GET /cases": OPERATOR,
    "GET /cases/next": OPERATOR,
    "GET /cases/{kind}/{name}": OPERATOR,
    "POST /cases/reviews/{name}/look": OPERATOR,
    "POST /cases/{kind}/{name}": OPERATOR,
    "GET /network": OPERATOR,
    "GET /people": OPERATOR,
    "POST /people/look": OPERATOR,
    "GET /people/{person:path}": OPERATOR,
    "GET /decisions": OPERATOR,
    "GET /decisions/{decision}": OPERATOR,
    "POST /decisions/{decision}/look": OPERATOR,
    "GET /features": OPERATOR,
    "GET /features/{feature}": OPERATOR,
    "GET /audit": SUPERVISOR,
    "GET /audit/decisions/{decision}": SUPERVISOR,
    "GET /audit/releases": SUPERVISOR,
    "GET /audit/releases/{release}": SUPERVISOR,
    "GET /audit/changes/{number}": SUPERVISOR,
    "GET /audit/chain": SUPERVISOR,
    "GET /audit/report": SUPERVISOR,
    "GET /audit/looks": SUPERVISOR,
    "GET /rules": REVIEWERS,
    "GET /rules/file": REVIEWERS,
    "POST /rules/explanation": REVIEWERS,
    "POST /rules/drafts": OPERATOR,
    **{f"{method} /rules/drafts/{{number}}": OPERATOR for method in ("GET", "POST")},
    **{
        f"{method} /rules/drafts/{{number}}/{page}": OPERATOR
        for method in ("GET", "POST")
        for page in ("try", "moves", "proposal")
    },
    **{
        f"POST /rules/drafts/{{number}}/{action}": OPERATOR
        for action in ("text", "file", "deletion", "check", "completion")
    },
    **{f"POST /rules/drafts/{{number}}/{action}": OPERATOR for action in ("explanation", "presence")},
    "GET /monitor": REVIEWERS,
    "GET /monitor/{name}.csv": REVIEWERS,
    "GET /evidence": OPERATOR,
    "GET /evidence/submissions/{submission}": OPERATOR,
    "GET /evidence/import": OPERATOR,
    "POST /evidence/import": OPERATOR,
    "POST /evidence/import/confirm": OPERATOR,
    "GET /callers": CALLER_READERS,
    "GET /callers/services": CALLER_READERS,
    "GET /callers/tokens": CALLER_READERS,
    "POST /callers/callbacks/{message}/resend": CALLER_READERS,
    "GET /integration": MERCHANT,
    "GET /me/inquiries": SUBJECT,
    "POST /me/inquiries/{decision_id}/review": SUBJECT,
    "GET /me/leave": SUBJECT,
    "GET /me/leave/confirm": SUBJECT,
    "POST /me/leave": SUBJECT,
    "GET /me/export.json": SUBJECT,
    "GET /me/groups": SUBJECT,
    "POST /me/groups": SUBJECT,
    "POST /me/groups/deletion": SUBJECT,
    "GET /me/consents": SUBJECT,
    "POST /me/consents": SUBJECT,
    "POST /me/consents/withdraw": SUBJECT,
    "GET /consent/{request_id}": SUBJECT,
    "POST /consent/{request_id}/grant": SUBJECT,
    "POST /consent/{request_id}/decline": SUBJECT,
    "GET /me/evidence": SUBJECT,
    "POST /me/evidence/objections": SUBJECT,
    "POST /me/evidence/objections/{dispute_id}/statement": SUBJECT,
    "GET /me/evidence/numbers": SUBJECT,
    "GET /services": MERCHANT,
    "GET /services/new": MERCHANT,
    "POST /services": MERCHANT,
    "GET /services/{service}": MERCHANT,
    "GET /me": SUBJECT,
    "GET /callbacks": MERCHANT,
    "POST /callbacks/{message_id}/resend": MERCHANT,
    "GET /callbacks/secret": MERCHANT,
    "POST /callbacks/secret": MERCHANT,
    "GET /callbacks/check": MERCHANT,
    "POST /callbacks/check": MERCHANT,
    "GET /reconciliation": MERCHANT,
    "GET /reconciliation/{day}.ndjson": MERCHANT,
    "GET /sandbox": MERCHANT,
    "POST /sandbox/callback": MERCHANT,
    "GET /orders": MERCHANT,
    "GET /orders/{out_order_no}": MERCHANT,
    "POST /orders/{out_order_no}/{action}": MERCHANT,
    "GET /me/orders": SUBJECT,
    "POST /me/orders/{order_id}/confirm": SUBJECT,
    "POST /me/orders/{order_id}/dispute": SUBJECT,
    "GET /ask": MERCHANT,
    "POST /ask": MERCHANT,
    "GET /ask/{decision_id}": MERCHANT,
    "POST /ask/{decision_id}/order": MERCHANT,
    "POST /ask/consents": MERCHANT,
    "GET /ask/consents/{request_id}": MERCHANT,
}
PAGE_ROUTES = {
    f"{method} {route.path}"
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
}


def test_every_page_states_its_roles() -> None:
    assert set(ROLES) == PAGE_ROUTES


@pytest.mark.parametrize("name", [name for name in ROLES if ROLES[name] != PUBLIC])
def test_a_page_accepts_its_roles_and_no_other(town: AppContext, name: str) -> None:
    method, path = name.split(" ")
    address = re.sub(r"\{\w+\}", "0" * 16, path)
    client = TestClient(create_app(town), raise_server_exceptions=False, follow_redirects=False)
    problems = []
    for role in auth.ROLES:
        token = tokens.issue(town.database, role, f"a-{role}", role, clock.now()).token
        caller = auth.Caller(token.id, role, f"a-{role}")
        secret = sessions.open_session(town.database, caller, clock.now())
        session = sessions.find_session(town.database, secret, clock.now())
        assert session is not None
        answer = client.request(method, address, headers={"Cookie": f"{COOKIE}={secret}", "X-CSRF": session.csrf})
        is_refused = answer.status_code == 403 and "not for your role" in answer.text
        if is_refused == (role in ROLES[name]) or answer.status_code == 500:
            problems.append(f"{role}: {answer.status_code}")
    nobody = client.request(method, address)
    assert nobody.status_code == 303
    assert nobody.headers["location"].startswith("/sign-in")
    assert problems == []


def test_every_page_of_the_navigation_exists() -> None:
    addresses = {address for pages in PAGES.values() for address, _ in pages}
    assert {address for address in addresses if f"GET {address}" not in PAGE_ROUTES} == set()
