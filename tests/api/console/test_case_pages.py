"""Cases in the browser: an operator goes from the list to the next case, reads what the answer does, and answers."""

from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import func, select

from api.people import disputes
from api.runtime.context import AppContext
from api.store.database import reading
from api.store.tables import EVENTS
from tests.api.console.activity import LATER, SCRIPT, seed_activity
from tests.api.console.browser import VIEWS, Visitor
from tests.api.refresh_town import Refresher

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]


@pytest.fixture
def person(town: AppContext) -> str:
    return seed_activity(town)


def payer(town: AppContext) -> str:
    """A person who made some payments."""
    is_payment = (EVENTS.c.kind == "payment.made") & EVENTS.c.subject.like("p-%")
    query = select(EVENTS.c.subject).where(is_payment).group_by(EVENTS.c.subject).having(func.count() > 5)
    with reading(town.database) as connection:
        return str(connection.execute(query.order_by(EVENTS.c.subject)).scalars().first())


def open_dispute(town: AppContext, person: str, place: int) -> str:
    """Another objection of the person, to a payment received or made."""
    is_own = (EVENTS.c.subject == person) & (EVENTS.c.kind == "payment.made")
    query = select(EVENTS.c.contributor, EVENTS.c.event_id).where(is_own).order_by(EVENTS.c.seq.desc()).limit(place + 1)
    with reading(town.database) as connection:
        contributor, event = connection.execute(query).all()[-1]
    at = LATER + timedelta(hours=place + 1)
    row, _ = disputes.open_dispute(town.database, town.vocabulary, person, contributor, event, f"no {place}", at)
    Refresher(town.database, town.evaluators).run(at)
    return row["id"]


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_an_operator_answers_one_case_after_the_other(
    visitor: Open, token: Issue, person: str, language: str, width: str, scheme: str
) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    page = window.page
    window.sign_in(token("operator", "mei"), "/cases")
    window.screen("cases")
    assert window.violations() == []
    page.locator("a[href='/cases/next']").click()
    page.wait_for_selector("#numbers .pair")
    assert SCRIPT in page.inner_text(".statement")
    window.screen("case-dispute")
    assert window.violations() == []
    page.locator("#numbers tbody a").first.click()
    page.wait_for_selector("#lineage")
    window.screen("case-lineage")
    assert window.violations() == []
    page.check("input[value=upheld]")
    page.fill("textarea[name=note]", f"you are right {SCRIPT}")
    page.locator(".answer button").click()
    page.wait_for_url("**/cases/reviews/**")
    window.screen("case-review")
    assert window.violations() == []
    page.locator("form[action$='/look'] button").click()
    page.wait_for_selector(".code-line.lit, #numbers table")
    window.screen("case-review-open")
    assert window.violations() == []
    page.check("input[value=stands]")
    page.fill("textarea[name=note]", "the rules were applied as they are")
    page.locator(".answer button").click()
    page.wait_for_selector(".empty")
    window.screen("cases-done")
    assert window.violations() == []
    page.goto("/cases?kind=disputes")
    window.screen("cases-all")
    assert window.violations() == []
    page.locator("tbody a").first.click()
    assert SCRIPT in page.locator(".answer .statement").inner_text()
    window.screen("case-answered")
    assert window.violations() == []


def test_an_answer_of_somebody_else_is_told_and_nothing_is_lost(
    visitor: Open, token: Issue, person: str, town: AppContext
) -> None:
    first, second = visitor(), visitor()
    for window, party in ((first, "mei"), (second, "bo")):
        window.sign_in(token("operator", party), "/cases/next")
    first.page.check("input[value=upheld]")
    first.page.fill("textarea[name=note]", "mei was first")
    first.page.keyboard.press("Tab")
    first.page.keyboard.press("Enter")
    first.page.wait_for_url("**/cases/reviews/**")
    second.page.check("input[value=rejected]")
    second.page.fill("textarea[name=note]", "bo came later")
    second.page.locator(".answer button").click()
    second.page.wait_for_selector("[role=alert]")
    assert "mei answered this case while you worked on it" in second.page.inner_text("[role=alert]")
    texts = second.page.locator(".answer .statement").all_inner_texts()
    assert texts == ["mei was first", "bo came later"]
    second.screen("case-late")
    assert second.violations() == []


def test_leaving_a_case_opens_the_one_that_follows_and_the_last_leads_to_the_first(
    signed_in: SignIn, token: Issue, person: str, town: AppContext
) -> None:
    open_dispute(town, person, 1)
    client = signed_in(token("operator", "mei"))
    addresses, address = [], "/cases/next"
    for _ in range(4):
        answer = client.get(address)
        assert answer.status_code == 303
        addresses.append(answer.headers["location"])
        address = f"/cases/next?skip={addresses[-1].rsplit('/', 1)[1]}"
    assert len(set(addresses[:3])) == 3
    assert addresses[3] == addresses[0]


def test_an_answer_needs_a_choice_and_a_reason(signed_in: SignIn, token: Issue, person: str) -> None:
    client = signed_in(token("operator", "mei"))
    address = client.get("/cases/next").headers["location"]
    csrf = client.get(address).text.split('name="csrf" value="')[1].split('"')[0]
    for form, words in (({"note": "x"}, "Choose an answer"), ({"outcome": "upheld", "note": " "}, "Write the reason")):
        answer = client.post(address, data={"csrf": csrf, **form})
        assert answer.status_code == 422
        assert words in answer.text
    assert client.post(address, data={"outcome": "upheld", "note": "x"}).status_code == 403
    assert client.get("/cases/disputes/0000000000000000").status_code == 404
    assert client.get("/cases/letters/0000000000000000").status_code == 404


def test_a_case_reads_without_scripts(visitor: Open, token: Issue, person: str) -> None:
    window = visitor(scripts=False)
    window.sign_in(token("operator", "mei"), "/cases/next")
    assert SCRIPT in window.page.inner_text(".statement")
    window.page.check("input[value=upheld]")
    window.page.fill("textarea[name=note]", "without a script")
    window.page.locator(".answer button").click()
    assert "/cases/reviews/" in window.page.url
