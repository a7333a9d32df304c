"""Engines: the online engine and the watchers of each program of a release, made when a day of it is first asked for."""

import threading

from engine.errors import EngineError
from engine.lang.online import AGAIN, Online
from engine.lang.program import Release
from engine.watchers import Watchers


class Engines:
    """What decides under one release. The C side is freed by `close`, or by itself when nobody holds them any more."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self._lock = threading.Lock()
        self._open: dict[int | None, tuple[Online, Watchers]] = {}  # by the day from which the program is in force
        self._closed = False

    def at(self, day: int) -> Online:
        """The engine of the rules in force on a day, counted from 1970-01-01. Raises EngineError when closed."""
        return self._of(day)[0]

    def watchers(self, day: int) -> Watchers:
        """The watchers of the rules in force on a day. Raises EngineError when closed."""
        return self._of(day)[1]

    def close(self) -> None:
        """Free every handle. Closing again does nothing; who asks after is told so."""
        with self._lock:
            opened, self._open, self._closed = self._open, {}, True
        for online, watchers in opened.values():
            online.close()
            watchers.close()

    def _of(self, day: int) -> tuple[Online, Watchers]:
        program = self.release.at(day)
        with self._lock:
            if self._closed:
                raise EngineError("the release is closed", hint=AGAIN)
            if program.since not in self._open:
                self._open[program.since] = (Online(program), Watchers(program))
            return self._open[program.since]
