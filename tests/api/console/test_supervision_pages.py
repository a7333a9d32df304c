"""The supervisor reads a decision, replays and proves it, verifies the chain, and reads releases, the report and looks."""

from collections.abc import Callable

import httpx2
import pytest

from api.releases.releases import record_release
from api.runtime.context import AppContext
from api.store.clock import micros
from api.supervision import digests
from tests.api.console.activity import LATER, SCRIPT, seed_activity
from tests.api.console.browser import VIEWS, Visitor
from tests.api.console.change_story import HOSTILE, PLAN, ChangeStory

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]


@pytest.fixture(autouse=True)
def person(town: AppContext) -> str:
    record_release(town.database, town.release, micros(LATER))
    return seed_activity(town)


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_a_supervisors_day(visitor: Open, token: Issue, language: str, width: str, scheme: str) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    window.sign_in(token("supervisor", "bank-of-banks"), "/audit")
    window.screen("audit")
    assert window.violations() == []
    window.page.locator("tbody a").first.click()
    window.screen("audit-decision")
    assert window.violations() == []
    window.page.locator("a[href*='check=replay']").click()
    window.page.wait_for_selector(".notice.good")
    window.page.locator("a[href*='check=proof']").click()
    window.page.wait_for_selector("[role=status]")
    window.screen("audit-decision-proof")
    for name in ("releases", "chain", "report?year=2026", "looks"):
        window.page.goto(f"/audit/{name}")
        window.screen(f"audit-{name.partition('?')[0]}")
        assert window.violations() == [], name
    window.page.goto("/audit/chain")
    window.page.locator("form[action='/audit/chain'] button").click()
    window.page.wait_for_selector(".notice.good")
    assert window.violations() == []
    window.page.goto("/audit/releases")
    window.page.locator("tbody a").first.click()
    window.screen("audit-release")
    assert window.violations() == []


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_a_supervisor_reads_the_record_of_a_change_from_sign_in_to_done(
    visitor: Open, token: Issue, town: AppContext, language: str, width: str, scheme: str
) -> None:
    story = ChangeStory(town)
    number = story.approved(plan=PLAN, message=HOSTILE)
    story.mei.take(f"proposals/{number}/release")
    story.mei.take(f"proposals/{number}/stop", {"reason": "complaints at the desk"})
    window = visitor(language=language, width=width, scheme=scheme)
    page = window.page
    window.sign_in(token("supervisor", "bank-of-banks"))
    page.locator("nav.pages a[href='/audit/releases']").click()
    page.locator(f"a[href='/audit/changes/{number}']").click()
    assert SCRIPT in page.inner_text(".lead")
    steps = page.locator("table").last.locator("tbody tr")
    actors = steps.locator("td:nth-child(3)").all_inner_texts()
    assert actors[0] == "mei"
    assert "bo" in actors
    assert steps.last.locator("td").last.inner_text() == "complaints at the desk"
    assert page.locator("table").last.locator("td:nth-child(4) code").all_inner_texts() == [story.mei.key, story.bo.key]
    assert any("score >= 680" in line for line in page.locator(".code-line.add").all_inner_texts())
    assert not any(line.startswith("+++") for line in page.locator(".code-line").all_inner_texts())
    assert all(word not in page.inner_text("main") for word in ("submission", "admit_rate", "score_psi"))
    window.screen("audit-change")
    assert window.violations() == []
    page.locator("main a[href='/audit/releases']").click()
    page.wait_for_url("**/audit/releases")
    page.locator("header form button").click()
    page.wait_for_url("**/sign-in?notice=signed_out")


def test_a_stored_script_in_a_look_is_text(visitor: Open, token: Issue) -> None:
    window = visitor()
    window.sign_in(token("supervisor", "s"), "/audit/looks")
    assert SCRIPT in window.page.inner_text("main")
    assert window.page.locator("main script").count() == 0


def test_a_proof_is_offered_for_past_days(signed_in: SignIn, token: Issue, town: AppContext) -> None:
    digests.make_digests(town.database, LATER.replace(year=LATER.year + 1))
    client = signed_in(token("supervisor", "s"))
    address = client.get("/audit").text.split('href="/audit/decisions/')[1].split('"')[0]
    page = client.get(f"/audit/decisions/{address}?check=proof").text
    assert "iftah.proof.2" in page
    assert "There is no digest yet" not in client.get("/audit/chain").text


def test_other_addresses_are_not_there(signed_in: SignIn, token: Issue) -> None:
    client = signed_in(token("supervisor", "s"))
    for path in ("/audit/decisions/0123", "/audit/releases/0123", "/audit/changes/99"):
        assert client.get(path).status_code == 404, path
    assert client.get("/audit/report?year=2999").status_code == 200
    assert client.get("/audit?from=never").status_code == 422
