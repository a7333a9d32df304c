"""Make the digest of each day of decisions once the day is over."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from api.jobs.periodic import periodic_task
from api.runtime.context import AppContext
from api.store import clock
from api.supervision import digests
from api.supervision.audit import day_name

log = logging.getLogger("iftah")

INTERVAL_SECONDS: Final = 60.0  # between looks


@contextmanager
def making_digests(context: Callable[[], AppContext]) -> Iterator[None]:
    """Make each day's digest once the day is over, as long as the server runs."""

    def make_digests() -> None:
        for digest in digests.make_digests(context().database, clock.now()):
            log.info("the digest of %s is %s", day_name(digest.day), digest.root)

    with periodic_task("digests of days", INTERVAL_SECONDS, make_digests, initial_delay=0.0):
        yield
