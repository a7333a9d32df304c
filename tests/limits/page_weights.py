"""Measure what a browser transfers for each page of the demo, with all that it loads: `python -m tests.limits.page_weights`.

The limit of a page is 300 kB, the editor's excepted: the bytes of every answer with its headers, in a browser that kept nothing.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from api.console.visits import COOKIE
from api.demo.parties import MERCHANTS
from api.http.app import create_app
from api.runtime import demo_mark
from api.runtime.context import AppContext
from api.store import clock
from api.store.database import reading
from api.store.tables import DECISION_SUBJECTS, DECISIONS
from tests.api.console.browser import running_browser
from tests.api.console.conftest import served
from tests.api.demo.demo_database import start
from tests.limits.page_walk import PageAddress, PageReader, merchant_starts, operator_starts, reader, unmet_routes, walk

MAX_BYTES: Final = 300_000
EDITOR: Final = ("/rules/drafts/{number}", "/rules/file")  # pages with the editor of rules
LARGEST: Final = 10


def transferred(browser: Browser, base: str, person: PageReader, addresses: Iterable[str]) -> Iterator[tuple[str, int]]:
    """The bytes that a browser transfers for each address, each time without a cache."""
    secret = person.headers["Cookie"].removeprefix(f"{COOKIE}=")
    context = browser.new_context(base_url=base)
    cookie = {"name": COOKIE, "value": secret, "url": base.replace("http:", "https:"), "secure": True}
    context.add_cookies([cookie])  # type: ignore[list-item]
    page, sizes = context.new_page(), list[int]()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    for address in addresses:
        sizes.clear()
        answer = page.goto(address)
        assert answer is not None, address
        assert answer.status == 200, f"{address}: {answer.status}"
        page.wait_for_load_state("networkidle")
        yield address, sum(sizes)
    context.close()


def demo_readers(context: AppContext, client: TestClient) -> Iterator[tuple[PageReader, list[PageAddress]]]:
    """Each role of the demo with the pages that it reaches."""
    subject = DECISION_SUBJECTS.c.subject
    with reading(context.database) as connection:
        joined = select(DECISIONS.c.id, subject).join(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == DECISIONS.c.seq)
        decision, person = connection.execute(joined.order_by(DECISIONS.c.seq.desc()).limit(1)).one()
    mark, merchant = demo_mark.read_mark(context.database), MERCHANTS[0]
    assert mark is not None
    assert mark.person is not None
    operator, shop, own, supervisor = (
        reader(context, client, role, party)
        for role, party in (
            ("operator", "mei"),
            ("merchant", merchant.party),
            ("subject", mark.person),
            ("supervisor", "sun"),
        )
    )
    yield operator, list(walk(operator, operator_starts(operator, person, decision)))
    yield shop, list(walk(shop, merchant_starts(shop, merchant.services[0].id, person)))
    yield own, list(walk(own))
    yield supervisor, list(walk(supervisor))


def is_page(address: str) -> bool:
    """Whether an address is a page, and no file or fragment."""
    path = address.partition("?")[0]
    return not path.endswith((".csv", ".json", ".ndjson", "/progress", "/guards", "/network"))


def main() -> None:
    """Print the largest pages."""
    console, patch = Console(), pytest.MonkeyPatch()
    table = Table("page", "role", "kB", title=f"the largest {LARGEST} pages, of at most {MAX_BYTES // 1000} kB")
    with tempfile.TemporaryDirectory() as folder:
        context, _ = start(f"sqlite:///{Path(folder) / 'demo.db'}", patch, now=clock.now())
        readers = list(demo_readers(context, TestClient(create_app(context))))
        rows: list[tuple[int, str, str, bool]] = []
        with running_browser() as browser, served(context) as base:
            for person, pages in readers:
                routes = {page.address: page.route for page in pages if is_page(page.address)}
                for address, size in transferred(browser, base, person, routes):
                    rows.append((size, address, person.role, routes[address] in EDITOR))
        context.database.dispose()
    rows.sort(reverse=True)
    for size, address, role, _ in rows[:LARGEST]:
        table.add_row(address[:90], role, f"{size / 1e3:.0f}")
    over = [address for size, address, _, is_editor in rows if size > MAX_BYTES and not is_editor]
    unmet = unmet_routes([page for _, pages in readers for page in pages])
    console.print(table, f"{len(rows)} pages; over the limit: {over or 'none'}; not reached: {sorted(unmet) or 'none'}")


if __name__ == "__main__":
    main()
