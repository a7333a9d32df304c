"""What time does to orders: late, twice or by many at once, it is the same as once; and it survives a database that is away."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from api.background import rounds
from api.background.timekeeper import keep_time
from api.clock import iso
from api.world import World
from engine.errors import Refused
from tests.api.ordering import Counter
from tests.api.test_orders import told


@pytest.fixture
def counter(town: World) -> Counter:
    return Counter(town)


def pass_(counter: Counter) -> int:
    return keep_time(counter.world, counter.now)


def test_an_order_that_nobody_confirms_expires_after_thirty_days(counter: Counter) -> None:
    counter.order()
    counter.later(days=29, hours=23)
    assert (pass_(counter), counter.state()) == (0, "created")
    counter.later(hours=1)
    assert (pass_(counter), pass_(counter), counter.state()) == (1, 0, "expired")
    assert counter.seen().json()["closed_at"] == iso(counter.now)


def test_what_is_not_paid_in_time_is_overdue_once_however_late_the_clock_and_however_many(counter: Counter) -> None:
    due = counter.due()
    counter.later(days=6, hours=23)
    assert (pass_(counter), counter.state()) == (0, "due")
    counter.later(days=20)
    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(lambda _: pass_(counter), range(4))) == 1
    (overdue,) = told(counter, "order.overdue")
    assert iso(overdue["happened_at"]) == due["due_at"]  # not when the clock came by
    assert (overdue["amount"], overdue["days_late"]) == (40_000, 0)
    assert counter.do("O-1", "pay").json()["state"] == "settled"
    assert [e["days_late"] for e in told(counter, "order.settled")] == [20]
    assert told(counter, "event.retracted") == []


def test_the_person_sees_the_due_date_before_anything_is_reported(counter: Counter) -> None:
    due = counter.due()
    (mine,) = counter.mine()
    assert mine["due_at"] == due["due_at"] > iso(counter.now)
    assert told(counter, "order.overdue") == []


def test_a_disputed_order_does_not_become_overdue_until_the_dispute_is_over(counter: Counter) -> None:
    made = counter.due()
    address, me = f"/v1/me/orders/{made['order_id']}/dispute", counter.bearer(counter.me)
    counter.client.post(address, json={"statement": "it was not so"}, headers=me)
    counter.later(days=30)
    assert (pass_(counter), counter.state()) == (0, "due")
    counter.client.post(address, json={"statement": None}, headers=me)
    assert (pass_(counter), counter.state()) == (1, "overdue")


def test_what_was_told_as_overdue_is_taken_back_when_it_was_paid_in_time(counter: Counter) -> None:
    counter.due()
    paid = counter.later(days=1)
    counter.later(days=9)
    assert pass_(counter) == 1
    assert counter.do("O-1", "sync", {"paid_at": iso(paid)}).json()["state"] == "settled"
    (said,) = told(counter, "order.overdue")
    (taken_back,) = told(counter, "event.retracted")
    assert (taken_back["ref_event"], taken_back["contributor"]) == (said["event_id"], said["contributor"])


def test_more_than_are_looked_at_together_are_all_moved(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.background.timekeeper.MOST", 2)
    for n in range(5):
        counter.order(f"O-{n}", counter.decided(100)["decision_id"], amount=100)
    counter.later(days=31)
    assert (pass_(counter), pass_(counter)) == (5, 0)


def test_work_goes_on_when_what_was_wrong_is_well_again_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    done, tries = Event(), iter(range(9))

    def one() -> Any:
        tried = next(tries, 9)
        if tried < 3:
            raise Refused("the database does not answer", code="database_unreachable")
        if tried < 5:
            raise KeyError("a person's data")
        done.set()

    with caplog.at_level(logging.INFO, "iftah"), rounds.in_rounds("the clock", 0.001, one):
        assert done.wait(5)
        time.sleep(0.01)
    said = [record.message for record in caplog.records]
    assert len(said) == 3
    assert "the database does not answer" in said[0]
    assert "a person's data" not in " ".join(said)
    assert said[2] == "the clock: done again"


def test_it_ends_when_the_server_does() -> None:
    rounds_done: list[int] = []
    with rounds.in_rounds("the clock", 0.001, lambda: rounds_done.append(1)):
        time.sleep(0.05)
    ended = len(rounds_done)
    time.sleep(0.02)
    assert ended == len(rounds_done) > 0


def test_a_clock_that_runs_back_moves_nothing(counter: Counter) -> None:
    counter.due()
    counter.now -= timedelta(days=365)
    assert pass_(counter) == 0
