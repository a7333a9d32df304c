"""Sweeper: after somebody left, the server rewrites the files so that nothing of them is left in free space.

That takes as long as copying the database, so departures are gathered: it looks once an hour, and first a minute after it
has started. Whatever is wrong is logged and tried again the next time.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from fastapi import FastAPI

from api.erasure import sweep
from api.world import World
from engine.errors import IftahError

log = logging.getLogger("iftah")

FIRST: Final = 60.0  # seconds
EVERY: Final = 3600.0


@contextmanager
def sweeping(app: FastAPI) -> Iterator[None]:
    """Sweep what was erased, in a thread, until the end."""
    stop = Event()
    thread = Thread(target=_run, args=(app, stop), name="sweep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _run(app: FastAPI, stop: Event) -> None:
    pause = FIRST
    while not stop.wait(pause):
        pause = EVERY
        world: World = app.state.world
        try:
            if sweep(world.database):
                log.info("what was erased is swept out of the database's files")
        except IftahError as error:
            log.error("what was erased is not swept out of the files yet: %s", error)
