"""The simulated submissions of a contributor: a batch of payments each week, and some rows that we refuse."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from api.demo.parties import CONTRIBUTOR
from api.demo.simulation import Simulation
from api.evidence import intake

_KIND: Final = "payment.made"
_ROWS: Final = 12
_FIRST: Final = timedelta(days=3)
_WEEK: Final = timedelta(days=7)
_MISTAKES: Final[dict[int, tuple[dict[str, Any], ...]]] = {  # by week: what is wrong with its first rows
    2: ({"currency": None},),
    5: ({"amount": -1_200}, {"kind": "payment.maid"}, {"currency": "RMB"}),
    8: ({"happened_at": "2199-01-31T09:00:00Z"},),
    10: ({"kind": "consent.granted", "purpose": "perks"}, {"amount": "twelve"}),
}
_ALL_REFUSED: Final = 11  # the week in which the contributor asks for all rows or none, with a mistake among them


@dataclass(frozen=True)
class DemoContributor:
    """Send a batch about these people each week."""

    simulation: Simulation
    people: Sequence[str]

    def schedule(self, begins_at: datetime) -> None:
        """Put the submissions into the queue."""
        if _KIND not in self.simulation.context.vocabulary.kind_by_name:
            return
        for week in range(13):
            self.simulation.schedule(begins_at + _FIRST + week * _WEEK, partial(self._send, week))

    def _send(self, week: int, now: datetime) -> None:
        mistakes = _MISTAKES.get(week, ()) or ({"currency": None},) * (week == _ALL_REFUSED)
        rows = [
            json.dumps(
                self._row(week, number, now) | (mistakes[number] if number < len(mistakes) else {}), sort_keys=True
            ).encode()
            for number in range(_ROWS)
        ]
        context = self.simulation.context
        result = intake.ingest(
            context.database,
            CONTRIBUTOR,
            rows,
            now,
            all_or_nothing=week == _ALL_REFUSED,
            vocabulary=context.vocabulary,
        )
        self.simulation.totals["submissions"] += 1
        self.simulation.totals["refused rows"] += result.refused

    def _row(self, week: int, number: int, now: datetime) -> dict[str, Any]:
        place = week * _ROWS + number
        return {
            "event_id": f"hb-{place}",
            "kind": _KIND,
            "subject": self.people[place * 7 % len(self.people)],
            "other": f"m-{place % 24}",
            "happened_at": (now - timedelta(hours=2 + 11 * number)).isoformat(),
            "amount": 1_500 + 900 * (place * 13 % 37),
            "currency": "CNY",
            "category": ("groceries", "dining", "transport", "shopping")[place % 4],
            "channel": "card",
        }
