"""Sweeper: what was kept for long enough goes; after somebody left, the server rewrites the files so that nothing of them is left
in free space.

That takes as long as copying the database, so departures are gathered: it looks once an hour, and first a minute after it
has started.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import FastAPI

from api import clock
from api.background.rounds import in_rounds
from api.evidence.submissions import drop_old
from api.people.erasure import drop_inquiries, sweep

log = logging.getLogger("iftah")

FIRST: Final = 60.0  # seconds
EVERY: Final = 3600.0


@contextmanager
def sweeping(app: FastAPI) -> Iterator[None]:
    """Drop what is old and sweep what was erased, until the end."""

    def sweep_erased() -> None:
        if sweep(app.state.world.database):
            log.info("what was erased is swept out of the database's files")

    def drop() -> None:
        drop_old(app.state.world.database, clock.now())
        drop_inquiries(app.state.world.database, clock.now())

    with (
        in_rounds("old sendings and inquiries", EVERY, drop, FIRST),
        in_rounds("sweeping what was erased out of the files", EVERY, sweep_erased, FIRST),
    ):
        yield
