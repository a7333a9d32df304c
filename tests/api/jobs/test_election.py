"""One process works in the background. When it dies, another takes over."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from api.jobs.election import elected
from api.jobs.watermarks import Watermarks, watching
from api.runtime.context import AppContext
from api.store import clock
from api.store.database import open_database
from api.store.leadership import Leadership
from tests.api import fork_server
from tests.api.refresh_town import append_events
from tests.api.town import event

WAIT_SECONDS = 30.0


def lead_forever(url: str) -> None:
    """Lead until killed."""
    leadership = Leadership(open_database(url))
    while not leadership.hold():
        time.sleep(0.05)
    print("leads", flush=True)
    while leadership.hold():
        time.sleep(0.05)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


@contextmanager
def candidate(context: AppContext, working: Event) -> Iterator[None]:
    @contextmanager
    def work() -> Iterator[None]:
        working.set()
        yield
        working.clear()

    with elected(context.database, work, interval=0.05):
        yield


def test_one_of_several_processes_leads_until_it_is_killed(town: AppContext, town_url: str, tmp_path: Path) -> None:
    first = fork_server.Process(tmp_path / "first", {}, lead_forever, town_url)
    processes = [first]
    try:
        wait_for(lambda: "leads" in first.output())
        second = fork_server.Process(tmp_path / "second", {}, lead_forever, town_url)
        processes = [first, second]
        third = Leadership(town.database)
        for _ in range(5):
            assert not third.hold()
            time.sleep(0.05)
        assert "leads" not in second.output()
        processes.remove(first)
        first.kill()  # SIGKILL: nobody gives the lock up
        wait_for(lambda: "leads" in second.output())
        assert not third.hold()
    finally:
        for process in processes:
            process.kill()


def test_background_work_begins_where_the_leader_ended(town: AppContext) -> None:
    first, second = Event(), Event()
    with candidate(town, second):
        wait_for(second.is_set)
        with candidate(town, first):
            time.sleep(0.3)
            assert not first.is_set()
    assert not second.is_set()
    with candidate(town, first):
        wait_for(first.is_set)


def test_marks_follow_what_is_committed(town: AppContext) -> None:
    with watching(lambda: town, interval=0.01) as marks:
        wait_for(lambda: marks() is not None)
        before = marks()
        assert isinstance(before, Watermarks)
        assert (before.deferred, before.scheduled_at, before.message_at, before.orders) == (False, None, None, False)
        append_events(
            town.database,
            event("payment.made", "ann", clock.now(), "n", other="shop", amount=1, currency="CNY"),
            clock.now(),
        )
        wait_for(lambda: marks() != before)
        after = marks()
        assert isinstance(after, Watermarks)
        assert after == before._replace(events=(before.events or 0) + 1)
