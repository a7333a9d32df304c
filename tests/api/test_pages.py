"""Lists a page at a time: whatever the list, its pages put together are the whole, in order and each item once."""

from typing import Any

import pytest

from api.world import World
from tests.api.door import refused
from tests.api.ordering import Counter

pytestmark = pytest.mark.parametrize("town_url", ["sqlite", "postgresql"], indirect=True)


def test_the_pages_of_a_list_are_the_whole_list(town: World) -> None:
    counter = Counter(town, callback="https://inn.example/hook")
    for number in ("O-1", "O-2", "O-3"):
        assert counter.order(number).status_code == 201
        assert counter.cancel(number).status_code == 200
    for ceiling in (100, 200, 300):
        counter.sign_up(ceiling=ceiling)
    for name in ("suite", "annex"):
        assert counter.client.put(
            f"/v1/services/{name}", json={"perk": "hotel"}, headers=counter.bearer(counter.token)
        ).is_success
    lists = {
        "/v1/services": counter.token,
        "/v1/services/hotel": counter.token,
        "/v1/orders": counter.token,
        "/v1/callbacks": counter.token,
        "/v1/me/orders": counter.me,
        "/v1/me/evidence": counter.me,
        "/v1/me/inquiries": counter.me,
        "/v1/audit/decisions": counter.issue("supervisor", "auditor"),
        "/v1/tokens": counter.issue("admin", "ops"),
    }
    for path, token in lists.items():
        whole = page(counter, path, token)
        assert len(whole["items"]) >= 3, path
        assert whole["next"] is None, path
        items, after = [], None
        while after is not None or not items:
            one = page(counter, path, token, limit=2, **({"after": after} if after else {}))
            assert 1 <= len(one["items"]) <= 2, path
            items, after = items + one["items"], one["next"]
        assert items == whole["items"], path


@pytest.mark.parametrize(
    ("path", "code"),
    [("/v1/callbacks?after=msg_" + "0" * 32, "unknown_callback"), ("/v1/orders?after=none", "unknown_order")],
)
def test_a_page_after_what_is_not_there_is_refused(town: World, path: str, code: str) -> None:
    counter = Counter(town)
    refused(counter.client.get(path, headers=counter.bearer(counter.token)), 404, code)


def page(counter: Counter, path: str, token: str, **query: Any) -> Any:
    answer = counter.client.get(path, params=query, headers=counter.bearer(token))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return told.get("versions", told)
