"""Releases in the browser: two people change the rules, each with a key that stays in the browser, and go back."""

from collections.abc import Callable

import httpx2
import pytest
from playwright.sync_api import Page

from api.runtime.context import AppContext
from tests.api.console.activity import SCRIPT
from tests.api.console.browser import VIEWS, Visitor, forget_confirmations
from tests.api.console.change_story import HOSTILE, MESSAGE, PLAN, ChangeStory, shorter, stricter

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]


@pytest.fixture
def story(town: AppContext) -> ChangeStory:
    return ChangeStory(town)


def make_key(page: Page) -> None:
    page.goto("/releases/keys")
    page.locator("[data-register] button").click()
    page.wait_for_selector("[data-signer][data-state=ready]")


def sign(page: Page, step: str) -> None:
    page.locator(f"[data-dialog={step}]").click()
    page.locator(f"dialog#{step} button").click()
    page.wait_for_url(f"**notice=step_{step}")


def look(window: Visitor, name: str) -> None:
    window.screen(name)
    assert window.violations() == [], name


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_mei_proposes_bo_approves_in_the_browser_and_mei_releases_and_rolls_back(
    visitor: Open, token: Issue, story: ChangeStory, language: str, width: str, scheme: str
) -> None:
    mei, bo = (visitor(language=language, width=width, scheme=scheme) for _ in range(2))
    mei.sign_in(token("operator", "mei"), "/releases")
    look(mei, "releases-none")
    make_key(mei.page)
    look(mei, "release-keys")
    number = story.draft()
    address = f"/releases/{number}"
    mei.page.goto(address)
    mei.page.wait_for_selector("#progress")
    look(mei, "release-checking")
    story.check(number)
    mei.page.wait_for_selector("#effect")  # the page notices by itself
    look(mei, "release-measured")
    assert mei.page.inner_text(".figure.less b") != "0"
    sign(mei.page, "submission")

    bo.sign_in(token("approver", "bo"), "/today")
    look(bo, "today-approver")
    bo.page.locator(f"a[href='{address}']").click()
    bo.page.wait_for_selector("[data-signer][data-state=no-key]")
    make_key(bo.page)
    bo.page.goto(address)
    bo.page.locator("[data-dialog=approval]").click()
    bo.page.wait_for_selector("dialog#approval[open]")
    look(bo, "release-approval-dialog")
    bo.page.keyboard.press("Escape")
    sign(bo.page, "approval")
    look(bo, "release-approved")

    mei.page.goto(address)
    mei.page.locator("[data-dialog=release]").click()
    mei.page.wait_for_selector("dialog#release[open]")
    look(mei, "release-dialog")
    mei.page.locator("dialog#release button").click()
    mei.page.wait_for_url("**notice=step_release")
    look(mei, "release-in-force")
    mei.page.goto("/releases?show=rollback")
    mei.page.wait_for_selector("dialog#rollback[open]")
    look(mei, "rollback-dialog")
    mei.page.fill("dialog#rollback textarea", f"too strict {SCRIPT}")
    mei.page.locator("dialog#rollback button").click()
    mei.page.wait_for_url("**notice=rolled_back")
    look(mei, "releases-rolled-back")
    mei.page.goto(address)
    look(mei, "release-rolled-back")
    mei.page.goto("/releases")
    mei.page.locator(".compare button").click()
    mei.page.wait_for_selector(".diff .add")
    look(mei, "release-comparison")


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_a_change_gets_a_plan_and_its_trial_is_ended(
    visitor: Open, token: Issue, story: ChangeStory, language: str, width: str, scheme: str
) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    page = window.page
    number = story.approved(plan=PLAN, message=HOSTILE)
    window.sign_in(token("operator", "mei"), f"/releases/{number}")
    page.locator("[data-dialog=release]").click()
    page.locator("dialog#release button").click()
    page.wait_for_selector("#guards")
    look(window, "release-trial")
    page.goto("/today")
    look(window, "today-trial")
    page.goto(f"/releases/{number}")
    page.locator("#guards [data-dialog=stop]").click()
    page.fill("dialog#stop textarea", "complaints at the desk")
    page.locator("dialog#stop button").click()
    page.wait_for_url("**notice=step_stop")
    look(window, "release-stopped")
    second = story.draft(stricter(690), "another one")
    page.goto(f"/releases/{second}")
    page.locator("[data-dialog=plan]").click()
    page.check("dialog#plan input[value=stages]")
    page.locator("dialog#plan details summary").last.click()  # of the guards
    look(window, "release-plan-dialog")
    page.locator("dialog#plan button").click()
    page.wait_for_url("**notice=step_plan")
    assert page.locator(".plan li").count() == 4
    assert story.mei.get(f"proposals/{second}")["plan"]["guards"]["waived"] == {"most": "10%"}


def test_problems_of_a_draft_are_all_shown_and_it_is_rejected_with_a_reason(
    visitor: Open, token: Issue, story: ChangeStory
) -> None:
    window = visitor()
    files = {**stricter(), "perks.yaml": "kind: perks\nperks:\n  - {id: x, about: 5}\n"}
    number = story.draft(files, "broken")
    story.client.check()
    window.sign_in(token("operator", "mei"), f"/releases/{number}")
    assert window.page.locator(".problems li").count() >= 1
    assert "perks.yaml:" in window.page.inner_text(".problems")
    look(window, "release-problems")
    window.page.locator("[data-dialog=rejection]").click()
    window.page.fill("dialog#rejection textarea", f"no {SCRIPT}")
    window.page.locator("dialog#rejection button").click()
    window.page.wait_for_url("**notice=step_rejection")
    assert SCRIPT in window.page.locator(".notice.bad").first.inner_text()
    look(window, "release-rejected")


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_a_break_glass_is_loud_and_can_be_ended(
    visitor: Open, token: Issue, story: ChangeStory, language: str, width: str, scheme: str
) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    page = window.page
    number = story.draft(shorter())
    story.check(number, shorter())
    window.sign_in(token("operator", "mei"), "/releases/break-glass")
    look(window, "break-glass")
    page.fill("input[name=hours]", "2")
    page.fill("textarea[name=reason]", "waives ten times too much")
    page.check("input[type=checkbox]")
    page.locator("main form button").click(timeout=120_000)  # the rules are checked meanwhile
    page.wait_for_url("**notice=glass_broken", timeout=120_000)
    look(window, "releases-break-glass")
    page.goto("/today")
    assert page.locator(".break-glass").count() == 1
    look(window, "today-break-glass")
    page.goto("/releases")
    page.locator("[data-dialog=end-glass]").click()
    page.locator("dialog#end-glass button").click()
    page.wait_for_url("**notice=glass_mended")
    assert page.locator(".loud").count() == 0


def test_whoever_was_silent_for_long_proves_again_who_they_are_and_loses_nothing(
    visitor: Open, token: Issue, story: ChangeStory, town: AppContext
) -> None:
    window, secret = visitor(), token("operator", "mei")
    number = story.approved()
    window.sign_in(secret, f"/releases/{number}")
    forget_confirmations(town)
    window.page.locator("[data-dialog=release]").click()
    window.page.locator("dialog#release button").click()
    window.page.wait_for_url("**/confirm?next=**")
    assert story.mei.get(f"proposals/{number}")["state"] == "approved"
    window.page.fill("input[name=token]", secret)
    window.page.keyboard.press("Enter")
    window.page.wait_for_selector("dialog#release[open]")
    window.page.locator("dialog#release button").click()
    window.page.wait_for_url("**notice=step_release")
    forget_confirmations(town)
    window.page.goto("/releases?show=rollback")
    window.page.fill("dialog#rollback textarea", "too strict")
    window.page.locator("dialog#rollback button").click()
    window.page.wait_for_url("**/confirm?next=**")
    window.page.fill("input[name=token]", secret)
    window.page.keyboard.press("Enter")
    window.page.wait_for_selector("dialog#rollback[open]")
    assert window.page.input_value("dialog#rollback textarea") == "too strict"


def test_a_browser_without_the_algorithm_is_told_of_the_command_line(
    visitor: Open, token: Issue, story: ChangeStory
) -> None:
    window = visitor()
    window.context.add_init_script("crypto.subtle.generateKey = async () => { throw new Error('no such algorithm'); };")
    window.sign_in(token("operator", "mei"), "/releases/keys")
    window.page.wait_for_selector("[data-signer][data-state=unsupported]")
    assert "cannot make a key of Ed25519" in window.page.inner_text("[data-signer]")
    assert window.page.locator("[data-register]").is_hidden()
    look(window, "release-keys-unsupported")


def test_the_private_key_cannot_leave_the_browser(visitor: Open, token: Issue, story: ChangeStory) -> None:
    window = visitor()
    window.sign_in(token("operator", "mei"), "/releases/keys")
    make_key(window.page)
    message = window.page.evaluate("""() => new Promise((resolve) => {
      const opening = indexedDB.open("iftah", 1);
      opening.onsuccess = () => {
        const request = opening.result.transaction("keys").objectStore("keys").get("operator/mei");
        request.onsuccess = () => crypto.subtle.exportKey("pkcs8", request.result.pair.privateKey)
          .then(() => resolve("exported"), (error) => resolve(error.name));
      };
    })""")
    assert message == "InvalidAccessError"
    window.page.locator("[data-dialog^=revoke]").click()
    window.page.locator("dialog[open] input[name=reason]").fill("lost")
    window.page.locator("dialog[open] button").click()
    window.page.wait_for_url("**notice=key_revoked")
    window.page.wait_for_selector("[data-signer][data-state=no-key]")


def test_an_author_cannot_approve_and_an_approver_cannot_release(
    signed_in: SignIn, token: Issue, story: ChangeStory
) -> None:
    number = story.approved()
    approver, author = signed_in(token("approver", "bo")), signed_in(token("operator", "mei"))
    page = approver.get(f"/releases/{number}").text
    assert 'data-dialog="release"' not in page
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    assert approver.post(f"/releases/{number}/release", data={"csrf": csrf}).status_code == 403
    assert approver.get("/releases/break-glass").status_code == 403
    second = story.draft(stricter(690))
    story.check(second, stricter(690))
    story.mei.take(f"proposals/{second}/submission", story.mei.signature(second))
    page = author.get(f"/releases/{second}").text
    assert "You took part in this change" in page
    own_csrf = page.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": own_csrf, **story.mei.signature(second)}
    answer = author.post(f"/releases/{second}/approval", data=form)
    assert answer.status_code == 403
    assert "somebody else has to approve it" in answer.text
    assert author.post(f"/releases/{second}/dance", data={"csrf": own_csrf}).status_code == 404
    assert author.get("/releases/99").status_code == 404
    assert author.post(f"/releases/{second}/rejection", data={"reason": "x"}).status_code == 403
    late = author.post(f"/releases/{second}/schedule", data={"csrf": own_csrf, "at": "yesterday"})
    assert late.status_code == 422
    assert "Choose a day and an hour" in late.text


def test_releases_read_without_scripts(visitor: Open, token: Issue, story: ChangeStory) -> None:
    window = visitor(scripts=False)
    number = story.approved(message=HOSTILE)
    window.sign_in(token("operator", "mei"), f"/releases/{number}")
    assert SCRIPT in window.page.inner_text("h1")
    assert MESSAGE not in window.page.inner_text("h1")
    window.page.locator("[data-dialog=release]").click()
    window.page.locator("dialog#release button").click()
    assert "notice=step_release" in window.page.url
