"""Every page of the navigation, with all that it loads, is light: `tests/limits/page_weights.py` counts all the others, too."""

from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from api.console.navigation import PAGES
from api.http.app import create_app
from api.runtime.context import AppContext
from tests.api.console.activity import seed_activity
from tests.limits.page_walk import ROUTES, UNLINKED, operator_starts, page_key, reader, unmet_routes, walk
from tests.limits.page_weights import MAX_BYTES, transferred

PARTIES = {"operator": "mei", "merchant": "inn", "supervisor": "sun"}


def test_no_page_of_the_navigation_transfers_more_than_the_limit(
    browser: Browser, address: str, town: AppContext
) -> None:
    parties, client = PARTIES | {"subject": seed_activity(town)}, TestClient(create_app(town))
    sizes = dict[str, int]()
    for role, party in parties.items():
        pages = [path for path, _ in PAGES[role]]
        sizes |= transferred(browser, address, reader(town, client, role, party), pages)
    assert {path: size for path, size in sizes.items() if size > MAX_BYTES} == {}
    assert {
        path for path, size in sizes.items() if size < 10_000
    } == set()  # a page without its style sheet and scripts


def test_a_walk_reaches_the_pages_behind_links_and_purposes(town: AppContext) -> None:
    person, client = seed_activity(town), TestClient(create_app(town))
    operator = reader(town, client, "operator", "mei")
    decision = client.get("/v1/audit/decisions", headers=operator.headers).json()["items"][0]["id"]
    pages = list(walk(operator, operator_starts(operator, person, decision)))
    assert len({page_key(page.address) for page in pages}) == len(pages) > 40
    assert {"/people/{person:path}", "/decisions/{decision}", "/rules/drafts/{number}/try"} <= {p.route for p in pages}
    assert unmet_routes(pages) & {"/monitor", "/features/{feature}", "/cases/{kind}/{name}"} == set()
    assert set(UNLINKED) <= {route.path for route in ROUTES}
