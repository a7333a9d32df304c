"""We compare times of orders to the microsecond, on both sides of each limit."""

from datetime import timedelta

import pytest

from api.jobs.order_clock import tick_orders
from api.orders import order_store, orders
from api.runtime.context import AppContext
from api.store.database import reading
from tests.api.merchant_client import assert_problem
from tests.api.order_client import OrderClient
from tests.api.orders.test_orders import system_events

pytestmark = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # the database does not matter here
MICRO = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def client(town: AppContext) -> OrderClient:
    """At a time with a fraction of a second."""
    client = OrderClient(town)
    client.now += timedelta(microseconds=123_457)
    return client


def test_a_service_that_ends_now_is_completed(client: OrderClient) -> None:
    """The time in the format of `isoformat()`, to the microsecond, and of `toISOString()`, cut to the millisecond."""
    client.start_order("O-1")
    times = {"start_time": (client.now - HOUR).isoformat(), "end_time": client.now.isoformat()}
    assert client.complete("O-1", time_range=times).json()["state"] == "due"
    client.post_action("O-1", "pay")
    client.start_order("O-2")
    end_time = client.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert client.complete("O-2", time_range={"start_time": end_time, "end_time": end_time}).json()["state"] == "due"


def test_a_service_does_not_end_a_microsecond_from_now_nor_before_it_began(client: OrderClient) -> None:
    client.start_order()
    for start, end in ((client.now, client.now + MICRO), (client.now, client.now - MICRO)):
        times = {"start_time": start.isoformat(), "end_time": end.isoformat()}
        assert_problem(client.complete(time_range=times), 422, "bad_time_range")
    assert client.state() == "in_service"


def test_an_order_is_overdue_from_its_due_time(client: OrderClient) -> None:
    client.create_due_order("O-1")
    other = next(str(p) for p in client.scores.filter(client.scores["score"] >= 750)["person"] if p != client.person)
    client.now += timedelta(days=7) - MICRO
    assert (tick_orders(client.context, client.now), client.state("O-1")) == (0, "due")
    assert client.ask(other, amount=100).status_code == 200
    client.now += MICRO
    assert (tick_orders(client.context, client.now), client.state("O-1")) == (1, "overdue")
    (overdue_event,) = system_events(client, "order.overdue")
    assert overdue_event["happened_at"] == client.now


def test_an_unconfirmed_order_expires_to_the_microsecond(client: OrderClient) -> None:
    client.create_order("O-1")
    client.now += MICRO
    client.create_order("O-2", client.decide(100)["decision_id"], amount=100)
    client.now += timedelta(days=30) - 2 * MICRO
    assert tick_orders(client.context, client.now) == 0
    client.now += MICRO
    assert (tick_orders(client.context, client.now), client.state("O-1"), client.state("O-2")) == (
        *(1, "expired"),
        "created",
    )


def test_an_order_disputed_after_the_check_does_not_become_overdue(client: OrderClient) -> None:
    """Two orders are due; a party disputes one of them between our check and the move."""
    client.start_order("O-1")
    client.start_order("O-2")
    order_ids = {n: str(client.complete(n).json()["order_id"]) for n in ("O-1", "O-2")}
    client.advance(days=8)
    with reading(client.context.database) as connection:
        loaded_orders = [order_store.by_id(connection, name) for name in order_ids.values()]
    assert all(orders.is_due(client.context, order, client.now) for order in loaded_orders)
    client.post_action("O-1", "dispute", {"statement": "the room was cold"})
    tick_results = {order.out_order_no: orders.tick(client.context, order.id, client.now) for order in loaded_orders}
    assert tick_results == {"O-1": False, "O-2": True}
    assert (client.state("O-1"), client.state("O-2")) == ("due", "overdue")
    assert [event["order"] for event in system_events(client, "order.overdue")] == [order_ids["O-2"]]


def test_an_order_paid_a_microsecond_late_is_a_day_late(client: OrderClient) -> None:
    client.create_due_order()
    client.now += timedelta(days=7)
    paid_at = client.now + MICRO
    client.now += timedelta(days=1)
    assert client.post_action("O-1", "sync", {"paid_at": paid_at.isoformat()}).json()["state"] == "settled"
    assert [event["days_late"] for event in system_events(client, "order.settled")] == [1]


def test_an_order_paid_at_this_moment_is_paid_and_a_microsecond_later_is_not_yet(client: OrderClient) -> None:
    client.create_due_order()
    body = {"paid_at": (client.now + MICRO).isoformat()}
    assert_problem(client.post_action("O-1", "sync", body), 422, "bad_time_range")
    assert client.post_action("O-1", "sync", {"paid_at": client.now.isoformat()}).json()["state"] == "settled"


def test_a_dispute_is_ended_twice_and_opened_anew_in_other_words(client: OrderClient) -> None:
    """To end a dispute that is not open changes nothing; the party that opened it may say something else."""
    client.create_due_order()
    before = {name: value for name, value in client.get_order().json().items() if name != "actions"}
    assert client.post_action("O-1", "dispute", {"statement": None}).json() == before
    for statement in ("the towels are gone", "two towels are gone", "two towels are gone"):
        order = client.post_action("O-1", "dispute", {"statement": statement}).json()
        assert order["dispute"] == {"by": "merchant", "statement": statement}
    for _ in range(2):
        order = client.post_action("O-1", "dispute", {"statement": None}).json()
        assert (order["dispute"], order["disputed"], order["state"]) == (None, False, "due")
