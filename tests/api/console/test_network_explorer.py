"""The operator explores a person's network: Cytoscape comes only then, within the policy, and shows what the API gives under the look."""

from collections.abc import Callable
from urllib.parse import quote

import httpx2
import pytest

from api.runtime.context import AppContext
from tests.api.console.activity import seed_activity
from tests.api.console.browser import VIEWS, Visitor
from tests.api.console.test_people_pages import open_person

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]


@pytest.fixture
def person(town: AppContext) -> str:
    return seed_activity(town)


def open_network(window: Visitor, secret: str, person: str) -> None:
    open_person(window, secret, person)
    window.page.goto(f"{window.page.url}&part=network")


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_the_explorer_comes_when_somebody_asks_and_shows_who_is_around(
    visitor: Open, token: Issue, person: str, language: str, width: str, scheme: str
) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    addresses: list[str] = []
    window.page.on("request", lambda request: addresses.append(request.url))
    open_network(window, token("operator", "lee"), person)
    window.page.wait_for_load_state("networkidle")
    assert not any("cytoscape" in url for url in addresses)
    window.page.locator("[data-explore]").click()
    window.page.wait_for_selector("[data-explorer-canvas] canvas", state="attached")
    assert sum("/static/cytoscape.js" in url for url in addresses) == 1
    people = window.page.locator("[data-explorer-person] option")
    assert people.count() >= 1
    before = window.page.inner_text("[data-explorer-status]")
    window.page.locator("[data-explorer-expand]").click()
    assert window.page.inner_text("[data-explorer-status]") != before
    window.screen("person-explorer")
    assert window.violations() == []
    window.page.locator("[data-explorer-layer]").select_option("money")
    window.page.locator("[data-explorer-fit]").click()
    window.screen("person-explorer-payments")


def test_the_explorer_works_by_keyboard(visitor: Open, token: Issue, person: str) -> None:
    window = visitor()
    open_network(window, token("operator", "lee"), person)
    window.page.focus("[data-explore]")
    window.page.keyboard.press("Enter")
    window.page.wait_for_selector("[data-explorer-canvas] canvas", state="attached")
    assert window.page.evaluate("document.activeElement.id") == "explorer-title"
    for control in ("layer", "person", "expand"):
        window.page.keyboard.press("Tab")
        assert window.page.evaluate(f"'explorer{control.title()}' in document.activeElement.dataset")
    window.page.keyboard.press("Enter")
    assert ":" in window.page.inner_text("[data-explorer-status]").replace("：", ":")
    link = window.page.locator("[data-explorer-open]")
    if link.is_visible():  # another person's network needs a look of its own
        link.click()
        window.page.wait_for_selector("input[name=purpose]")


def test_the_explorer_gets_no_more_than_the_look_opens(signed_in: SignIn, token: Issue, person: str) -> None:
    client, other = signed_in(token("operator", "lee")), signed_in(token("operator", "kim"))
    csrf = client.get(f"/people/{person}").text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": csrf, "person": person, "kind": "enquiry", "purpose": "she called"}
    look = client.post("/people/look", data=form).headers["location"].split("look=")[1]
    answer = client.get(f"/network?person={quote(person)}&look={look}")
    assert answer.status_code == 200
    ties = answer.json()["ties"]
    assert ties["nodes"][0]["name"] == person
    assert set(answer.json()) == {"ties", "money"}
    assert "drawing" not in ties
    assert all(node["name"] is None for node in ties["nodes"] if node["steps"] > 1 and node["kind"] == "person")
    neighbours = [node["name"] for node in ties["nodes"] if node["steps"] == 1 and node["name"]]
    for address in (f"person={quote(neighbours[0])}&look={look}", f"person={quote(person)}", "person=nobody&look=0a"):
        assert client.get(f"/network?{address}").status_code == 403, address
    assert other.get(f"/network?person={quote(person)}&look={look}").status_code == 403


def test_files_are_compressed_for_a_browser_that_takes_it(signed_in: SignIn, token: Issue) -> None:
    client = signed_in(token("operator", "lee"))
    page = client.get("/features").text
    address = page.split('<script src="')[1].split('"')[0]
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    packed = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) * 2 < int(plain.headers["content-length"])
    assert packed.headers["etag"] != plain.headers["etag"]
