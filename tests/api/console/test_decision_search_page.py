"""The search of decisions with two filters, each of which matches many decisions, and both of them few."""

from collections.abc import Callable

import httpx2
import pytest
from sqlalchemy import insert

from api.runtime.context import AppContext
from api.store.clock import micros
from api.store.database import writing
from api.store.tables import DECISIONS
from api.supervision.decision_search import MAX_SCANNED
from tests.api.console.activity import LATER
from tests.api.console.browser import VIEWS, Visitor

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]
ADDRESS = "/decisions?perk=hotel&outcome=DECLINE"
RARE = (3, MAX_SCANNED + 30)  # decisions that both filters match: the first lies behind more than one page looks at


@pytest.fixture(scope="module")
def long_town(module_town: AppContext) -> AppContext:
    """Many decisions about hotels and many that decline, and two that are both."""
    rows = []
    for n in range(1, MAX_SCANNED + 51):
        terms = {"perk": "hotel", "outcome": "DECLINE" if n in RARE else "ADMIT"}
        times = dict.fromkeys(("decided_at", "valid_until"), micros(LATER) + n * 1_000_000)
        answer = {"amount": 5, "currency": "CNY", "waived": 0, "deposit": 0, "release": "f" * 64}
        row = {"seq": n, "id": f"{n:x}", "merchant": "inn", **terms, **answer, **times}
        rows.append(row | {"commitment": "", "previous_hash": "", "hash": f"h{n}"})
    with writing(module_town.database) as connection:
        connection.execute(insert(DECISIONS), rows)
    return module_town


@pytest.fixture
def town(long_town: AppContext) -> AppContext:
    return long_town


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_the_search_says_how_far_it_looked_and_goes_on(
    visitor: Open, token: Issue, language: str, width: str, scheme: str
) -> None:
    window = visitor(language=language, width=width, scheme=scheme)
    page = window.page
    window.sign_in(token("operator", "mei"))
    page.goto(ADDRESS)
    assert page.locator("tbody tr").count() == 1
    assert page.locator("main [role=status]").count() == 1
    window.screen("decisions-stopped")
    assert window.violations() == []
    page.locator("main [role=status] a").click()
    page.wait_for_url("**after=**")
    assert page.locator("tbody tr").count() == 1
    assert page.locator("main [role=status]").count() == 0
    assert page.locator("select[name=outcome]").input_value() == "DECLINE"


def test_a_supervisor_sees_the_same_and_one_filter_does_not_stop(signed_in: SignIn, token: Issue) -> None:
    client = signed_in(token("supervisor", "s"))
    assert "Continue the search" in client.get("/audit?perk=hotel&outcome=PARTIAL").text
    page = client.get("/audit?perk=hotel").text
    assert "Continue the search" not in page
    assert "More</a>" in page
    assert "No decision matches" in client.get("/audit?perk=boat&outcome=DECLINE").text
