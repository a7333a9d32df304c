"""The simulated clock: what has to happen later waits in a queue, and each action gets the moment at which it happens."""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from api.demo.plan import DemoSession
from api.runtime.context import AppContext

Action = Callable[[datetime], None]


@dataclass
class Simulation:
    """The state of the simulation: the context under which we act, what waits, and how often each thing happened."""

    context: AppContext
    purpose: str
    ends_at: datetime
    totals: Counter[str] = field(default_factory=Counter)
    _queue: list[tuple[datetime, int, Action]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def schedule(self, at: datetime, action: Action) -> None:
        """Do something at a moment, unless the simulation ends before. What falls into hours of asking waits for their end."""
        if at <= self.ends_at:
            heapq.heappush(self._queue, (at, next(self._numbers), action))

    def run(self, session: DemoSession) -> None:
        """Do all that is due in the session, after its hours of asking, in order."""
        at = session.asks_until
        while self._queue and self._queue[0][0] <= session.closes_at:
            due, _, action = heapq.heappop(self._queue)
            at = max(at, due)
            action(at)
