"""Look-ups of host names, in separate threads, each with a deadline.

A name server may take half a minute, and you cannot interrupt `getaddrinfo`. So each look-up has a thread, for which we
wait at most `SECONDS`, and each party has at most `OF_ONE` of them. A slow name server delays only the party that chose
it.
"""

import asyncio
import socket
from collections import Counter, OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Final

TIMEOUT_SECONDS: Final = 3.0
MAX_THREADS: Final = 32
MAX_PER_PARTY: Final = 2


@dataclass(frozen=True)
class _Lookup:
    party: str
    host: str
    port: int
    future: Future[list[str]] = field(default_factory=Future, compare=False)


class Lookups:
    """Running look-ups, and those that wait for a thread: parties take turns."""

    def __init__(self, threads: int = MAX_THREADS, max_per_party: int = MAX_PER_PARTY) -> None:
        self._threads, self._max_per_party = threads, max_per_party
        self._lock = Lock()
        self._running_counts = Counter[str]()  # by party
        self._queues = OrderedDict[str, deque[_Lookup]]()

    async def addresses(self, party: str, host: str, port: int) -> list[str]:
        """The IP addresses of the host. Raises OSError or UnicodeError if it has none, TimeoutError if it takes too
        long.
        """
        lookup = _Lookup(party, host, port)
        with self._lock:
            self._queues.setdefault(party, deque()).append(lookup)
        self._start()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await asyncio.wrap_future(lookup.future)

    def _start(self) -> None:
        """Start the look-ups that may start."""
        with self._lock:
            while (lookup := self._next()) is not None:
                self._running_counts[lookup.party] += 1
                Thread(target=self._resolve, args=(lookup,), name="look-up", daemon=True).start()

    def _next(self) -> _Lookup | None:
        """The next look-up that a caller still waits for, of a party that may have one more running."""
        if self._running_counts.total() >= self._threads:
            return None
        for party in list(self._queues):
            queue = self._queues[party]
            while queue and self._running_counts[party] < self._max_per_party:
                lookup = queue.popleft()
                if lookup.future.set_running_or_notify_cancel():
                    self._queues.move_to_end(party)
                    return lookup
            if not queue:
                del self._queues[party]
        return None

    def _resolve(self, lookup: _Lookup) -> None:
        try:
            entries = socket.getaddrinfo(lookup.host, lookup.port, type=socket.SOCK_STREAM)
            lookup.future.set_result([str(entry[4][0]).partition("%")[0] for entry in entries])
        except Exception as error:
            lookup.future.set_exception(error)
        finally:
            with self._lock:
                self._running_counts[lookup.party] -= 1
                self._running_counts = +self._running_counts
            self._start()


LOOKUPS: Final = Lookups()
