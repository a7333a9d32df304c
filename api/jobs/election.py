"""Run background work in one of the processes that serve a database: in the one elected by a lock.

When it ends, another takes over within `INTERVAL_SECONDS`. While the database does not answer, the leader goes on trying to work, and reports
that it cannot. It stops only when it sees that another process leads.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Event
from typing import Final

from api.jobs.periodic import FailureLog, background_thread
from api.store.database import Database
from api.store.leadership import Leadership

log = logging.getLogger("iftah")

INTERVAL_SECONDS: Final = 1.0  # between attempts to take the lock, and between looks whether we still have it


@contextmanager
def elected(
    database: Database, work: Callable[[], AbstractContextManager[object]], interval: float = INTERVAL_SECONDS
) -> Iterator[None]:
    """Keep `work` entered as long as this process leads and the server runs. Work must bear a second process for a moment."""

    def run(stop: Event) -> None:
        leadership, failures = Leadership(database), FailureLog.of_task("to elect who works in the background")
        with ExitStack() as stack:
            stack.callback(leadership.release)
            running: ExitStack | None = None
            while True:
                try:
                    leads = leadership.hold()
                except Exception as error:  # the database is away: whoever led goes on
                    failures.record(error)
                else:
                    failures.clear()
                    if leads and running is None:
                        running = stack.enter_context(ExitStack())
                        running.enter_context(work())
                    if not leads and running is not None:
                        log.warning("another process works in the background now")
                        running.close()
                        running = None
                if stop.wait(interval):
                    return

    with background_thread("election", run):
        yield
