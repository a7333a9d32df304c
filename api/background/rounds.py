"""Rounds: work that a server does beside answering, again and again, until it stops.

Whatever is wrong, a database that is away or a mistake of ours, is logged once and tried again: the work that waits is in the
database, so nothing is given up meanwhile.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from api.mistakes import kind_and_place
from engine.errors import IftahError

log = logging.getLogger("iftah")

LEAVE: Final = 10.0  # seconds that a server which stops waits for each work to end


class Trouble:
    """What is wrong with a work: said once, until it is well again."""

    def __init__(self, work: str) -> None:
        self.work, self.said = work, ""

    def is_(self, error: Exception) -> None:
        """It goes wrong."""
        said = str(error) if isinstance(error, IftahError) else f"something went wrong inside ({kind_and_place(error)})"
        if said != self.said:
            log.error("%s: not done: %s", self.work, said)
        self.said = said

    def is_over(self) -> None:
        """It goes well."""
        if self.said:
            log.info("%s: done again", self.work)
        self.said = ""


@contextmanager
def beside(name: str, work: Callable[[Event], None]) -> Iterator[None]:
    """Do `work` in a thread of its own until the end, when its event is set."""
    stop = Event()
    thread = Thread(target=work, args=(stop,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LEAVE)


@contextmanager
def in_rounds(name: str, pause: float, one: Callable[[], object], first: float | None = None) -> Iterator[None]:
    """Do `one` round after the other, with a pause of so many seconds before each; before the `first`, another."""
    trouble = Trouble(name)

    def rounds(stop: Event) -> None:
        ended = stop.wait(pause if first is None else first)
        while not ended:
            try:
                one()
            except Exception as error:
                trouble.is_(error)
            else:
                trouble.is_over()
            ended = stop.wait(pause)

    with beside(name, rounds):
        yield
