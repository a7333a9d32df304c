"""Keys of operators: they list themselves, open pages and cases, and leave what somebody types alone."""

from collections.abc import Callable

import pytest

from api.runtime.context import AppContext
from tests.api.console.activity import seed_activity
from tests.api.console.browser import VIEWS, Visitor

Issue = Callable[[str, str], str]
Open = Callable[..., Visitor]


@pytest.fixture(autouse=True)
def person(town: AppContext) -> str:
    return seed_activity(town)


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_the_question_mark_lists_them(visitor: Open, token: Issue, language: str, width: str, scheme: str) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    window.sign_in(token("operator", "mei"), "/people")
    window.page.keyboard.press("?")
    window.page.wait_for_selector("dialog#shortcuts[open]")
    assert window.page.locator("dialog#shortcuts dt").count() == 6
    window.screen("shortcuts")
    assert window.violations() == []
    window.page.keyboard.press("n")  # an open dialog takes the keys
    window.page.keyboard.press("Escape")
    assert window.page.locator("dialog[open]").count() == 0
    assert window.page.url.endswith("/people")


def test_they_open_pages_and_the_next_case(visitor: Open, token: Issue) -> None:
    window = visitor()
    page = window.page
    window.sign_in(token("operator", "mei"), "/people")
    for letter, path in (("t", "today"), ("r", "releases"), ("c", "cases")):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        page.wait_for_url(f"**/{path}")
    page.keyboard.press("n")
    page.wait_for_url("**/cases/disputes/*")
    page.keyboard.press("n")
    page.wait_for_url("**/cases/reviews/*")
    page.keyboard.press("t")  # alone it does nothing
    page.keyboard.press("g")
    page.keyboard.press("x")
    page.keyboard.press("t")
    page.keyboard.press("Control+n")
    page.keyboard.press("/")  # there is no search here
    assert "/cases/reviews/" in page.url


def test_the_slash_focuses_the_search_and_a_field_takes_its_keys(visitor: Open, token: Issue) -> None:
    window = visitor()
    page = window.page
    window.sign_in(token("operator", "mei"), "/decisions")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "merchant"
    page.keyboard.type("n/g?t")
    assert page.input_value("input[name=merchant]") == "n/g?t"
    assert page.locator("dialog[open]").count() == 0
    assert page.url.endswith("/decisions")


def test_somebody_switches_them_off_in_their_browser(visitor: Open, token: Issue) -> None:
    window = visitor()
    page = window.page
    window.sign_in(token("operator", "mei"), "/people")
    page.locator("nav.pages button").click()
    page.uncheck("dialog#shortcuts input")
    page.locator("dialog#shortcuts button").click()
    page.reload()
    page.keyboard.press("n")
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 0
    assert page.url.endswith("/people")
    page.locator("nav.pages button").click()
    page.check("dialog#shortcuts input")
    page.locator("dialog#shortcuts button").click()
    page.keyboard.press("n")
    page.wait_for_url("**/cases/disputes/*")


def test_other_roles_have_none(visitor: Open, token: Issue) -> None:
    window = visitor()
    window.sign_in(token("approver", "bo"), "/today")
    window.page.keyboard.press("?")
    assert window.page.locator("dialog").count() == 0
    assert window.page.locator("script[src*=shortcuts]").count() == 0
