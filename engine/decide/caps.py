"""Compute the amount that a person's caps leave, and decide whether the person holds a perk.

Earlier waivers are an input: the engine keeps no account of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.errors import EngineError
from engine.lang.model.conditions import Statuses
from engine.lang.model.program import Cap, Hold, Perk
from engine.lang.model.types import DAY


@dataclass(frozen=True)
class PriorWaiver:
    """An earlier waiver: the perk, the amount in minor units, the time (ISO 8601 UTC), and whether it is still open."""

    perk: str
    currency: str
    waived: int
    at: str
    open: bool


def remaining_by_cap(perk: Perk, waivers: Iterable[PriorWaiver], asked_at: str) -> tuple[int | None, ...]:
    """The amount that each cap of the perk leaves, in minor units: its own caps first, then the shared ones.

    None if a cap does not bind.
    """
    prior = tuple(waivers)
    of_perk = [u for u in prior if u.perk == perk.id]
    in_currency = [u for u in prior if u.currency == perk.currency]
    return (
        *(_remaining(c, of_perk, perk.currency, asked_at) for c in perk.caps),
        *(_remaining(c, in_currency, perk.currency, asked_at) for c in perk.shared),
    )


def _remaining(cap: Cap, waivers: Sequence[PriorWaiver], currency: str, asked_at: str) -> int | None:
    """A cap on amounts adds up those in the perk's currency: an earlier release may have had the perk in another one."""
    relevant = [u for u in waivers if _counts_towards(u, cap, asked_at)]
    if cap.waived is not None:
        return max(0, cap.waived - sum(u.waived for u in relevant if u.currency == currency))
    return 0 if cap.times is not None and len(relevant) >= cap.times else None


def _counts_towards(waiver: PriorWaiver, cap: Cap, asked_at: str) -> bool:
    return waiver.open if cap.days is None else seconds_between(waiver.at, asked_at) < cap.days * DAY


def perk_is_held(hold: Hold, statuses: Statuses, held_seconds: int | None) -> bool:
    """Whether the person holds the perk.

    `held_seconds` is for how long already; None if the person does not hold it yet. Unknown counts as not met, for
    granting and for keeping. Only the promised days do not depend on it.
    """
    if held_seconds is None:
        return statuses["granted"] is True
    return held_seconds < hold.days * DAY or statuses["kept"] is True


def seconds_between(earlier: str, later: str) -> int:
    """Whole seconds between two ISO 8601 moments, rounded down. Raises EngineError if one is not a moment."""
    return (parse_moment(later) - parse_moment(earlier)) // timedelta(seconds=1)


def parse_moment(text: str) -> datetime:
    """Parse an ISO 8601 moment with its offset from UTC. Raises EngineError if it is not one."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = datetime.min
    if instant.tzinfo is None:
        raise EngineError("a moment of the question cannot be read", hint="give it as 2026-07-01T00:00:00Z")
    return instant
