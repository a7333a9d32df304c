"""Refresh feature rows and scores from the ledger while the server answers, also for events and builds of other processes.

Two threads look for work: one for new events, one for deferred people. One person with a million payments then delays nobody
else. Each thread reads the context again for every batch, so a release that came into force in between scores the next batch.
We log a failure once (the database does not answer, a build has another catalogue) and try again. Until then the rows stay as
they are and carry their own `as_of`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from threading import Event
from time import monotonic
from typing import Final

from api.features.refresh import RefreshResult, catch_up, refresh
from api.jobs.periodic import FailureLog, background_thread, unexpected
from api.runtime.context import AppContext
from api.store import clock
from api.store.database import Database
from engine.decide.evaluators import Evaluators
from engine.errors import IftahError

INTERVAL_SECONDS: Final = 0.05  # between looks while there is no work
RETRY_SECONDS: Final = 1.0  # until the next attempt after a failure

Work = Callable[[Database, Evaluators, datetime], RefreshResult | None]


@contextmanager
def refreshing(context: Callable[[], AppContext], report: Callable[[str | None], None]) -> Iterator[None]:
    """Refresh rows and scores from two threads, as long as the server runs. We pass `report` the problem, then None once it is over."""
    refresher = _RefreshWorker(context, report)
    event_work, deferred_work = (
        partial(refresher.run, "new events", refresh),
        partial(refresher.run, "people put off", catch_up),
    )
    with background_thread("new events", event_work), background_thread("people put off", deferred_work):
        yield


class _RefreshWorker:
    """The state that both threads share."""

    def __init__(self, context: Callable[[], AppContext], report: Callable[[str | None], None]) -> None:
        self.context, self.report = context, report
        self.problems: dict[str, str] = {}  # by the name of the failing work

    def run(self, name: str, work: Work, stop: Event) -> None:
        """Do the work again and again until `stop` is set."""
        failures = FailureLog(f"{name} are not refreshed", f"{name} are refreshed again")
        pause = INTERVAL_SECONDS
        while not stop.wait(pause):
            context = self.context()
            started_at = monotonic()
            try:
                result = work(context.database, context.evaluators, clock.now())
            except Exception as error:  # an error in our own code must not end the thread
                failures.record(error)
                self._report_problem(name, error.message if isinstance(error, IftahError) else unexpected(error))
                pause = RETRY_SECONDS
            else:
                if failures.clear():
                    self._clear_problem(name)
                pause = _pause(work, result, monotonic() - started_at)

    def _report_problem(self, name: str, message: str) -> None:
        self.problems[name] = message
        self.report(message)

    def _clear_problem(self, name: str) -> None:
        self.problems.pop(name, None)
        self.report(next(iter(self.problems.values()), None))


def _pause(work: Work, result: RefreshResult | None, elapsed: float) -> float:
    """Seconds until the next look.

    While there are new events we do not pause: the events that arrived in between are the next batch. Deferred people can wait: we
    leave at least half of the time to other work.
    """
    if work is refresh:
        return 0.0 if result and result.events else INTERVAL_SECONDS
    return max(INTERVAL_SECONDS, elapsed)
