"""A person's own pages in a browser: consent from the merchant's page, score, raise, object, review, export, leave."""

import json
from collections.abc import Callable

import pytest

from tests.api.console.browser import VIEWS, Visitor, forget_confirmations
from tests.api.console.town_server import CLASSES, TownServer

Open = Callable[..., Visitor]
WORDS = {"en": "leave", "zh": "注销"}  # that somebody types who leaves


def ask_consent(town_server: TownServer, person: str, **fields: object) -> str:
    """The address to which the merchant sends the person."""
    form = {"service": "rooms", "subject": person, "classes": [*CLASSES, "restricted"], **fields}
    return str(town_server.call("POST", "/v1/consents", town_server.token("merchant", "inn"), form)["page"])


def test_a_persons_story(visitor: Open, town_server: TownServer) -> None:
    person = town_server.people[-1]
    consent = ask_consent(town_server, person, return_url="https://inn.example/booked?id=17")
    window = visitor(width="narrow")
    page = window.page
    page.goto(consent)
    page.fill("input[name=token]", town_server.token("subject", person))
    page.click("main button")
    assert page.url.endswith(consent)
    assert page.locator("input:checked").count() == 0
    page.click("text=Allow what I ticked")
    assert "You ticked nothing" in page.inner_text("[role=alert]")
    page.check("[value=restricted]")
    page.click("text=Allow what I ticked")
    assert "Read the warning first" in page.inner_text("[role=alert]")
    assert window.violations() == []
    for name in ("identity", "behaviour", "credit"):
        page.check(f"[value={name}]")
    page.uncheck("[value=restricted]")
    page.click("text=Allow what I ticked")
    assert page.get_attribute("main a.button", "href") == "https://inn.example/booked?id=17"
    assert page.inner_text("main a.button >> nth=0") == "Back to inn.example"
    assert window.violations() == []
    town_server.ask("inn", person)

    page.goto("/me")
    assert int(page.text_content(".gauge-number") or 0) > 0
    assert "Band" in page.inner_text(".meaning")
    page.select_option("[name=goal]", "hotel")
    page.click("text=Show what helps")
    assert page.inner_text(".answer")
    assert window.violations() == []

    page.goto("/me/inquiries")
    assert "inn · rooms" in page.inner_text("article >> nth=0")
    page.click("summary >> nth=0")
    page.fill("textarea >> nth=0", "Look at my bill")
    page.click("text=Ask for a review")
    assert "A human looks at it." in page.inner_text("article >> nth=0")
    assert "Look at my bill" in page.inner_text("article >> nth=0")
    assert window.violations() == []

    page.goto("/me/evidence")
    page.click("text=Object >> nth=0")
    page.fill("article:has(details[open]) textarea", "I never did this")
    page.click("text=Object to this item >> visible=true")
    assert "I never did this" in page.inner_text("main")
    assert page.locator("text=You object").count() == 1
    assert window.violations() == []

    page.goto("/me/consents")
    count = page.locator("text=inn/rooms may ask about").count()
    page.click("text=Withdraw everything from it")
    assert (count, page.locator("text=inn/rooms may ask about").count()) == (1, 0)
    assert window.violations() == []

    page.goto("/me/leave")
    with page.expect_download() as download:
        page.click("text=Export >> visible=true >> nth=-1")
    assert json.loads(download.value.path().read_text())["person"] == person
    page.click("main a.danger")
    assert page.locator("dialog[open]").count() == 1
    assert window.violations() == []
    page.fill("dialog [name=word]", "stay")
    page.click("dialog button")
    assert "Nothing was erased" in page.inner_text("[role=alert]")
    page.fill("[name=word]", "leave")
    page.click("text=Erase everything")
    assert page.inner_text("[role=status]").startswith("You have left.")
    page.goto("/me")
    assert "/sign-in" in page.url
    assert "unknown_person" in json.dumps(town_server.call("GET", "/v1/me", town_server.token("subject", person)))


def test_refusing_is_as_easy_as_allowing(visitor: Open, town_server: TownServer) -> None:
    person = town_server.people[0]
    consent = ask_consent(town_server, person)
    window = visitor(width="narrow")
    window.sign_in(town_server.token("subject", person), consent)
    buttons = [window.page.locator(".equal button").nth(n) for n in (0, 1)]
    boxes = [button.bounding_box() for button in buttons]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert (boxes[0]["width"], boxes[0]["height"]) == (boxes[1]["width"], boxes[1]["height"])
    styles = [
        button.evaluate("e => { const s = getComputedStyle(e); return [s.color, s.backgroundColor, s.borderColor]; }")
        for button in buttons
    ]
    assert styles[0] == styles[1]
    buttons[0].click()
    assert "You refused." in window.page.inner_text("main")
    assert window.violations() == []


def test_an_order_is_confirmed_and_disputed(visitor: Open, town_server: TownServer) -> None:
    person = town_server.people[0]
    town_server.consent("inn", person)
    town_server.order("inn", person, text="two nights")
    window = visitor(width="narrow")
    window.sign_in(town_server.token("subject", person), "/me/orders")
    window.page.click("text=Confirm the order")
    assert window.page.inner_text("[role=status]") == "You confirmed the order."
    window.page.click("text=Dispute this order")
    window.page.fill("textarea", "The room was cold")
    window.page.click("details[open] button")
    assert "The room was cold" in window.page.inner_text("article")
    window.page.click("text=Withdraw my dispute")
    assert "The room was cold" not in window.page.inner_text("article")
    assert window.violations() == []


def test_a_person_sees_which_operator_looked_and_why(visitor: Open, town_server: TownServer) -> None:
    person, purpose = town_server.people[0], "<b>she asked</b> about a bill"
    form = {"kind": "dispute", "purpose": purpose}
    town_server.call("POST", f"/v1/people/{person}/looks", town_server.token("operator", "mei"), form)
    window = visitor(width="narrow")
    window.sign_in(town_server.token("subject", person), "/me/inquiries")
    assert "mei" in window.page.inner_text("ul.items")
    assert purpose in window.page.inner_text("ul.items")
    assert window.violations() == []


def test_a_person_whom_we_do_not_score_sees_why(visitor: Open, town_server: TownServer) -> None:
    window = visitor()
    window.sign_in(town_server.token("subject", "nobody"))
    for path, words in (
        ("/me", "You have no score."),
        ("/me/inquiries", "Nobody has asked about you."),
        ("/me/consents", "You allow nothing"),
        ("/me/evidence", "Nothing is stored about you here."),
        ("/me/evidence/numbers", "There are no numbers"),
        ("/me/orders", "You have no orders."),
    ):
        window.page.goto(path)
        assert words in window.page.inner_text("main")
        assert window.violations() == []


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_a_person_who_was_silent_for_long_proves_again_who_they_are_before_leaving(
    visitor: Open, town_server: TownServer, language: str, width: str, scheme: str
) -> None:
    person, word = town_server.people[1], WORDS[language]
    secret = town_server.token("subject", person)
    window = visitor(language=language, width=width, scheme=scheme)
    page = window.page
    window.sign_in(secret, "/me/leave/confirm")
    forget_confirmations(town_server.context)
    page.fill("[name=word]", word)
    page.click("main form button")
    assert page.url.endswith("/confirm?next=%2Fme%2Fleave%2Fconfirm")
    assert {"en": "Nobody can undo", "zh": "无法撤销"}[language] in page.inner_text("main")
    page.fill("input[name=token]", town_server.token("subject", town_server.people[0]))
    page.click("main form button")
    assert page.locator("[role=alert]").count() == 1
    assert "person" in town_server.call("GET", "/v1/me/export", secret)
    page.fill("input[name=token]", secret)
    page.click("main form button")
    assert page.url.endswith("/me/leave/confirm")
    forget_confirmations(town_server.context)
    page.goto("/me/leave")
    window.screen("me-leave-proof")
    assert window.violations() == []
    page.click("main a.danger")
    window.screen("me-leave-confirm")
    assert window.violations() == []
    page.fill("input[name=token]", secret)
    page.click("main form button")
    page.fill("[name=word]", word)
    page.click("main form button")
    assert "notice=left" in page.url


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_person_leaves_without_scripts_by_a_word_of_their_language(
    visitor: Open, town_server: TownServer, language: str
) -> None:
    person, word = town_server.people[1], WORDS[language]
    window = visitor(scripts=False, language=language)
    window.sign_in(town_server.token("subject", person))
    for path in ("/me", "/me?goal=hotel", "/me/inquiries", "/me/consents", "/me/evidence", "/me/orders", "/me/leave"):
        assert window.page.goto(path).status == 200  # type: ignore[union-attr]
    window.page.click("main a.danger")
    window.page.fill("[name=word]", word)
    window.page.click("main button.danger")
    assert "/sign-in?notice=left" in window.page.url


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_a_person_gives_groups_for_reports_and_withdraws_them(
    visitor: Open, town_server: TownServer, language: str, width: str, scheme: str
) -> None:
    person = town_server.people[2]
    secret = town_server.token("subject", person)
    window = visitor(language=language, width=width, scheme=scheme)
    page = window.page
    window.sign_in(secret, "/me/consents")
    page.click("main a[href='/me/groups']")
    assert {box.input_value() for box in page.locator("input[name^=value]").all()} == {""}
    page.fill("input[name=value-region]", "north")
    page.click("main details summary")
    page.fill("input[name=other]", "No Name")
    page.fill("input[name=other_value]", "zh")
    page.click("main form button")
    page.wait_for_selector("[role=alert]")
    assert page.input_value("input[name=value-region]") == "north"
    window.screen("me-groups-problem")
    assert window.violations() == []
    page.fill("input[name=other]", "first_language")
    page.click("main form button")
    page.wait_for_url("**notice=groups_saved")
    assert town_server.call("GET", "/v1/me/monitoring", secret) == {"first_language": "zh", "region": "north"}
    assert page.input_value("input[name=value-first_language]") == "zh"
    window.screen("me-groups")
    assert window.violations() == []
    page.fill("input[name=value-region]", "")
    with page.expect_navigation():
        page.click("main form button >> nth=0")
    assert town_server.call("GET", "/v1/me/monitoring", secret) == {"first_language": "zh"}
    page.click("form[action$=deletion] button")
    page.wait_for_url("**notice=groups_deleted")
    assert town_server.call("GET", "/v1/me/monitoring", secret) == {}
