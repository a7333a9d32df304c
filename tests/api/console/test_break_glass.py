"""A break-glass is loud on every page of the people who answer for the rules, and on nobody else's."""

from collections.abc import Callable

import httpx2
import pytest

from api.console.navigation import PAGES
from api.proposals import activations
from api.proposals.actors import Actor
from api.releases.in_force import StoredRules
from api.runtime.context import AppContext
from api.store import clock
from engine.lang.check.release import release_of
from iftah.catalogue import kinds, schema
from tests.api.console.browser import VIEWS, Visitor
from tests.api.console.change_story import ChangeStory, shorter

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]
MEI = Actor("mei", "operator")
BANNER = 'class="mark break-glass"'


@pytest.fixture
def broken(town: AppContext) -> None:
    """Mei put other rules into force alone, for two hours."""
    ChangeStory(town)
    rules = StoredRules(release_of(shorter(), schema(), kinds()), shorter())
    activations.break_glass(town.database, MEI, rules, 2, "waives ten times too much", clock.micros(clock.now()))


def has_banner(client: httpx2.Client, path: str) -> bool:
    page = client.get(path)
    assert page.status_code == 200, path
    return BANNER in page.text or "notice bad loud" in page.text


@pytest.mark.parametrize("role", ["operator", "approver", "supervisor"])
def test_each_page_of_the_people_who_answer_for_rules_shows_it(
    signed_in: SignIn, token: Issue, broken: None, role: str
) -> None:
    client = signed_in(token(role, "bo"))
    paths = [path for path, _ in PAGES[role]]
    assert [path for path in paths if not has_banner(client, path)] == []
    assert BANNER in client.get("/releases/keys" if role != "supervisor" else "/audit/releases").text


@pytest.mark.parametrize("role", ["merchant", "subject", "admin"])
def test_nobody_else_sees_it(signed_in: SignIn, token: Issue, broken: None, town: AppContext, role: str) -> None:
    client = signed_in(token(role, "p-1"))
    for path, _ in PAGES[role]:
        assert BANNER not in client.get(path).text, path


def test_it_is_gone_from_the_next_page_on_once_somebody_ends_it_here(
    signed_in: SignIn, token: Issue, broken: None
) -> None:
    client = signed_in(token("operator", "mei"))
    page = client.get("/cases").text
    assert BANNER in page
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    assert client.post("/releases/break-glass/end", data={"csrf": csrf}).status_code == 303
    assert BANNER not in client.get("/cases").text


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_it_looks_loud(visitor: Open, token: Issue, broken: None, language: str, width: str, scheme: str) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    window.sign_in(token("operator", "mei"), "/cases")
    assert window.page.locator("[role=alert]").count() == 1
    window.screen("cases-break-glass")
    assert window.violations() == []
    window.page.locator(".break-glass a").click()
    window.page.wait_for_url("**/releases")
    assert window.page.locator(".loud").count() == 1
    assert window.page.locator(".break-glass").count() == 0
