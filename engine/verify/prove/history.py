"""Encode a person's earlier waivers, as far as caps count them.

The days of all caps divide the past into stretches. For each stretch, we need the number and the sum of the waivers that are
open or closed, of the perk itself or of others in its currency.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import z3

from engine.decide.caps import PriorWaiver
from engine.lang.model.program import AMOUNT, Cap, Perk
from engine.verify.prove.encoding import Encoder, Formula, Term

MAX_COUNT = 1_000  # waivers of one cell, so that an example stays short
MAX_SUM = 10**13  # minor units


@dataclass(frozen=True)
class _WaiverCell:
    """Waivers of one stretch, from `since` days ago on and before the next: their number and sum, as variables."""

    since: int
    is_open: bool
    is_own: bool
    count: Term
    total: Term


@dataclass(frozen=True)
class WaiverHistory:
    """The earlier waivers of a person who asks about a perk."""

    perk: str
    currency: str
    cells: tuple[_WaiverCell, ...]

    @property
    def bounds(self) -> list[Formula]:
        """The formulas that hold for every history: each waiver is of one minor unit at least."""
        return [
            z3.And(c.count >= 0, c.count <= MAX_COUNT, c.total >= c.count, c.total <= c.count * MAX_SUM)
            for c in self.cells
        ]

    @property
    def is_empty(self) -> Formula:
        """The formula that there are no earlier waivers."""
        return z3.And([c.count == 0 for c in self.cells])

    @property
    def is_short(self) -> Formula:
        """The formula that there are few earlier waivers."""
        return z3.And([c.count <= 1 for c in self.cells])

    def remaining(self, perk: Perk, people: Encoder) -> list[Term]:
        """What each cap of the perk leaves, as `remaining_by_cap` computes it; the whole deposit if it does not bind."""
        own, amount = len(perk.caps), people.value(AMOUNT)
        return [self._remaining(cap, amount, own_alone=place < own) for place, cap in enumerate(perk.all_caps)]

    def _remaining(self, cap: Cap, amount: Term, *, own_alone: bool) -> Term:
        cells = [c for c in self.cells if c.is_own or not own_alone]
        counting = [c for c in cells if (c.is_open if cap.days is None else c.since < cap.days)]
        if cap.waived is not None:
            rest = cap.waived - z3.Sum([z3.IntVal(0), *(c.total for c in counting)])
            return z3.If(rest > 0, rest, 0)
        return z3.If(z3.Sum([z3.IntVal(0), *(c.count for c in counting)]) >= (cap.times or 0), 0, amount)

    def waivers_in(self, model: Any, asked_at: datetime) -> Iterator[PriorWaiver]:
        """The earlier waivers in the solver's solution."""
        for cell in self.cells:
            count, total = (model.eval(t, model_completion=True).as_long() for t in (cell.count, cell.total))
            at = (asked_at - timedelta(days=cell.since)).isoformat()
            for number in range(count):
                amount = total - (count - 1) if number == 0 else 1
                perk = self.perk if cell.is_own else "another perk"
                yield PriorWaiver(perk, self.currency, amount, at, cell.is_open)


def waiver_history(perk: str, currency: str, caps: Iterable[Cap]) -> WaiverHistory:
    """The history as far as these caps can tell waivers apart; without caps, an empty one."""
    caps = tuple(caps)
    stretches = sorted({0, *(cap.days for cap in caps if cap.days is not None)}) if caps else []
    cells = []
    for since, is_open, is_own in product(stretches, (True, False), (True, False)):
        label = f"{'open' if is_open else 'closed'} {'own' if is_own else 'other'} waivers since {since} days"
        cells.append(_WaiverCell(since, is_open, is_own, z3.Int(f"number of {label}"), z3.Int(f"sum of {label}")))
    return WaiverHistory(perk, currency, tuple(cells))
