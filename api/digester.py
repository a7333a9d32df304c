"""Digester: a server makes the digest of each day when the day is over."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from fastapi import FastAPI

from api import clock, digests
from api.audit import day_name
from api.mistakes import kind_and_place
from engine.errors import IftahError

log = logging.getLogger("iftah")

EVERY: Final = 60.0  # seconds from look to look
LEAVE: Final = 5.0  # seconds that a server which stops waits for the thread to end


@contextmanager
def digesting(app: FastAPI) -> Iterator[None]:
    """Make each day's digest when it is over, from a thread, until the end."""
    stop = Event()
    thread = Thread(target=_run, args=(app, stop), name="digests", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LEAVE)


def _run(app: FastAPI, stop: Event) -> None:
    wrong = ""
    while True:
        try:
            for made in digests.make(app.state.world.database, clock.now()):
                log.info("the digest of %s is %s", day_name(made.day), made.root)
            wrong = ""
        except IftahError as error:
            wrong = _told(wrong, str(error))
        except Exception as error:  # a mistake of ours must not end it
            wrong = _told(wrong, f"something went wrong inside ({kind_and_place(error)}): please report it")
        if stop.wait(EVERY):
            return


def _told(before: str, wrong: str) -> str:
    if before != wrong:
        log.error("days have no digest: %s", wrong)
    return wrong
