"""Refresher: a server's rows follow the ledger while it answers, whoever appends to it and whoever builds.

Two threads look for work: one for new events, one for the people who were put off, so that somebody with a million payments
keeps nobody waiting. Each takes the world anew for every batch: a release that has come into force meanwhile scores the
next one. Whatever is wrong, a database that does not answer or a build of another catalogue, is logged once and tried
again; until then the rows stay as they are, and say as of when.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from threading import Event
from time import monotonic
from typing import Final

from fastapi import FastAPI
from sqlalchemy import Engine

from api import clock
from api.background.rounds import beside
from api.features.refresh import Refreshed, catch_up, refresh
from api.mistakes import kind_and_place
from api.world import World
from engine.engines import Engines
from engine.errors import IftahError

log = logging.getLogger("iftah")

EVERY: Final = 0.05  # seconds between looks while there is nothing to do
AGAIN: Final = 1.0  # seconds to another try when something is wrong

Work = Callable[[Engine, Engines, datetime], Refreshed | None]


@contextmanager
def refreshing(app: FastAPI) -> Iterator[None]:
    """Keep rows and scores up with the ledger, from two threads, until the end. `app.state.stuck` says what is wrong."""
    refresher = _Refresher(app)
    new, put_off = partial(refresher.run, "new events", refresh), partial(refresher.run, "people put off", catch_up)
    with beside("new events", new), beside("people put off", put_off):
        yield


class _Refresher:
    """What the threads have in common."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.wrong: dict[str, str] = {}  # by the work that does not go on

    def run(self, name: str, work: Work, stop: Event) -> None:
        """Do what there is to do, until told to stop."""
        pause = EVERY
        while not stop.wait(pause):
            world: World = self.app.state.world
            began = monotonic()
            try:
                done = work(world.database, world.engines, clock.now())
            except IftahError as error:
                self._trouble(name, error.message, str(error))
                pause = AGAIN
            except Exception as error:  # a mistake of ours must not end it
                said = f"something went wrong inside ({kind_and_place(error)}): please report it"
                self._trouble(name, said, said)
                pause = AGAIN
            else:
                self._well(name)
                pause = _pause(work, done, monotonic() - began)

    def _trouble(self, name: str, told: str, logged: str) -> None:
        if self.wrong.get(name) != told:
            log.error("%s are not refreshed: %s", name, logged)
        self.wrong[name] = told
        self.app.state.stuck = told

    def _well(self, name: str) -> None:
        if self.wrong.pop(name, None) is not None:
            log.info("%s are refreshed again", name)
            self.app.state.stuck = next(iter(self.wrong.values()), None)


def _pause(work: Work, done: Refreshed | None, took: float) -> float:
    """Seconds until the next look. While there are new events there is none: what came meanwhile is the next batch. Who is put
    off has no hurry: at least half of the time is left to others.
    """
    if work is refresh:
        return 0.0 if done and done.events else EVERY
    return max(EVERY, took)
