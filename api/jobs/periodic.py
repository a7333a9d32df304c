"""Run background work of a server again and again until the server stops.

We log a failure once, whether the database is down or our own code is wrong, and try again. The pending work is in the database, so
a failure loses nothing.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from api.telemetry.crash_site import kind_and_place
from engine.errors import IftahError

log = logging.getLogger("iftah")

JOIN_TIMEOUT_SECONDS: Final = 10.0  # how long a stopping server waits for each thread to end


class ChangeFilter:
    """Tell whether a value differs from the previous one, so that you log it once until it changes."""

    def __init__(self) -> None:
        self._last: object = None

    def changed(self, value: object) -> bool:
        """Whether `value` differs from the previous call's. Remembers it."""
        previous, self._last = self._last, value
        return value != previous


class FailureLog:
    """Log a failure of one piece of work once, until the failure changes or the work succeeds."""

    def __init__(self, failing: str, recovered: str) -> None:
        self._failing, self._recovered = failing, recovered
        self._filter = ChangeFilter()

    @classmethod
    def of_task(cls, name: str) -> "FailureLog":
        """For a task that is done or not done."""
        return cls(f"{name}: not done", f"{name}: done again")

    def record(self, error: Exception) -> None:
        """Log the failure unless it is the one that was logged last."""
        message = str(error) if isinstance(error, IftahError) else unexpected(error)
        if self._filter.changed(message):
            log.error("%s: %s", self._failing, message)

    def clear(self) -> bool:
        """Log the recovery and return True if the work was failing."""
        recovered = self._filter.changed(None)
        if recovered:
            log.info("%s", self._recovered)
        return recovered


def unexpected(error: Exception) -> str:
    """The message for an error in our own code. It holds the error's class and place; its text may hold personal data."""
    return f"something went wrong inside ({kind_and_place(error)}): please report it"


@contextmanager
def background_thread(name: str, work: Callable[[Event], None]) -> Iterator[None]:
    """Run `work` in a thread of its own. At the end we set its event and wait for the thread."""
    stop = Event()
    thread = Thread(target=work, args=(stop,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(JOIN_TIMEOUT_SECONDS)


@contextmanager
def periodic_task(
    name: str, interval: float, task: Callable[[], object], initial_delay: float | None = None
) -> Iterator[None]:
    """Call `task` every `interval` seconds; the first time after `initial_delay` seconds if you give it."""
    failures = FailureLog.of_task(name)

    def loop(stop: Event) -> None:
        ended = stop.wait(interval if initial_delay is None else initial_delay)
        while not ended:
            try:
                task()
            except Exception as error:
                failures.record(error)
            else:
                failures.clear()
            ended = stop.wait(interval)

    with background_thread(name, loop):
        yield
