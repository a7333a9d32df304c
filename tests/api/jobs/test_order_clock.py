"""Moving orders by the clock: late, twice or by many at once, the result is the same; and it survives a lost database."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from api.jobs import periodic
from api.jobs.order_clock import tick_orders
from api.runtime.context import AppContext
from api.store.clock import iso
from engine.errors import Rejected
from tests.api.order_client import OrderClient
from tests.api.orders.test_orders import system_events


@pytest.fixture
def client(town: AppContext) -> OrderClient:
    return OrderClient(town)


def tick(client: OrderClient) -> int:
    return tick_orders(client.context, client.now)


def test_an_unconfirmed_order_expires_after_thirty_days(client: OrderClient) -> None:
    client.create_order()
    client.advance(days=29, hours=23)
    assert (tick(client), client.state()) == (0, "created")
    client.advance(hours=1)
    assert (tick(client), tick(client), client.state()) == (1, 0, "expired")
    assert client.get_order().json()["closed_at"] == iso(client.now)


def test_an_unpaid_order_becomes_overdue_once_even_if_clocks_are_late_or_concurrent(client: OrderClient) -> None:
    order = client.create_due_order()
    client.advance(days=6, hours=23)
    assert (tick(client), client.state()) == (0, "due")
    client.advance(days=20)
    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(lambda _: tick(client), range(4))) == 1
    (overdue_event,) = system_events(client, "order.overdue")
    assert iso(overdue_event["happened_at"]) == order["due_at"]  # rather than when the clock came by
    assert (overdue_event["amount"], overdue_event["days_late"]) == (40_000, 0)
    assert client.post_action("O-1", "pay").json()["state"] == "settled"
    assert [e["days_late"] for e in system_events(client, "order.settled")] == [20]
    assert system_events(client, "event.retracted") == []


def test_the_person_sees_the_due_date_before_anything_is_reported(client: OrderClient) -> None:
    order = client.create_due_order()
    (listed_order,) = client.list_my_orders()
    assert listed_order["due_at"] == order["due_at"] > iso(client.now)
    assert system_events(client, "order.overdue") == []


def test_a_disputed_order_does_not_become_overdue_until_the_dispute_is_over(client: OrderClient) -> None:
    order = client.create_due_order()
    path, headers = f"/v1/me/orders/{order['order_id']}/dispute", client.bearer(client.person_token)
    client.http.post(path, json={"statement": "it was not so"}, headers=headers)
    client.advance(days=30)
    assert (tick(client), client.state()) == (0, "due")
    client.http.post(path, json={"statement": None}, headers=headers)
    assert (tick(client), client.state()) == (1, "overdue")


def test_an_overdue_event_is_retracted_if_the_order_was_paid_in_time(client: OrderClient) -> None:
    client.create_due_order()
    paid_at = client.advance(days=1)
    client.advance(days=9)
    assert tick(client) == 1
    assert client.post_action("O-1", "sync", {"paid_at": iso(paid_at)}).json()["state"] == "settled"
    (overdue_event,) = system_events(client, "order.overdue")
    (retraction,) = system_events(client, "event.retracted")
    assert (retraction["ref_event"], retraction["contributor"]) == (
        overdue_event["event_id"],
        overdue_event["contributor"],
    )


def test_more_orders_than_a_batch_are_all_moved(client: OrderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.jobs.order_clock.BATCH_SIZE", 2)
    for n in range(5):
        client.create_order(f"O-{n}", client.decide(100)["decision_id"], amount=100)
    client.advance(days=31)
    assert (tick(client), tick(client)) == (5, 0)


def test_periodic_work_resumes_after_failures_and_logs_each_change_once(caplog: pytest.LogCaptureFixture) -> None:
    success, attempts = Event(), iter(range(9))

    def work() -> Any:
        attempt = next(attempts, 9)
        if attempt < 3:
            raise Rejected("the database does not answer", code="database_unreachable")
        if attempt < 5:
            raise KeyError("a person's data")
        success.set()

    with caplog.at_level(logging.INFO, "iftah"), periodic.periodic_task("the clock", 0.001, work):
        assert success.wait(5)
        time.sleep(0.01)
    log_messages = [record.message for record in caplog.records]
    assert len(log_messages) == 3
    assert "the database does not answer" in log_messages[0]
    assert "a person's data" not in " ".join(log_messages)
    assert log_messages[2] == "the clock: done again"


def test_the_clock_stops_with_the_server() -> None:
    calls: list[int] = []
    with periodic.periodic_task("the clock", 0.001, lambda: calls.append(1)):
        time.sleep(0.05)
    call_count = len(calls)
    time.sleep(0.02)
    assert call_count == len(calls) > 0


def test_a_clock_that_runs_back_moves_nothing(client: OrderClient) -> None:
    client.create_due_order()
    client.now -= timedelta(days=365)
    assert tick(client) == 0
