"""A merchant's day has every move of its own orders, never changes, and comes with a hash."""

import base64
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from api.runtime.context import AppContext
from tests.api.merchant_client import assert_problem
from tests.api.order_client import OrderClient


@pytest.fixture
def client(town: AppContext) -> OrderClient:
    client = OrderClient(town)
    client.now = datetime.combine(client.now.date(), datetime.min.time(), UTC).replace(hour=1)  # 09:00 in Shanghai
    return client


def test_a_finished_day_has_every_move_of_the_merchants_orders(client: OrderClient) -> None:
    day = client.now.date()

    def get_day(day_: Any = day, token: str | None = None) -> Any:
        path = f"/v1/reconciliation/{day_}"
        return client.http.get(path, headers=client.bearer(token or client.token))

    client.create_due_order()
    client.advance(hours=14, minutes=59)
    assert client.post_action("O-1", "pay").status_code == 200
    assert_problem(get_day(), 409, "day_not_over")
    client.advance(minutes=11)
    assert client.create_order("O-2").status_code == 201  # of the next day
    response = get_day()
    moves = [json.loads(line) for line in response.text.splitlines()]
    assert [(m["action"], m["state"], m["total_amount"]) for m in moves] == [
        *(("create", "created", None), ("confirm", "in_service", None)),
        *(("complete", "due", 40_000), ("pay", "settled", 40_000)),
    ]
    digest = base64.b64encode(hashlib.sha256(response.content).digest()).decode()
    assert response.headers["content-digest"] == f"sha-256=:{digest}:"
    assert client.person not in response.text
    client.advance(days=400)
    assert get_day().content == response.content
    assert get_day(token=client.issue("merchant", "lodge")).content == b""
    assert_problem(get_day("yesterday"), 422, "bad_request")
    assert get_day("9999-12-31").status_code == 409
    assert get_day("0001-01-01").content == b""


def test_a_day_is_in_the_time_zone_of_the_rules(client: OrderClient) -> None:
    """At 23:30 UTC it is 07:30 of the next day in Shanghai."""
    day = client.now.date()
    client.advance(hours=22, minutes=30)
    assert client.create_order("O-1").status_code == 201
    client.advance(days=2)

    def moves(day_: date) -> list[str]:
        response = client.http.get(f"/v1/reconciliation/{day_}", headers=client.bearer(client.token))
        return [json.loads(line)["at"][:16] for line in response.text.splitlines()]

    assert moves(day) == []
    assert moves(day + timedelta(days=1)) == [f"{day}T23:30"]
