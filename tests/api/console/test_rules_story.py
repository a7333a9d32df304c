"""An author's day at the Rules page, in a real browser: a mistake, its mending, a red case, a reload, a second editor, a proposal."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from api.runtime.context import AppContext
from tests.api.console.browser import Visitor
from tests.api.console.conftest import served
from tests.api.shipped_probe import shipped_files

OpenWindow = Callable[..., Visitor]
Token = Callable[[str, str], str]
SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.fixture
def address(town: AppContext) -> Iterator[str]:
    """A server of the town that knows the cases of the rules, too."""
    with served(replace(town, files=shipped_files())) as address:
        yield address


def begin_draft(window: Visitor, secret: str, name: str = "Hotels for more people") -> str:
    """Sign in, begin a draft from the empty list, and return its address."""
    window.sign_in(secret, "/rules")
    window.page.get_by_label("Name of a new draft").fill(name)
    window.page.get_by_role("button", name="Begin a draft").click()
    window.page.wait_for_url("**/rules/drafts/*")
    return window.page.url


def open_file(page: Page, address: str, file: str) -> None:
    page.goto(f"{address}?file={file}")
    page.wait_for_selector("form[data-ready]")
    page.wait_for_selector("[data-other-cases]")


def line_of(file: str, words: str) -> int:
    return next(n for n, row in enumerate(shipped_files()[file].split("\n"), 1) if words in row)


def go_to_line(page: Page, number: int) -> None:
    """As a link from a problem does."""
    page.evaluate(f"location.hash = ''; location.hash = '#L{number}'")
    expect(page.locator(".cm-activeLine")).to_have_count(1)
    page.keyboard.press("Home")


def replace_in_line(page: Page, number: int, old: str, new: str, file: str = "perks.yaml") -> None:
    """By keyboard: to the line, to the words, over them."""
    go_to_line(page, number)
    row = shipped_files()[file].split("\n")[number - 1]
    for _ in range(row.index(old) - (len(row) - len(row.lstrip())) + len(old)):
        page.keyboard.press("ArrowRight")
    for _ in old:
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.type(new)
    page.keyboard.press("Escape")


def saved_version(page: Page, version: int) -> None:
    expect(page.locator("[data-save-status]")).to_contain_text(f"version {version}")


def test_a_mistake_is_underlined_mended_and_its_case_turns_green_again(visitor: OpenWindow, token: Token) -> None:
    window = visitor()
    address = begin_draft(window, token("operator", "wang"))
    page, number = window.page, line_of("perks.yaml", "hotel.600,")
    open_file(page, address, "perks.yaml")
    expect(page.locator(".findings")).to_contain_text("No problem")

    replace_in_line(page, number, "score", "scor")
    expect(page.locator(".cm-lintRange-error")).to_have_text("scor")
    problem = page.locator(".problems li")
    expect(problem).to_contain_text(f"perks.yaml:{number}")
    expect(problem).to_contain_text("did you mean `score`?")
    expect(page.locator(".findings")).to_contain_text("Cases run once the files have no problem")
    assert window.violations() == []

    page.keyboard.type("e")
    expect(page.locator(".cm-lintRange-error")).to_have_count(0)
    expect(page.locator(".findings")).to_contain_text("No problem")

    page.keyboard.press("Escape")
    for _ in range(len(" >= 60")):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.type("4")  # 640 points instead of 600
    red = page.locator(".cases .red").first
    expect(red).to_be_visible()
    expect(page.locator(".cases summary").first).to_contain_text("red")
    page.keyboard.press("Backspace")
    page.keyboard.type("0")
    expect(page.locator(".cases .red")).to_have_count(0)
    expect(page.locator(".cases summary").first).to_contain_text("green")
    window.screen("rules-editor")


def test_a_duplicate_tab_of_a_draft_is_told_and_no_text_is_lost(visitor: OpenWindow, token: Token) -> None:
    window = visitor()
    first, address = window.page, begin_draft(window, token("operator", "wang"))
    open_file(first, address, "perks.yaml")
    with first.expect_popup() as popup:
        first.evaluate("window.open(location.href)")  # with a copy of the first tab's storage, as a duplicate has
    second = popup.value
    second.wait_for_selector("form[data-ready]")
    for page in (first, second):
        expect(page.locator("[data-others]")).to_have_text("Also open here: you, in another window.", timeout=15_000)
    go_to_line(second, 1)
    second.keyboard.type("# the second tab")
    saved_version(second, 2)
    expect(first.locator("[data-others]")).to_contain_text("you, in another window saved version 2", timeout=15_000)
    go_to_line(first, 2)
    first.keyboard.type("# the first tab")
    expect(first.locator("[data-save-status]")).to_contain_text("version 2")
    expect(first.locator(".cm-activeLine")).to_contain_text("# the first tab")  # it stays on the screen
    names = {page.evaluate("sessionStorage.getItem('iftah-editor')") for page in (first, second)}
    second.reload()
    second.wait_for_selector("form[data-ready]")
    expect(second.locator(".cm-line").first).to_contain_text("# the second tab")
    names.add(second.evaluate("sessionStorage.getItem('iftah-editor')"))
    assert len(names) == 2  # a reload keeps the name of its tab
    second.close()


def test_a_draft_survives_a_reload_and_a_second_editor_is_told(visitor: OpenWindow, token: Token) -> None:
    wang, mei = visitor(), visitor()
    address = begin_draft(wang, token("operator", "wang"))
    open_file(wang.page, address, "perks.yaml")
    number = line_of("perks.yaml", "hotel.600,")
    replace_in_line(wang.page, number, "600", "640")
    saved_version(wang.page, 2)
    wang.page.reload()
    wang.page.wait_for_selector("form[data-ready]")
    go_to_line(wang.page, number)
    expect(wang.page.locator(".cm-activeLine")).to_contain_text("hotel.640")
    expect(wang.page.get_by_role("link", name="perks.yaml changed")).to_be_visible()

    mei.sign_in(token("operator", "mei"), "/rules")
    mei.page.get_by_role("link", name="Hotels for more people").click()
    open_file(mei.page, address, "perks.yaml")
    expect(mei.page.locator("[data-others]")).to_contain_text("wang")
    expect(wang.page.locator("[data-others]")).to_have_text("Also open here: mei.", timeout=15_000)
    go_to_line(mei.page, 1)
    mei.page.keyboard.type("# mei was here")
    saved_version(mei.page, 3)
    expect(wang.page.locator("[data-others]")).to_contain_text("mei saved version 3", timeout=15_000)
    go_to_line(wang.page, 2)
    wang.page.keyboard.type("# wang too")
    status = wang.page.locator("[data-save-status]")
    expect(status).to_contain_text("mei saved this draft as version 3")
    wang.page.evaluate("onbeforeunload = null")
    open_file(mei.page, address, "perks.yaml")
    expect(mei.page.locator(".cm-line").first).to_have_text(
        "# mei was here" + shipped_files()["perks.yaml"].split("\n")[0]
    )


def test_names_are_completed_with_their_meaning_and_explained_on_hover(visitor: OpenWindow, token: Token) -> None:
    window = visitor()
    address = begin_draft(window, token("operator", "wang"))
    page, number = window.page, line_of("trust.yaml", "when: identity.level >= 1")
    open_file(page, address, "trust.yaml")
    go_to_line(page, number)
    page.keyboard.press("End")
    page.keyboard.type(" and credit.mis", delay=40)
    option = page.locator(".cm-tooltip-autocomplete li", has_text="credit.missed_12m")
    expect(option).to_be_visible()
    expect(page.locator(".cm-completionInfo")).to_contain_text("Newest build, 120 people")
    assert window.violations() == []
    page.keyboard.press("Enter")
    page.keyboard.type(" == 0")
    expect(page.locator(".cm-activeLine")).to_contain_text("and credit.missed")
    page.keyboard.press("Escape")
    page.locator(".cm-activeLine span", has_text="when").first.hover()
    expect(page.locator(".cm-tooltip-hover")).to_contain_text("The condition")


def test_the_rules_are_tried_on_measured_and_proposed(visitor: OpenWindow, token: Token) -> None:
    window = visitor()
    address = begin_draft(window, token("operator", "wang"))
    page = window.page
    open_file(page, address, "perks.yaml")
    replace_in_line(page, line_of("perks.yaml", "power_bank.550,"), "550, waive", "700, waive")
    saved_version(page, 2)

    page.get_by_role("link", name="Try on").click()
    fill_person(page)
    expect(page.locator(".source-lines tr.lit", has_text="points: [0, 18, 35, 52, 70]").locator("mark")).to_have_text(
        "52"
    )
    expect(page.locator(".source-lines tr.lit", has_text="points: [0, 18, 35, 52, 70]")).to_contain_text("12 +52")
    assert window.violations() == []

    page.goto(f"{address}/moves")
    page.get_by_role("button", name="Count who moves").click()
    expect(page.locator(".card", has_text="power_bank")).to_contain_text("get less waived")
    assert window.violations() == []
    page.get_by_role("link", name="Propose").click()
    page.get_by_label("Why").fill("Power banks come back late")
    page.get_by_role("button", name="Propose the draft").click()
    page.wait_for_url("**/releases/**")


def test_a_script_in_a_comment_a_name_or_a_reason_is_text(visitor: OpenWindow, token: Token) -> None:
    window = visitor()
    address = begin_draft(window, token("operator", "wang"), SCRIPT)
    page = window.page
    open_file(page, address, "perks.yaml")
    go_to_line(page, 1)
    page.keyboard.type(f"# {SCRIPT}")
    page.keyboard.press("Enter")
    page.keyboard.type(f"{SCRIPT}: 1")
    page.keyboard.press("Enter")
    expect(page.locator(".problems")).to_contain_text("img src=x")
    saved_version(page, 2)
    for path in ("", "/try", "/moves", "/proposal"):
        page.goto(address + path)
        expect(page.locator("main")).to_contain_text(SCRIPT)
        assert page.locator("img[src=x]").count() == 0


def test_without_scripts_a_draft_is_written_in_a_form(visitor: OpenWindow, token: Token) -> None:
    window = visitor(scripts=False)
    address = begin_draft(window, token("operator", "wang"))
    page = window.page
    page.goto(f"{address}?file=perks.yaml")
    area = page.get_by_label("Text of perks.yaml")
    assert area.input_value() == shipped_files()["perks.yaml"]
    area.fill(area.input_value().replace("score >= 600, waive", "scor >= 600, waive"))
    page.get_by_role("button", name="Save and check").click()
    expect(page.locator(".problems")).to_contain_text("did you mean `score`?")
    page.get_by_label("Text of perks.yaml").fill(shipped_files()["perks.yaml"])
    page.get_by_role("button", name="Save and check").click()
    expect(page.locator(".findings")).to_contain_text("No problem")
    expect(page.locator(".findings")).to_contain_text("perks.cases.yaml")


def fill_person(page: Page) -> None:
    """The values of README.md, and try the rules on them."""
    for group in page.locator("details.values summary").all():
        group.click()
    for name, value in {"identity.level": "2", "identity.tenure_days": "400d", "credit.kept": "12"}.items():
        page.get_by_label(name, exact=True).fill(value)
    page.locator("main form button").nth(1).click()
    expect(page.locator("#result")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_pages_are_readable_at_both_widths(visitor: OpenWindow, token: Token, scheme: str, language: str) -> None:
    secret, address = token("operator", "wang"), ""
    for width in ("wide", "narrow"):
        window = visitor(width=width, scheme=scheme, language=language)
        window.sign_in(secret, "/rules")
        page = window.page
        if not address:
            page.locator("main input[name=name]").fill("Hotels for more people")
            page.locator("main form button").first.click()
            page.wait_for_url("**/rules/drafts/*")
            address = page.url
            open_file(page, address, "perks.yaml")
            replace_in_line(page, line_of("perks.yaml", "power_bank.550,"), "550, waive", "700, waive")
            expect(page.locator("[data-save-status]")).to_contain_text(re.compile("version 2|第 2 版"))
        for name, path in {
            "list": "/rules",
            "file": "/rules/file?file=perks.yaml",
            "draft": f"{address}?file=perks.yaml",
            "try": f"{address}/try",
            "moves": f"{address}/moves",
            "proposal": f"{address}/proposal",
        }.items():
            page.goto(path)
            if page.locator("form[data-save]").count():
                page.wait_for_selector("[data-other-cases]")
            if name == "try":
                fill_person(page)
            if name == "moves":
                page.locator("main form button").click()
                expect(page.locator(".figures").first).to_be_visible()
            assert window.violations() == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            window.screen(f"rules-{name}")
