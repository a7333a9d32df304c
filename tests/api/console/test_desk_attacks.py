"""Attacks on the pages of merchants and people: stored script, forged writes, open redirects, and ids of others."""

from collections.abc import Callable

import httpx2
import pytest
from playwright.sync_api import Dialog

from api.http.return_urls import validate_return_url
from tests.api.console.browser import Visitor
from tests.api.console.town_server import CLASSES, TownServer

Open = Callable[..., Visitor]
SignIn = Callable[[str], httpx2.Client]
SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'{{7*7}}"
SHORT = "<img src=x onerror=alert(1)>\"'{{7*7}}"
PAGES_OF_PEOPLE = ("/me", "/me/inquiries", "/me/consents", "/me/groups", "/me/evidence", "/me/orders", "/me/leave")


def assert_harmless(window: Visitor, *paths: str) -> None:
    """No script of a text runs, and the text is shown as it is written."""
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    window.page.on("dialog", note)
    for path in paths:
        window.page.goto(path)
        assert window.page.locator("main img").count() == 0
        assert window.page.locator("main script").count() == 0
        assert "49" not in window.page.inner_text("main").split()
    assert dialogs == []


def test_no_text_that_anyone_can_send_runs_as_a_script(visitor: Open, town_server: TownServer) -> None:
    merchant, person = SHORT, town_server.people[0]
    token = town_server.token("merchant", merchant)
    town_server.call("PUT", "/v1/services/rooms", token, {"perk": "hotel"})
    request = town_server.call(
        "POST", "/v1/consents", token, {"service": "rooms", "subject": person, "classes": CLASSES}
    )
    own = town_server.token("subject", person)
    window = visitor()
    window.sign_in(own, request["page"])
    assert SHORT in window.page.inner_text("h1")
    assert_harmless(window, request["page"], "/me", "/me/consents")
    town_server.consent(merchant, person)
    order = town_server.order(merchant, person, text=SHORT)
    town_server.call("POST", f"/v1/me/orders/{order['order_id']}/confirm", own)
    town_server.call("POST", f"/v1/me/orders/{order['order_id']}/dispute", own, {"statement": SCRIPT})
    inquiry = town_server.call("GET", "/v1/me/inquiries", own)["items"][0]
    town_server.call("POST", "/v1/me/reviews", own, {"decision_id": inquiry["decision_id"], "statement": SCRIPT})
    item = next(one for one in town_server.call("GET", "/v1/me/evidence", own)["items"] if one["data_class"])
    objection = {"contributor": item["contributor"], "event_id": item["event_id"], "statement": SCRIPT}
    town_server.call("POST", "/v1/me/disputes", own, objection)
    assert_harmless(window, *PAGES_OF_PEOPLE)
    window.page.goto("/me/evidence")
    assert SCRIPT in window.page.inner_text("main")
    shop = visitor()
    shop.sign_in(token)
    assert_harmless(shop, "/orders", "/orders/O-1", "/callbacks", "/services", "/integration")
    shop.page.goto("/orders/O-1")
    assert SCRIPT in shop.page.inner_text("main")
    query = "service=%3Cscript%3E&subject=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&amount=%3Cimg%3E"
    assert_harmless(
        shop, f"/ask?{query}", "/sandbox?person=%3Cscript%3E&steps=%3Cimg%3E&amount=1", f"/orders/{'%3Cscript%3E'}"
    )


@pytest.mark.parametrize(
    "path",
    [
        "/me/leave",
        "/me/consents/withdraw",
        "/me/evidence/objections",
        "/ask",
        "/services",
        "/callbacks/secret",
        "/sandbox/callback",
    ],
)
def test_another_site_writes_nothing(town_server: TownServer, signed_in: SignIn, path: str) -> None:
    role, party = ("subject", town_server.people[0]) if path.startswith("/me") else ("merchant", "inn")
    client = signed_in(town_server.token(role, party))
    fields = {"word": "leave", "confirm": "leave"}
    assert client.post(path, data=fields).status_code == 403
    forged = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert client.post(path, data=fields, headers=forged).status_code == 403
    assert client.post(path, data=fields | {"csrf": "guess"}).status_code == 403


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/me",
        "http://inn.example/",
        "https://inn.example@evil.example/",
        'https://inn.example/"onclick=alert(1)',
        "https://inn.example/a b",
        "https:///nowhere",
        "https://inn.example:port/",
        "https://exa\u0301mple.example/",
        "\x01https://inn.example/",
    ],
)
def test_a_return_address_leads_only_to_a_plain_page_of_the_merchants(town_server: TownServer, url: str) -> None:
    form = {"service": "rooms", "subject": "p-1", "classes": CLASSES, "return_url": url}
    answer = town_server.call("POST", "/v1/consents", town_server.token("merchant", "inn"), form)
    assert answer["code"] == "bad_request"
    with pytest.raises(ValueError, match="should"):
        validate_return_url(url)


def test_no_parameter_of_the_consent_page_chooses_the_way_back(town_server: TownServer, signed_in: SignIn) -> None:
    person = town_server.people[0]
    form = {"service": "rooms", "subject": person, "classes": CLASSES, "return_url": "https://inn.example/back"}
    page = town_server.call("POST", "/v1/consents", town_server.token("merchant", "inn"), form)["page"]
    client = signed_in(town_server.token("subject", person))
    evil = dict.fromkeys(("return_url", "next", "return", "redirect", "url"), "https://evil.example")
    assert '"https://evil.example' not in client.get(page, params=evil).text
    csrf = client.get(page).text.split('name="csrf" value="')[1].split('"')[0]
    answer = client.post(f"{page}/decline", data=evil | {"csrf": csrf}, params=evil)
    assert answer.headers["location"] == page
    after = client.get(page, params=evil).text
    assert '"https://evil.example' not in after
    assert 'href="https://inn.example/back"' in after


def test_ids_of_others_give_nothing(town_server: TownServer, signed_in: SignIn) -> None:
    owner, other = town_server.people[:2]
    town_server.consent("inn", owner)
    order = town_server.order("inn", owner, text="secret stay")
    request = town_server.call(
        "POST",
        "/v1/consents",
        town_server.token("merchant", "inn"),
        {"service": "rooms", "subject": owner, "classes": ["identity"]},
    )
    own = town_server.token("subject", owner)
    inquiry = town_server.call("GET", "/v1/me/inquiries", own)["items"][0]
    item = next(one for one in town_server.call("GET", "/v1/me/evidence", own)["items"] if one["data_class"])
    objection = {"contributor": item["contributor"], "event_id": item["event_id"]}
    dispute = town_server.call("POST", "/v1/me/disputes", own, objection)
    stranger, rival = signed_in(town_server.token("subject", other)), signed_in(town_server.token("merchant", "rival"))
    csrf_of = {client: _csrf(client) for client in (stranger, rival)}
    for client, path in ((stranger, request["page"]), (rival, f"/ask/consents/{request['id']}")):
        assert client.get(path).status_code == 404
    for path in (f"/ask/{inquiry['decision_id']}", "/orders/O-1"):
        answer = rival.get(path)
        assert answer.status_code == 404
        assert "secret stay" not in answer.text
    writes = [
        (stranger, f"{request['page']}/grant", {"classes": "identity"}),
        (stranger, f"{request['page']}/decline", {}),
        (stranger, f"/me/orders/{order['order_id']}/confirm", {}),
        (stranger, f"/me/orders/{order['order_id']}/dispute", {"statement": "x"}),
        (stranger, f"/me/inquiries/{inquiry['decision_id']}/review", {}),
        (stranger, f"/me/evidence/objections/{dispute['dispute_id']}/statement", {"statement": "x"}),
        (stranger, "/me/evidence/objections", objection),
        (rival, "/orders/O-1/cancel", {"reason": "x"}),
        (rival, f"/ask/{inquiry['decision_id']}/order", {"out_order_no": "R-1", "introduction": "x"}),
        (rival, f"/callbacks/msg_{'0' * 32}/resend", {}),
    ]
    for client, path, fields in writes:
        assert client.post(path, data=fields | {"csrf": csrf_of[client]}).status_code == 404, path
    assert town_server.call("GET", f"/v1/me/consents/{request['id']}", own)["state"] == "asked"
    assert town_server.call("GET", "/v1/orders/O-1", town_server.token("merchant", "inn"))["state"] == "created"


@pytest.mark.parametrize("part", ["..%2f..%2fme", "%2e%2e", "x%3Fafter=1", "x%23", "%00", "a%0d%0ab", "|", "中文"])
def test_a_hostile_id_leads_to_no_other_route(town_server: TownServer, signed_in: SignIn, part: str) -> None:
    client = signed_in(town_server.token("merchant", "inn"))
    for path in (f"/orders/{part}", f"/ask/{part}", f"/services/{part}", f"/ask/consents/{part}"):
        assert client.get(path).status_code in (404, 422), path


def test_no_page_of_a_merchant_shows_a_score_or_reasons(town_server: TownServer, signed_in: SignIn) -> None:
    person = town_server.people[-1]
    town_server.consent("inn", person)
    own = town_server.call("GET", "/v1/me", town_server.token("subject", person))
    decision = town_server.ask("inn", person, 1_500_000)
    client = signed_in(town_server.token("merchant", "inn"))
    for path in ("/ask", f"/ask/{decision['decision_id']}", "/orders", "/services", "/callbacks", "/integration"):
        text = client.get(path).text
        assert str(own["score"]) not in text
        assert not any(reason["text"] in text for reason in own["reasons"])


def _csrf(client: httpx2.Client) -> str:
    for path in ("/me/leave", "/callbacks/check"):
        answer = client.get(path)
        if answer.status_code == 200:
            return answer.text.split('name="csrf" value="')[1].split('"')[0]
    raise AssertionError("no page has a form")
