"""The operator's monitor, evidence and callers, as a day at a real browser and as requests."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from api.runtime.context import AppContext
from api.store import clock
from api.store.database import reading
from api.store.tables import EVENTS, MESSAGES
from tests.api.console.browser import Visitor
from tests.api.console.busy_town import fill_town
from tests.api.http.test_operator_figures import CSV, MAP

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]
PAGES = ("/monitor?days=90", "/evidence", "/evidence/import", "/callers", "/callers/services", "/callers/tokens")


@pytest.fixture
def busy_town(town: AppContext) -> AppContext:
    fill_town(town, clock.now())
    return town


def _shop_payments(town: AppContext) -> list[str]:
    with reading(town.database) as connection:
        return list(connection.execute(select(EVENTS.c.event_id).where(EVENTS.c.contributor == "shop")).scalars())


def test_an_operator_watches_imports_and_resends(
    visitor: Open, token: Issue, busy_town: AppContext, tmp_path: Path
) -> None:
    window = visitor()
    page = window.page
    window.sign_in(token("operator", "mei"), "/monitor")
    page.click("nav.tabs a:has-text('90')")
    assert page.locator("svg.plot").count() == 5
    assert window.violations() == []

    figure = page.locator("figure", has_text="Admit rate by perk")
    figure.locator("summary").click()
    assert figure.locator("tbody tr").count() == 90
    with page.expect_download() as download:
        figure.locator("a", has_text="CSV").click()
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8-sig"))))
    assert (rows[0][0], len(rows)) == ("Day", 91)
    assert window.violations() == []

    page.click("nav.pages a:has-text('Evidence')")
    page.click("main a:has-text('Import a file')")
    (tmp_path / "orders.csv").write_text(CSV, encoding="utf-8")
    page.set_input_files("input[name=file]", tmp_path / "orders.csv")
    page.fill("textarea[name=map]", MAP.replace("total", "tital"))
    page.click("button:has-text('Dry run')")
    assert "no column `tital`" in page.inner_text("section.card")
    page.set_input_files("input[name=file]", tmp_path / "orders.csv")
    page.fill("textarea[name=map]", MAP)
    page.click("button:has-text('Dry run')")
    assert "nothing is written" in page.inner_text("section.card")
    window.screen("evidence-dry-run")
    assert window.violations() == []
    assert _shop_payments(busy_town) == []
    page.click("button:has-text('Import 2 events')")
    assert "The file was imported" in page.inner_text("[role=status]")
    assert sorted(_shop_payments(busy_town)) == ["1", "3"]
    page.click("label:has-text('only with refused rows')")
    page.click("button:has-text('Show')")
    page.click("td a.mono")
    assert "identity_level" in page.inner_text("main")
    window.screen("evidence-submission")
    assert window.violations() == []

    page.click("nav.pages a:has-text('Callers')")
    page.click("tbody tr:first-child button:has-text('Send again')")
    assert "sent again" in page.inner_text("[role=status]")
    with reading(busy_town.database) as connection:
        states = list(connection.execute(select(MESSAGES.c.state)).scalars())
    assert sorted(states) == ["failed", "sent", "waiting", "waiting"]
    assert window.violations() == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", ["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_use_the_pages(
    visitor: Open, token: Issue, busy_town: AppContext, language: str, width: str, scheme: str
) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    window.sign_in(token("operator", "mei"), "/monitor")
    problems = []
    for address in PAGES:
        window.page.goto(address)
        name = address.partition("?")[0].strip("/").replace("/", "-")
        window.screen(name)
        problems += [f"{address}: {violation}" for violation in window.violations()]
        overflow = window.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        problems += [f"{address}: {overflow} pixels too wide"] if overflow > 0 else []
    assert problems == []


def test_the_pages_can_be_read_without_scripts(visitor: Open, token: Issue, busy_town: AppContext) -> None:
    window = visitor(scripts=False)
    window.sign_in(token("operator", "mei"), "/monitor")
    for address in PAGES:
        window.page.goto(address)
        assert window.page.inner_text("h1")


def test_an_empty_town_says_what_to_do(signed_in: SignIn, token: Issue) -> None:
    client = signed_in(token("operator", "mei"))
    expected = {
        "/monitor?days=7": ("Nobody asked in these days", "This is the first build", "No due order ended"),
        "/evidence?refused=true": ("No such submission",),
        "/callers": ("No callback was given up",),
        "/callers/services": ("No merchant has signed up yet",),
    }
    for address, texts in expected.items():
        answer = client.get(address, headers={"Accept-Language": "en"})
        assert answer.status_code == 200
        for text in texts:
            assert text in answer.text


@pytest.mark.parametrize("name", ["answers", "admit-rates", "overdue", "scores", "shifts", "latencies"])
def test_each_chart_is_a_file_too(signed_in: SignIn, token: Issue, busy_town: AppContext, name: str) -> None:
    client = signed_in(token("operator", "mei"))
    answer = client.get(f"/monitor/{name}.csv?days=90")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.csv"'
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) > 1
    assert len({len(row) for row in rows}) == 1


def test_an_unknown_chart_is_no_page(signed_in: SignIn, token: Issue) -> None:
    assert signed_in(token("operator", "mei")).get("/monitor/secrets.csv").status_code == 404


def test_the_monitor_is_small_and_names_nobody(signed_in: SignIn, token: Issue, busy_town: AppContext) -> None:
    answer = signed_in(token("approver", "tom")).get("/monitor?days=365")
    assert answer.status_code == 200
    assert len(answer.content) < 220_000  # the limit is 300 kB with style sheet and scripts
    assert "p-1" not in answer.text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}"])
def test_what_a_caller_sends_is_shown_as_text(signed_in: SignIn, token: Issue, town: AppContext, text: str) -> None:
    """Names of files and maps, of tokens and contributors: markup in them stays text."""
    client = signed_in(token("operator", "mei"))
    page = client.get("/evidence/import").text
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    data = {"csrf": csrf, "map": text}
    answer = client.post("/evidence/import", data=data, files={"file": (text + ".csv", b"a,b\n1,2\n")})
    assert answer.status_code == 200
    assert text not in answer.text if "<" in text else "49" not in answer.text.split("<h1>")[1].split("textarea")[0]
    assert client.get("/evidence", params={"contributor": text}).text.count("<script>alert") == 0


def test_an_import_needs_a_file_and_a_dry_run(signed_in: SignIn, token: Issue, town: AppContext) -> None:
    client = signed_in(token("operator", "mei"))
    csrf = client.get("/evidence/import").text.split('name="csrf" value="')[1].split('"')[0]
    answer = client.post("/evidence/import", data={"csrf": csrf, "map": MAP})
    assert answer.status_code == 422
    assert "Choose a file first" in answer.text
    data = {"csrf": csrf, "map": MAP, "receipt": "0" * 64}
    forged = client.post("/evidence/import/confirm", data=data, files={"file": ("orders.csv", CSV.encode())})
    assert forged.status_code == 422
    assert _shop_payments(town) == []
    assert client.post("/evidence/import", data={"map": MAP}).status_code == 403


def test_a_large_file_is_chosen_again(signed_in: SignIn, token: Issue, town: AppContext) -> None:
    client = signed_in(token("operator", "mei"))
    csrf = client.get("/evidence/import").text.split('name="csrf" value="')[1].split('"')[0]
    lines = "".join(f"{n},ann,2025-12-03T09:30:00,1200\n" for n in range(3000))
    answer = client.post(
        "/evidence/import",
        data={"csrf": csrf, "map": MAP},
        files={"file": ("orders.csv", ("id,customer,at,total\n" + lines).encode())},
    )
    assert answer.status_code == 200
    assert "The same file again" in answer.text
    assert len(answer.content) < 60_000
