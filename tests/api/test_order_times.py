"""Moments of orders are compared to the microsecond, on either side of each limit."""

from datetime import timedelta

import pytest

from api.background.timekeeper import keep_time
from api.database import reading
from api.orders import order_book, orders
from api.world import World
from tests.api.door import refused
from tests.api.ordering import Counter
from tests.api.test_orders import told

pytestmark = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # nothing of it is the database's
MICRO = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def counter(town: World) -> Counter:
    """At a moment that is no whole second, as moments are."""
    counter = Counter(town)
    counter.now += timedelta(microseconds=123_457)
    return counter


def test_a_service_that_ends_now_is_completed(counter: Counter) -> None:
    """As `isoformat()` gives it, to the microsecond, and as `toISOString()` does, to the millisecond before."""
    counter.begun("O-1")
    times = {"start_time": (counter.now - HOUR).isoformat(), "end_time": counter.now.isoformat()}
    assert counter.complete("O-1", time_range=times).json()["state"] == "due"
    counter.do("O-1", "pay")
    counter.begun("O-2")
    ended = counter.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert counter.complete("O-2", time_range={"start_time": ended, "end_time": ended}).json()["state"] == "due"


def test_a_service_does_not_end_a_microsecond_from_now_nor_before_it_began(counter: Counter) -> None:
    counter.begun()
    for start, end in ((counter.now, counter.now + MICRO), (counter.now, counter.now - MICRO)):
        times = {"start_time": start.isoformat(), "end_time": end.isoformat()}
        refused(counter.complete(time_range=times), 422, "bad_time_range")
    assert counter.state() == "in_service"


def test_an_order_is_overdue_from_its_due_moment_on(counter: Counter) -> None:
    counter.due("O-1")
    other = next(str(p) for p in counter.scores.filter(counter.scores["score"] >= 750)["person"] if p != counter.person)
    counter.now += timedelta(days=7) - MICRO
    assert (keep_time(counter.world, counter.now), counter.state("O-1")) == (0, "due")
    assert counter.ask(other, amount=100).status_code == 200
    counter.now += MICRO
    assert (keep_time(counter.world, counter.now), counter.state("O-1")) == (1, "overdue")
    (overdue,) = told(counter, "order.overdue")
    assert overdue["happened_at"] == counter.now


def test_an_order_that_nobody_confirms_expires_to_the_microsecond(counter: Counter) -> None:
    counter.order("O-1")
    counter.now += MICRO
    counter.order("O-2", counter.decided(100)["decision_id"], amount=100)
    counter.now += timedelta(days=30) - 2 * MICRO
    assert keep_time(counter.world, counter.now) == 0
    counter.now += MICRO
    assert (keep_time(counter.world, counter.now), counter.state("O-1"), counter.state("O-2")) == (
        *(1, "expired"),
        "created",
    )


def test_the_clock_does_not_make_an_order_overdue_that_was_disputed_since_it_was_looked_at(counter: Counter) -> None:
    """Two are ripe; one is disputed between the look and the move, by whoever was faster."""
    counter.begun("O-1")
    counter.begun("O-2")
    names = {n: str(counter.complete(n).json()["order_id"]) for n in ("O-1", "O-2")}
    counter.later(days=8)
    with reading(counter.world.database) as connection:
        looked_at = [order_book.by_id(connection, name) for name in names.values()]
    assert all(orders.ripe(counter.world, order, counter.now) for order in looked_at)
    counter.do("O-1", "dispute", {"statement": "the room was cold"})
    moved = {order.out_order_no: orders.tick(counter.world, order.id, counter.now) for order in looked_at}
    assert moved == {"O-1": False, "O-2": True}
    assert (counter.state("O-1"), counter.state("O-2")) == ("due", "overdue")
    assert [event["order"] for event in told(counter, "order.overdue")] == [names["O-2"]]


def test_an_order_paid_a_microsecond_late_is_a_day_late(counter: Counter) -> None:
    counter.due()
    counter.now += timedelta(days=7)
    late = counter.now + MICRO
    counter.now += timedelta(days=1)
    assert counter.do("O-1", "sync", {"paid_at": late.isoformat()}).json()["state"] == "settled"
    assert [event["days_late"] for event in told(counter, "order.settled")] == [1]
