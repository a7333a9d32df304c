"""Signing in and out, in a real browser and by hostile requests."""

from collections.abc import Callable

import httpx2
import pytest

from api.access import sessions, tokens
from api.console.visits import COOKIE, local_address
from api.runtime.context import AppContext
from api.store import clock
from tests.api.console.browser import Visitor

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]


def test_a_person_signs_in_by_a_token_and_out_again(visitor: Open, token: Issue) -> None:
    window = visitor()
    window.page.goto("/confirm?next=/callers")
    assert "/sign-in?next=%2Fconfirm%3Fnext%3D%2Fcallers" in window.page.url
    assert window.violations() == []
    window.sign_in(token("admin", "root"), "/confirm")
    assert window.violations() == []
    cookie = next(c for c in window.context.cookies() if c["name"] == COOKIE)
    assert cookie["httpOnly"]
    assert cookie["secure"]
    assert cookie["sameSite"] == "Lax"
    window.page.click("header form button")
    assert "/sign-in" in window.page.url
    assert window.page.inner_text("[role=status]") == "You are signed out."


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", ["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_page_can_be_used_by_everyone(visitor: Open, language: str, width: str, scheme: str) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    window.page.goto("/sign-in")
    assert window.page.get_attribute("html", "lang") == language
    assert window.violations() == []
    window.screen("sign-in")
    window.page.fill("input[name=token]", "iftah_wrong")
    window.page.keyboard.press("Enter")
    window.page.wait_for_selector("[role=alert]")
    assert window.violations() == []


def test_a_ticket_opens_one_session(visitor: Open, town: AppContext, address: str) -> None:
    issued = tokens.issue(town.database, "admin", "root", "demo", clock.now()).token
    content = {"token": issued.id, "role": issued.role, "party": issued.party, "next": "/confirm"}
    ticket = sessions.begin_sign_in(town.database, "ticket", content, clock.now())
    forwarded = httpx2.get(f"{address}/sign-in/ticket?ticket={ticket}", headers={"X-Forwarded-For": "1.2.3.4"})
    foreign = httpx2.get(f"{address}/sign-in/ticket?ticket={ticket}", headers={"Host": "iftah.example"})
    assert forwarded.status_code == foreign.status_code == 403
    window = visitor()
    window.page.goto(f"/sign-in/ticket?ticket={ticket}")
    assert window.page.inner_text(".party") == "Administrator · root"
    assert httpx2.get(f"{address}/sign-in/ticket?ticket={ticket}").status_code == 401


def test_a_session_ends_with_its_token(town: AppContext, signed_in: SignIn, token: Issue) -> None:
    client = signed_in(token("admin", "root"))
    assert client.get("/confirm").status_code == 200
    tokens.revoke(town.database, "admin", clock.now())
    assert client.get("/confirm").status_code == 303


def test_a_secret_that_was_there_before_stands_for_nobody_after_signing_in(address: str, token: Issue) -> None:
    answer = httpx2.post(
        f"{address}/sign-in", data={"token": token("admin", "root")}, headers={"Cookie": f"{COOKIE}=planted"}
    )
    assert f"{COOKIE}=planted" not in answer.headers["set-cookie"]
    assert httpx2.get(f"{address}/confirm", headers={"Cookie": f"{COOKIE}=planted"}).status_code == 303


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_another_site_can_neither_write_nor_sign_a_browser_in(
    address: str, signed_in: SignIn, token: Issue, headers: dict[str, str]
) -> None:
    secret = token("admin", "root")
    assert httpx2.post(f"{address}/sign-in", data={"token": secret}, headers=headers).status_code == 403
    client = signed_in(secret)
    assert client.post("/sign-out", headers=headers).status_code == 403
    assert client.get("/confirm").status_code == 200


def test_a_form_without_the_sessions_own_token_does_nothing(signed_in: SignIn, token: Issue) -> None:
    client, other = signed_in(token("admin", "root")), signed_in(token("admin", "eve"))
    csrf = other.get("/confirm").text.split('name="csrf" value="')[1].split('"')[0]
    for form in ({}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": csrf}):
        assert client.post("/sign-out", data=form).status_code == 403
    assert client.get("/confirm").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        *("https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)"),
        *("/\t/evil.example", "/ /x", "http:evil.example", "", "evil.example", "///evil.example"),
    ],
)
def test_nobody_is_sent_to_another_site(address: str, token: Issue, target: str) -> None:
    assert local_address(target) == "/"
    secret = token("admin", "root")
    signed = httpx2.post(f"{address}/sign-in", data={"token": secret, "next": target})
    assert signed.headers["location"] == "/callers"
    language = httpx2.get(f"{address}/language/zh", params={"next": target})
    assert language.headers["location"] == "/"


def test_no_other_site_may_frame_a_page_or_load_into_it(address: str) -> None:
    answer = httpx2.get(f"{address}/sign-in")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"


def test_who_guesses_tokens_is_slowed_down_as_at_the_api(address: str) -> None:
    statuses = {httpx2.post(f"{address}/sign-in", data={"token": "iftah_guess"}).status_code for _ in range(5)}
    assert statuses == {401}


def test_a_browser_gets_a_page_for_an_address_without_one(visitor: Open, address: str) -> None:
    window = visitor()
    assert window.page.goto("/no/such/page").status == 404  # type: ignore[union-attr]
    assert window.page.inner_text("h1") == "There is no such page"
    assert window.violations() == []
    assert httpx2.get(f"{address}/no/such/page").json()["code"] == "not_found"
