"""The operator's day: what waits, what is wrong, how things are; and a day from sign-in to done."""

from collections.abc import Callable

import httpx2
import pytest

from api.runtime.context import AppContext
from api.store import clock
from tests.api.console.activity import seed_activity
from tests.api.console.browser import VIEWS, Visitor
from tests.api.console.busy_town import fill_town
from tests.api.console.change_story import HOSTILE, ChangeStory, stricter
from tests.api.console.test_case_pages import open_dispute, payer
from tests.api.console.test_release_pages import make_key, sign

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_today_shows_what_waits_and_how_things_are(
    visitor: Open, token: Issue, town: AppContext, language: str, width: str, scheme: str
) -> None:
    fill_town(town, clock.now())
    for place in range(3):
        open_dispute(town, payer(town), place)
    story = ChangeStory(town)
    story.mei.register()
    number = story.draft(message=HOSTILE)
    story.check(number)
    story.mei.take(f"proposals/{number}/submission", story.mei.signature(number))
    window = visitor(language=language, width=width, scheme=scheme)
    window.sign_in(token("operator", "bo"), "/today")
    window.page.wait_for_selector(".chart svg")
    window.screen("today")
    assert window.violations() == []
    assert "alert('stored')" in window.page.inner_text("main")
    window.page.locator(".chart summary").click()
    assert window.page.locator(".chart tbody tr").count() == 14
    width_of_page = window.page.evaluate("document.documentElement.scrollWidth")
    assert width_of_page <= window.page.viewport_size["width"]  # type: ignore[index]


@pytest.mark.parametrize(("language", "width"), [("en", "wide"), ("zh", "narrow")])
def test_an_empty_day_says_what_to_do(visitor: Open, token: Issue, town: AppContext, language: str, width: str) -> None:
    for role, party in (("operator", "mei"), ("approver", "bo")):
        window = visitor(language=language, width=width)
        window.sign_in(token(role, party), "/today")
        assert window.page.locator(".empty").count() == 1  # nobody asked
        window.screen(f"today-empty-{role}")
        assert window.violations() == []


def test_the_file_behind_the_chart_has_a_row_for_each_day(signed_in: SignIn, token: Issue, town: AppContext) -> None:
    fill_town(town, clock.now())
    answer = signed_in(token("approver", "bo")).get("/today/answers.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(answer.text.strip().splitlines()) == 15


def test_an_operators_day_from_sign_in_to_done(visitor: Open, token: Issue, town: AppContext) -> None:
    seed_activity(town)
    story, window = ChangeStory(town), visitor()
    page = window.page
    window.sign_in(token("operator", "mei"), "/")
    assert page.inner_text("h1") == "Today"
    page.locator("a[href='/cases/next']").click()
    for outcome in ("upheld", "stands"):
        page.check(f"input[value={outcome}]")
        page.fill("textarea[name=note]", "we looked at it")
        page.locator(".answer button").click()
        page.wait_for_load_state()
    page.wait_for_selector(".empty")
    make_key(page)
    number = story.draft(stricter())
    story.check(number)
    page.goto("/today")
    page.locator(f"a[href='/releases/{number}']").click()
    sign(page, "submission")
    page.goto("/today")
    assert page.locator(".rows li").count() == 0
    page.click("header form button")
    assert "/sign-in" in page.url
