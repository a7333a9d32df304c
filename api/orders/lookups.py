"""Look-ups of host names, in threads of their own, each with a deadline.

A name server may take half a minute, and nothing can interrupt `getaddrinfo`. So each look-up has a thread that nobody waits
for longer than `SECONDS`, and each party has at most `OF_ONE` of them: a slow name server holds up only whoever chose it.
"""

import asyncio
import socket
from collections import Counter, OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Final

SECONDS: Final = 3.0
THREADS: Final = 32
OF_ONE: Final = 2


@dataclass(frozen=True)
class _Lookup:
    party: str
    host: str
    port: int
    future: Future[list[str]] = field(default_factory=Future, compare=False)


class Lookups:
    """Look-ups under way, and those that wait for a thread: parties take turns."""

    def __init__(self, threads: int = THREADS, of_one: int = OF_ONE) -> None:
        self._threads, self._of_one = threads, of_one
        self._lock = Lock()
        self._running = Counter[str]()  # by party
        self._waiting = OrderedDict[str, deque[_Lookup]]()

    async def addresses(self, party: str, host: str, port: int) -> list[str]:
        """The network addresses of the host. Raises OSError or UnicodeError when it has none, TimeoutError when it takes too long."""
        lookup = _Lookup(party, host, port)
        with self._lock:
            self._waiting.setdefault(party, deque()).append(lookup)
        self._start()
        async with asyncio.timeout(SECONDS):
            return await asyncio.wrap_future(lookup.future)

    def _start(self) -> None:
        """Begin what may begin."""
        with self._lock:
            while (lookup := self._next()) is not None:
                self._running[lookup.party] += 1
                Thread(target=self._resolve, args=(lookup,), name="look-up", daemon=True).start()

    def _next(self) -> _Lookup | None:
        """The next that somebody still waits for, of a party that may have one more under way."""
        if self._running.total() >= self._threads:
            return None
        for party in list(self._waiting):
            queue = self._waiting[party]
            while queue and self._running[party] < self._of_one:
                lookup = queue.popleft()
                if lookup.future.set_running_or_notify_cancel():
                    self._waiting.move_to_end(party)
                    return lookup
            if not queue:
                del self._waiting[party]
        return None

    def _resolve(self, lookup: _Lookup) -> None:
        try:
            found = socket.getaddrinfo(lookup.host, lookup.port, type=socket.SOCK_STREAM)
            lookup.future.set_result([str(entry[4][0]).partition("%")[0] for entry in found])
        except Exception as error:
            lookup.future.set_exception(error)
        finally:
            with self._lock:
                self._running[lookup.party] -= 1
                self._running = +self._running
            self._start()


LOOKUPS: Final = Lookups()
