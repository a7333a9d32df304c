"""Delete rows past their retention, and vacuum the database after erasures.

A vacuum rewrites the database's files, so that free space holds nothing about an erased person. It takes as long as copying the
database, so we gather erasures: we look once an hour, and first a minute after the start.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from api.evidence.submissions import drop_old
from api.jobs.periodic import periodic_task
from api.people.erasure import drop_inquiries, vacuum
from api.runtime.context import AppContext
from api.store import clock

log = logging.getLogger("iftah")

FIRST_DELAY_SECONDS: Final = 60.0
INTERVAL_SECONDS: Final = 3600.0


@contextmanager
def vacuuming(context: Callable[[], AppContext]) -> Iterator[None]:
    """Delete expired rows and vacuum after erasures, as long as the server runs."""

    def vacuum_erased() -> None:
        if vacuum(context().database):
            log.info("vacuumed the database's files after erasures")

    def drop_expired() -> None:
        drop_old(context().database, clock.now())
        drop_inquiries(context().database, clock.now())

    with (
        periodic_task("deleting old submissions and inquiries", INTERVAL_SECONDS, drop_expired, FIRST_DELAY_SECONDS),
        periodic_task("vacuum after erasures", INTERVAL_SECONDS, vacuum_erased, FIRST_DELAY_SECONDS),
    ):
        yield
