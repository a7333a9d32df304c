"""The queue of cases: pages by deadline over both kinds, and the next case from any of them."""

import re
from collections.abc import Callable

import httpx2
import pytest
from sqlalchemy import insert

from api.runtime.context import AppContext
from api.store.clock import micros
from api.store.database import writing
from api.store.tables import DISPUTES, REVIEWS
from tests.api.console.activity import LATER
from tests.api.console.browser import VIEWS, Visitor

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]
COUNT = 70  # of each kind: more than a page
ROW = re.compile(r'<td><a href="/cases/((?:disputes|reviews)/\w+)"')


@pytest.fixture
def queue(town: AppContext) -> list[str]:
    """Cases of both kinds, the most urgent first. Three of each kind are due at one moment; each tenth is answered."""
    kinds = {"disputes": (DISPUTES, "opened_at", "resolved_at"), "reviews": (REVIEWS, "asked_at", "answered_at")}
    places = []
    with writing(town.database) as connection:
        for kind, (table, opened_at, answered_at) in kinds.items():
            rows = []
            for n in range(COUNT):
                due_at, name = micros(LATER) + n // 3, f"{len(kind)}{(n * 37) % 101:015x}"
                end = {answered_at: due_at if n % 10 == 0 else None, "outcome": "x" if n % 10 == 0 else None}
                about = {"contributor": "bank", "event_id": f"e{n}"} if kind == "disputes" else {"decision": f"d{n}"}
                rows.append({"id": name, "subject": f"p-{n}", opened_at: 0, "due_at": due_at, **about, **end})
                if n % 10:
                    places.append((due_at, f"{kind}/{name}"))
            connection.execute(insert(table), rows)
    return [name for _, name in sorted(places)]


def test_the_pages_of_waiting_cases_hold_each_case_once_by_deadline(
    signed_in: SignIn, token: Issue, queue: list[str]
) -> None:
    client, address, names, pages = signed_in(token("operator", "mei")), "/cases", list[str](), 0
    while address:
        page = client.get(address)
        assert page.status_code == 200
        names += ROW.findall(page.text)
        following = re.search(r'class="pager".*?href="([^"]+)"', page.text)
        address, pages = following.group(1).replace("&amp;", "&") if following else "", pages + 1
    assert names == queue
    assert pages == 3


def test_the_next_case_is_the_one_that_follows_over_all_cases(
    signed_in: SignIn, token: Issue, queue: list[str]
) -> None:
    client, names, address = signed_in(token("operator", "mei")), list[str](), "/cases/next"
    for _ in range(len(queue) + 1):
        names.append(client.get(address).headers["location"].removeprefix("/cases/"))
        address = f"/cases/next?skip={names[-1].partition('/')[2]}"
    assert names == [*queue, queue[0]]
    assert client.get("/cases/next?skip=feed").headers["location"] == f"/cases/{queue[0]}"


@pytest.mark.parametrize("after", ["5-letters-a", "x", "5", "99999999999999999999-reviews-a", "5-reviews-a%20b"])
def test_an_address_that_names_no_place_is_harmless(
    signed_in: SignIn, token: Issue, queue: list[str], after: str
) -> None:
    assert signed_in(token("operator", "mei")).get(f"/cases?after={after}").status_code in (200, 422)


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_an_operator_leafs_through_the_queue_and_opens_the_next_case(
    visitor: Open, token: Issue, queue: list[str], language: str, width: str, scheme: str
) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    page = window.page
    window.sign_in(token("operator", "mei"), "/cases")
    page.locator(".pager a").click()
    page.wait_for_url("**after=**")
    window.screen("cases-second-page")
    assert window.violations() == []
    page.locator("a[href='/cases/next']").click()
    page.wait_for_url(f"**/cases/{queue[0]}")
