"""Digester: a server makes the digest of each day when the day is over."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import FastAPI

from api import clock
from api.background.rounds import in_rounds
from api.supervision import digests
from api.supervision.audit import day_name

log = logging.getLogger("iftah")

EVERY: Final = 60.0  # seconds from look to look


@contextmanager
def digesting(app: FastAPI) -> Iterator[None]:
    """Make each day's digest when it is over, until the end."""

    def one() -> None:
        for made in digests.make(app.state.world.database, clock.now()):
            log.info("the digest of %s is %s", day_name(made.day), made.root)

    with in_rounds("digests of days", EVERY, one, first=0.0):
        yield
