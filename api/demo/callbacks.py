"""The simulated deliveries of callbacks: we record what each merchant's server answered. Nothing leaves this machine."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from api.demo.simulation import Simulation
from api.orders import messages
from api.orders.messages import RETRY_DELAYS, Message
from api.store.database import writing

_OK, _UNAVAILABLE, _HTTP_410 = 200, 503, 410
_BATCH: Final = 64
_HICCUP: Final = 17  # one of so many messages is answered at the second attempt
_AWAY_DAYS: Final = 2.5  # the last days, in which one merchant's server is away
_AWAY: Final = "green-wheels"
_CLOSED: Final = "maple-homes"  # gives up an address: its messages of some days fail for good
_CLOSED_DAYS: Final = (18.0, 30.0)  # before the end


@dataclass
class DemoDeliveries:
    """Deliver what waits, at each call."""

    simulation: Simulation
    _count: int = 0

    def deliver(self, now: datetime) -> None:
        """Lease the messages that are due, and record an attempt for each, as the sender does."""
        database = self.simulation.context.database
        while batch := messages.lease_messages(database, now, _BATCH):
            with writing(database) as connection:
                for message in batch:
                    for attempt, status in enumerate(self._statuses(message, now)):
                        next_message = replace(message, attempts=message.attempts + attempt)
                        messages.record_attempt(connection, next_message, status, now)
            self.simulation.totals["callbacks"] += len(batch)

    def _statuses(self, message: Message, now: datetime) -> list[int]:
        """What the merchant's server answered, an attempt each."""
        before_end = self.simulation.ends_at - now
        if message.merchant == _AWAY and before_end < timedelta(days=_AWAY_DAYS):
            return [_UNAVAILABLE]
        if message.merchant == _CLOSED and _CLOSED_DAYS[0] < before_end / timedelta(days=1) < _CLOSED_DAYS[1]:
            return [_HTTP_410] * (len(RETRY_DELAYS) + 1)
        self._count += 1
        return [_UNAVAILABLE, _OK] if self._count % _HICCUP == 0 else [_OK]
