"""A merchant's day in a browser: sign up, ask, order, complete, callback, reconcile. And the sandbox."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from api.jobs.sender import send_all
from api.store import clock
from api.store.database import reading
from api.store.tables import DECISIONS, EVENTS, MESSAGES, ORDERS
from tests.api.callback_receiver import run_receiver
from tests.api.console.browser import Visitor
from tests.api.console.town_server import TownServer

Open = Callable[..., Visitor]


@pytest.fixture
def private_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IFTAH_ALLOW_PRIVATE_CALLBACKS", "true")


def test_a_merchants_day(
    visitor: Open, town_server: TownServer, private_callbacks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = town_server.people[0]
    window = visitor()
    page = window.page
    with run_receiver() as hook:
        window.sign_in(town_server.token("merchant", "bikes"))
        assert "First sign up" in page.inner_text("main")
        page.click("main a.button")
        page.fill("[name=id]", "rooms")
        page.select_option("[name=perk]", "hotel")
        page.fill("[name=callback]", hook.url)
        page.click("main button")
        assert page.inner_text("[role=status]") == "The terms are in force."

        page.click("nav.pages >> text=Ask")
        page.fill("[name=subject]", person)
        page.fill("[name=amount]", "500")
        page.fill("[name='context.nights']", "2")
        page.click("main button")
        assert "there is no consent" in page.inner_text("[role=alert]")
        page.fill("[name=return_url]", "https://bikes.example/back?id=7")
        page.click("text=Ask for consent")
        consent = page.input_value("#consent-address")
        assert re.fullmatch(rf"{window.base}/consent/[0-9a-f]{{32}}", consent)
        assert window.violations() == []

        grant = f"/v1/me/consents/{consent.rpartition('/')[2]}/grant"
        town_server.call(
            "POST", grant, town_server.token("subject", person), {"classes": ["identity", "behaviour", "credit"]}
        )
        page.click("text=Look again")
        page.click("main a.button")
        page.fill("[name=subject]", person)
        page.fill("[name=amount]", "500.00")
        page.fill("[name='context.nights']", "2")
        page.click("main button.big")
        assert "No deposit" in page.inner_text(".verdict")
        assert window.violations() == []

        page.fill("[name=out_order_no]", "B-1")
        page.fill("[name=introduction]", "two nights")
        page.check("[name=confirmed]")
        page.click("text=Make the order")
        assert "In service" in page.inner_text("main")
        page.click("text=Complete: the service has ended")
        page.fill("form[action$=complete] [name=name0]", "two nights")
        page.fill("form[action$=complete] [name=amount0]", "420.00")
        page.click("form[action$=complete] button")
        assert "To be paid" in page.inner_text("main")
        page.click("text=Report the payment >> nth=0")
        assert "Nothing: the order is closed." in page.inner_text("main")
        assert window.violations() == []

        with ThreadPoolExecutor(1) as threads:  # the browser's driver has a loop in this thread
            threads.submit(send_all, town_server.context.database, clock.now(), allow_private=True).result(60)
        page.click("nav.pages >> text=Callbacks")
        assert page.locator("tbody tr").count() == 4
        assert page.locator("tbody .badge.good").count() == 4
        page.click("tbody button >> nth=0")
        assert page.locator("tbody .badge.warn").count() == 1
        assert window.violations() == []

    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    window.sign_in(town_server.token("merchant", "bikes"), "/reconciliation")
    assert page.locator("tbody tr").count() == 4
    assert "¥420.00" in page.inner_text(".figures")
    assert "sha-256=:" in page.inner_text("main")
    assert window.violations() == []
    with page.expect_download() as download:
        page.click("text=Download")
    assert len(download.value.path().read_text().splitlines()) == 4


def test_a_wrong_form_keeps_what_was_typed(visitor: Open, town_server: TownServer) -> None:
    window = visitor()
    window.sign_in(town_server.token("merchant", "inn"), "/ask")
    window.page.fill("[name=subject]", "p-1")
    window.page.fill("[name=amount]", "a lot")
    window.page.click("main button.big")
    assert "Give the deposit as a number" in window.page.inner_text("[role=alert]")
    assert window.page.input_value("[name=subject]") == "p-1"
    window.page.goto("/services/new")
    window.page.fill("[name=id]", "Not Small")
    window.page.fill("[name=callback]", "https://127.0.0.1/hook")
    window.page.click("main button")
    assert window.page.locator("[role=alert]").count() == 1
    assert window.page.input_value("[name=id]") == "Not Small"


def test_a_list_of_people_is_not_opened_by_chance(visitor: Open, town_server: TownServer) -> None:
    token = town_server.token("merchant", "inn")
    town_server.call("PUT", "/v1/services/rooms", token, {"perk": "hotel", "allowed": ["p-1", "p-2"]})
    window = visitor()
    window.sign_in(token, "/services/rooms")
    window.page.click("text=Save as a new version")
    assert "List at least one person" in window.page.inner_text("[role=alert]")
    assert town_server.call("GET", "/v1/services/rooms", token)["service"]["allowed_people"] == 2


def test_the_sandbox_walks_to_the_end_and_records_nothing(
    visitor: Open, town_server: TownServer, private_callbacks: None
) -> None:
    tables = (DECISIONS, ORDERS, MESSAGES, EVENTS)

    def counts() -> list[int]:
        with reading(town_server.context.database) as connection:
            return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    token = town_server.token("merchant", "inn")
    with run_receiver() as hook:
        town_server.call("PUT", "/v1/services/rooms", token, {"perk": "hotel", "callback": hook.url})
        before = counts()
        window = visitor()
        window.sign_in(token, "/sandbox")
        for person, words in (
            ("sandbox-no-consent", "No consent"),
            ("sandbox-unscorable", "Take the whole deposit"),
            ("sandbox-decline", "Take the whole deposit"),
            ("sandbox-partial", "CN¥250.00 of CN¥500.00 is waived."),
            ("sandbox-admit", "No deposit"),
        ):
            window.page.select_option("[name=person]", person)
            window.page.click("form.till button")
            assert words in window.page.inner_text(".verdict")
            assert "Nothing is recorded" in window.page.inner_text(".sandbox-mark")
        for step in ("Make the order", "The person confirms", "Complete: the service has ended", "Let 30 days pass"):
            window.page.click(f"text={step}")
            assert "Nothing is recorded" in window.page.inner_text(".sandbox-mark")
        assert "Overdue" in window.page.inner_text("main")
        assert window.violations() == []
        window.page.click("text=Send it to")
        assert "Your server answered 200." in window.page.inner_text("main")
        window.page.click("text=Report the payment")
        assert "Paid" in window.page.inner_text("main")
        assert counts() == before
        ((headers, body),) = hook.requests
    assert '"sandbox": true' in body
    _check_signature(window, headers, body)


def _check_signature(window: Visitor, headers: dict[str, str], body: str) -> None:
    """Paste the message, then a changed one."""
    lines = "\n".join(f"{name}: {headers[name]}" for name in ("webhook-id", "webhook-timestamp", "webhook-signature"))
    window.page.goto("/callbacks/check")
    for text, words in ((body, "The signature is ours."), (body.replace("overdue", "settled"), "does not match")):
        window.page.fill("[name=headers]", lines)
        window.page.fill("[name=body]", text)
        window.page.click("main form button")
        assert words in window.page.inner_text("[role=status]")
        assert window.violations() == []


def test_the_token_of_the_integration_page_stays_in_the_browser(visitor: Open, town_server: TownServer) -> None:
    token, window = town_server.token("merchant", "inn"), visitor()
    window.sign_in(token, "/integration")
    requests: list[str] = []
    window.page.on("request", lambda request: requests.append(request.url + (request.post_data or "")))
    window.page.fill("#own-token", token)
    assert f"Bearer {token}" in window.page.inner_text("#r-ask")
    assert "$MERCHANT" not in window.page.inner_text("main pre >> nth=0")
    assert window.violations() == []
    window.page.click("nav.pages >> text=Ask")
    assert [text for text in requests if token in text] == []
    window.page.goto("/integration")
    assert "$MERCHANT" in window.page.inner_text("#r-ask")


def test_a_secret_can_be_read_and_replaced(visitor: Open, town_server: TownServer) -> None:
    window = visitor()
    window.sign_in(town_server.token("merchant", "inn"), "/callbacks/secret")
    first = window.page.input_value("#callback-secret")
    window.page.click("text=Make a new secret")
    assert window.page.input_value("#callback-secret") != first
    assert first in window.page.inner_text("main")
    key = base64.b64decode(first.removeprefix("whsec_"))
    assert hmac.new(key, b"", hashlib.sha256).digest_size == 32


def test_reading_works_without_scripts_and_by_keyboard(visitor: Open, town_server: TownServer) -> None:
    window = visitor(scripts=False)
    window.sign_in(town_server.token("merchant", "inn"))
    for path in ("/ask", "/orders", "/services", "/services/rooms", "/callbacks", "/integration", "/sandbox"):
        assert window.page.goto(path).status == 200  # type: ignore[union-attr]
        assert window.page.inner_text("h1")
    keyboard = visitor()
    keyboard.sign_in(town_server.token("merchant", "inn"), "/sandbox")
    for _ in range(40):
        keyboard.page.keyboard.press("Tab")
        if keyboard.page.evaluate("document.activeElement.textContent") == "Ask":
            focused = keyboard.page.evaluate("document.activeElement.tagName")
            if focused == "BUTTON":
                break
    keyboard.page.keyboard.press("Enter")
    keyboard.page.wait_for_selector(".verdict")
