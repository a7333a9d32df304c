"""Lists in pages: the pages of each list together are the whole list, in order and each item once."""

from typing import Any

import pytest

from api.runtime.context import AppContext
from tests.api.merchant_client import assert_problem
from tests.api.order_client import OrderClient

pytestmark = pytest.mark.parametrize("town_url", ["sqlite", "postgresql"], indirect=True)


def test_the_pages_of_a_list_are_the_whole_list(town: AppContext) -> None:
    client = OrderClient(town, callback="https://inn.example/hook")
    for number in ("O-1", "O-2", "O-3"):
        assert client.create_order(number).status_code == 201
        assert client.cancel(number).status_code == 200
    for ceiling in (100, 200, 300):
        client.sign_up(ceiling=ceiling)
    for name in ("suite", "annex"):
        assert client.http.put(
            f"/v1/services/{name}", json={"perk": "hotel"}, headers=client.bearer(client.token)
        ).is_success
    lists = {
        "/v1/services": client.token,
        "/v1/services/hotel": client.token,
        "/v1/orders": client.token,
        "/v1/callbacks": client.token,
        "/v1/me/orders": client.person_token,
        "/v1/me/evidence": client.person_token,
        "/v1/me/inquiries": client.person_token,
        "/v1/audit/decisions": client.issue("supervisor", "auditor"),
        "/v1/tokens": client.issue("admin", "ops"),
    }
    for path, token in lists.items():
        # The person has more evidence than the page that we give unasked.
        full_page = page(client, path, token, **({"limit": 1_000} if path == "/v1/me/evidence" else {}))
        assert len(full_page["items"]) >= 3, path
        assert full_page["next"] is None, path
        items, after = [], None
        while after is not None or not items:
            batch = page(client, path, token, limit=2, **({"after": after} if after else {}))
            assert 1 <= len(batch["items"]) <= 2, path
            items, after = items + batch["items"], batch["next"]
        assert items == full_page["items"], path


@pytest.mark.parametrize(
    ("path", "code"),
    [("/v1/callbacks?after=msg_" + "0" * 32, "unknown_callback"), ("/v1/orders?after=none", "unknown_order")],
)
def test_a_page_after_an_unknown_item_is_refused(town: AppContext, path: str, code: str) -> None:
    client = OrderClient(town)
    assert_problem(client.http.get(path, headers=client.bearer(client.token)), 404, code)


def page(client: OrderClient, path: str, token: str, **query: Any) -> Any:
    response = client.http.get(path, params=query, headers=client.bearer(token))
    assert response.status_code == 200, response.text
    payload = response.json()
    return payload.get("versions", payload)
