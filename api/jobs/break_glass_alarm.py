"""Say once a minute in the log that one person put the release in force there alone, as long as it is so."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from api.jobs.periodic import periodic_task
from api.releases.release_states import ReleaseState
from api.runtime.context import AppContext
from api.store.clock import iso, moment

log = logging.getLogger("iftah")

INTERVAL_SECONDS: Final = 1.0  # between looks
REPEAT_SECONDS: Final = 60.0  # between lines


class BreakGlassAlarm:
    """Log a break-glass: at once, and then each minute."""

    def __init__(self) -> None:
        self._line, self._repeat_at = "", 0.0

    def look(self, state: ReleaseState | None, seconds: float) -> None:
        """Log a line if one is due. `seconds` is the present time of a clock that only counts."""
        if state is None or state.ends_at is None or state.in_force is None:
            self._line = ""
            return
        name, until = state.in_force.release[:12], iso(moment(state.ends_at))
        line = f"BREAK-GLASS: one person put release {name} into force alone, until {until}"
        if line != self._line or seconds >= self._repeat_at:
            self._line, self._repeat_at = line, seconds + REPEAT_SECONDS
            log.error("%s", line)


@contextmanager
def warning_of_break_glass(context: Callable[[], AppContext]) -> Iterator[None]:
    """Warn as long as the server runs."""
    alarm = BreakGlassAlarm()
    with periodic_task(
        "warning of a break-glass", INTERVAL_SECONDS, lambda: alarm.look(context().log, monotonic()), initial_delay=0.0
    ):
        yield
