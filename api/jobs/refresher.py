"""Refresh feature rows and scores from the ledger while the server answers, also for events and builds of other processes.

Two threads do the work: one for new events, one for deferred people. One person with a million payments then delays nobody
else. Each looks into the database only when the watermarks say that there may be work. Each thread reads the context again for every batch, so a release that came into force in between scores the next batch.
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
from api.jobs.watermarks import GetMarks, Watermarks, unknown
from api.runtime.context import AppContext
from api.store import clock
from api.store.database import Database
from engine.decide.evaluators import Evaluators
from engine.errors import IftahError

INTERVAL_SECONDS: Final = 0.1  # between looks while there is no work
RETRY_SECONDS: Final = 1.0  # until the next attempt after a failure

Work = Callable[[Database, Evaluators, datetime], RefreshResult | None]


@contextmanager
def refreshing(
    context: Callable[[], AppContext],
    report: Callable[[str | None], None],
    marks: GetMarks = unknown,
    interval: float = INTERVAL_SECONDS,
) -> Iterator[None]:
    """Refresh rows and scores from two threads, as long as the server runs. We pass `report` the problem, then None once it is over.

    `interval`: seconds between looks while there is no work.
    """
    refresher = _RefreshWorker(context, report, marks, interval)
    event_work, deferred_work = (
        partial(refresher.run, "new events", refresh),
        partial(refresher.run, "people put off", catch_up),
    )
    with background_thread("new events", event_work), background_thread("people put off", deferred_work):
        yield


class _RefreshWorker:
    """The state that both threads share."""

    def __init__(
        self,
        context: Callable[[], AppContext],
        report: Callable[[str | None], None],
        marks: GetMarks,
        interval: float,
    ) -> None:
        self.context, self.report, self.marks, self.interval = context, report, marks, interval
        self.problems: dict[str, str] = {}  # by the name of the failing work

    def run(self, name: str, work: Work, stop: Event) -> None:
        """Do the work again and again until `stop` is set."""
        failures = FailureLog(f"{name} are not refreshed", f"{name} are refreshed again")
        pause, idle_at = self.interval, None  # the marks at the last look that found no work
        while not stop.wait(pause):
            marks = self.marks()
            if marks is not None and marks == idle_at and not _may_have_work(work, marks):
                pause = self.interval
                continue
            context, idle_at = self.context(), None
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
                idle_at = marks if result is None else None
                pause = self._pause(work, result, monotonic() - started_at)

    def _report_problem(self, name: str, message: str) -> None:
        self.problems[name] = message
        self.report(message)

    def _clear_problem(self, name: str) -> None:
        self.problems.pop(name, None)
        self.report(next(iter(self.problems.values()), None))

    def _pause(self, work: Work, result: RefreshResult | None, elapsed: float) -> float:
        """Seconds until the next look.

        While there are new events we do not pause: the events that arrived in between are the next batch. Deferred people can wait: we
        leave at least half of the time to other work.
        """
        if work is refresh:
            return 0.0 if result and result.events else self.interval
        return max(self.interval, elapsed)


def _may_have_work(work: Work, marks: Watermarks) -> bool:
    """Whether there may be work although no mark moved: because time passed, or because people wait."""
    if work is refresh:
        return marks.scheduled_at is not None and marks.scheduled_at <= clock.micros(clock.wall())
    return marks.deferred
