"""The operator opens a person with a purpose, reads, opens a decision and replays it."""

from collections.abc import Callable
from urllib.parse import quote

import httpx2
import pytest

from api.runtime.context import AppContext
from tests.api.console.activity import SCRIPT, seed_activity
from tests.api.console.browser import VIEWS, Visitor

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]
PARTS = ("evidence", "network", "decisions", "records", "looks")


@pytest.fixture
def person(town: AppContext) -> str:
    return seed_activity(town)


def open_person(window: Visitor, secret: str, person: str) -> None:
    window.sign_in(secret, "/people")
    window.page.fill("input[name=starts]", person[:-1])
    window.page.keyboard.press("Enter")
    window.page.get_by_role("link", name=person, exact=True).click()
    window.page.fill("input[name=purpose]", "the person called")
    window.page.keyboard.press("Enter")
    window.page.wait_for_url("**look=*")


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_an_operators_way_from_a_search_to_a_replay(
    visitor: Open, token: Issue, person: str, language: str, width: str, scheme: str
) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    open_person(window, token("operator", "lee"), person)
    window.screen("person-score")
    assert window.violations() == []
    assert window.page.inner_text("h1") == person
    address = window.page.url
    for part in PARTS:
        window.page.goto(f"{address}&part={part}")
        window.screen(f"person-{part}")
        assert window.violations() == [], part
    assert window.page.locator("td", has_text="the person called").count() == 1
    window.page.goto(f"{address}&part=decisions")
    window.page.locator("tbody a").last.click()
    window.page.wait_for_selector(".code-line.lit")
    window.screen("decision")
    assert window.violations() == []
    window.page.locator("a[href*='check=replay']").click()
    window.page.wait_for_selector(".notice.good")
    window.page.locator("a[href*='check=proof']").click()
    window.page.wait_for_selector("[role=status]")
    assert window.violations() == []


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_the_catalogue_and_the_search(
    visitor: Open, token: Issue, person: str, language: str, width: str, scheme: str
) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    window.sign_in(token("operator", "lee"), "/features")
    window.screen("features")
    assert window.violations() == []
    for feature in ("credit.kept", "relationships.trust"):
        window.page.goto(f"/features/{feature}")
        window.screen(f"feature-{feature}")
        assert window.violations() == []
    for name, path in (("people", "/people"), ("people-none", "/people?starts=zzz"), ("decisions", "/decisions")):
        window.page.goto(path)
        window.screen(name)
        assert window.violations() == [], name
    window.page.locator("tbody a").first.click()
    window.screen("decision-withheld")
    assert window.violations() == []
    window.page.goto(f"/people/{person}")
    window.screen("purpose")
    assert window.violations() == []


def test_reading_works_without_scripts(visitor: Open, token: Issue, person: str) -> None:
    window = visitor(scripts=False)
    open_person(window, token("operator", "lee"), person)
    assert "look=" in window.page.url
    for part in PARTS:
        window.page.locator(f".tabs a[href*='part={part}']").click()
        assert window.page.locator("h2").count() >= 1


def test_a_search_by_keyboard_alone(visitor: Open, token: Issue, person: str) -> None:
    window = visitor()
    window.sign_in(token("operator", "lee"), "/people")
    window.page.focus("input[name=starts]")
    window.page.keyboard.type(person)
    window.page.keyboard.press("Enter")
    window.page.wait_for_selector(".list-links")
    window.page.focus("button:has-text('Search')")
    window.page.keyboard.press("Tab")
    window.page.keyboard.press("Enter")
    window.page.wait_for_selector("input[name=purpose]")
    for _ in range(30):
        window.page.keyboard.press("Tab")
        if window.page.evaluate("document.activeElement.name") == "purpose":
            break
    window.page.keyboard.type("the person asks")
    window.page.keyboard.press("Enter")
    window.page.wait_for_url("**look=*")


def test_ids_of_others_open_nothing(signed_in: SignIn, token: Issue, person: str, town: AppContext) -> None:
    client, other = signed_in(token("operator", "lee")), signed_in(token("operator", "kim"))
    client_page = client.get(f"/people/{person}")
    csrf = client_page.text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": csrf, "person": person, "kind": "enquiry", "purpose": "she called"}
    address = client.post("/people/look", data=form).headers["location"]
    look = address.split("look=")[1]
    assert client.get(address).status_code == 200
    assert other.get(address).status_code == 403
    assert client.get(f"/people/somebody-else?look={look}").status_code == 403
    decision = client.get("/decisions").text.split('href="/decisions/')[1].split('"')[0]
    assert client.get(f"/decisions/{decision}?look={look}").status_code == 403
    for path in ("/decisions/0123456789", "/features/no.such", f"/people/{person}?look=zz"):
        assert client.get(path).status_code in (404, 422), path
    assert client.post("/people/look", data=form | {"csrf": ""}).status_code == 403


def test_a_wrong_form_is_asked_again(signed_in: SignIn, token: Issue, person: str) -> None:
    client = signed_in(token("operator", "lee"))
    csrf = client.get(f"/people/{person}").text.split('name="csrf" value="')[1].split('"')[0]
    for fields, status in (({"purpose": ""}, 422), ({"kind": "curiosity"}, 422), ({"person": "nobody"}, 404)):
        form = {"csrf": csrf, "person": person, "kind": "enquiry", "purpose": "she called"} | fields
        answer = client.post("/people/look", data=form)
        assert answer.status_code == status, fields
        assert 'name="purpose"' in answer.text


@pytest.mark.parametrize("part", ["score", *PARTS])
def test_a_stored_script_is_shown_as_text(visitor: Open, token: Issue, person: str, part: str) -> None:
    window = visitor()
    open_person(window, token("operator", "lee"), person)
    window.page.goto(f"{window.page.url}&part={part}")
    assert window.page.locator("main script").count() == 0
    if part in ("records", "looks"):
        assert SCRIPT in window.page.inner_text("main")


@pytest.mark.parametrize("path", ["/people?starts={}", "/people/{}", "/decisions?merchant={}", "/decisions?from={}"])
def test_a_reflected_script_is_shown_as_text(signed_in: SignIn, token: Issue, person: str, path: str) -> None:
    answer = signed_in(token("operator", "lee")).get(path.format(quote(SCRIPT, safe="")))
    assert "<script>alert" not in answer.text
