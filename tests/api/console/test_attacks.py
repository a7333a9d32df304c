"""Attacks that could aim at any page: each page is tried."""

import re

import pytest
from fastapi.testclient import TestClient

from api.access import sessions, tokens
from api.access.auth import Caller
from api.console.visits import COOKIE
from api.http.app import create_app
from api.runtime.context import AppContext
from api.store import clock
from tests.api.console.test_page_roles import PUBLIC, ROLES

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
WRITES = [name for name, roles in ROLES.items() if not name.startswith("GET ") and roles != PUBLIC]
READS = [name for name, roles in ROLES.items() if name.startswith("GET ") and roles != PUBLIC]


class PageClient:
    """Requests of somebody who signed in, in each role."""

    def __init__(self, context: AppContext) -> None:
        self.client = TestClient(create_app(context), raise_server_exceptions=False, follow_redirects=False)
        self.secrets = dict[str, str]()
        self.csrf = dict[str, str]()
        for role in {role for roles in ROLES.values() for role in roles}:
            token = tokens.issue(context.database, role, f"a-{role}", role, clock.now()).token
            caller = Caller(token.id, role, f"a-{role}")
            self.secrets[role] = sessions.open_session(context.database, caller, clock.now())
            session = sessions.find_session(context.database, self.secrets[role], clock.now())
            assert session is not None
            self.csrf[role] = session.csrf


@pytest.fixture(scope="module")
def pages(module_town: AppContext) -> PageClient:
    return PageClient(module_town)


def address_of(path: str, filler: str = "0" * 16) -> str:
    return re.sub(r"\{[\w:]+\}", filler, path)


@pytest.mark.parametrize("name", WRITES)
def test_no_page_writes_for_another_site_or_without_the_sessions_token(pages: PageClient, name: str) -> None:
    method, path = name.split(" ")
    for role in ROLES[name]:
        cookie = {"Cookie": f"{COOKIE}={pages.secrets[role]}"}
        other = next(csrf for other_role, csrf in pages.csrf.items() if other_role != role)
        own = pages.csrf[role]
        attempts: tuple[dict[str, str], ...] = (
            *({}, {"X-CSRF": ""}, {"X-CSRF": other}),
            *({"X-CSRF": own, "Origin": "https://evil.example"}, {"X-CSRF": own, "Sec-Fetch-Site": "cross-site"}),
        )
        for headers in attempts:
            answer = pages.client.request(method, address_of(path), headers=cookie | headers)
            assert answer.status_code == 403, headers
            assert "did not come from a page of this session" in answer.text


@pytest.mark.parametrize("name", READS)
def test_no_page_can_be_framed_kept_or_made_to_say_what_an_address_says(pages: PageClient, name: str) -> None:
    _, path = name.split(" ")
    for role in ROLES[name]:
        headers = {"Cookie": f"{COOKIE}={pages.secrets[role]}"}
        names = (
            "next",
            "notice",
            "after",
            "q",
            "starts",
            "person",
            "perk",
            "reason",
            "state",
            "outcome",
            "from",
            "file",
            "service",
        )
        answer = pages.client.get(address_of(path), params=dict.fromkeys(names, SCRIPT), headers=headers)
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.status_code < 500
        inside = pages.client.get(address_of(path, "%3Cscript%3Ealert(1)%3C%2Fscript%3E"), headers=headers)
        assert "<script>alert" not in inside.text
        assert inside.status_code < 500
