"""Add new decisions, moves of orders and events to the sums that the operator's pages read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from api.evidence import contributor_sums
from api.jobs.periodic import periodic_task
from api.runtime.context import AppContext
from api.supervision import daily_sums

INTERVAL_SECONDS: Final = 10.0  # a reader adds by itself what is newer


@contextmanager
def adding_daily_sums(context: Callable[[], AppContext]) -> Iterator[None]:
    """Add what is new as long as the server runs: batch by batch, so that other writers get their turn."""

    def add_all() -> None:
        while daily_sums.add_new(context().database, context().release.timezone):
            pass
        while contributor_sums.add_new(context().database):
            pass

    with periodic_task("sums of the monitor", INTERVAL_SECONDS, add_all, initial_delay=1.0):
        yield
