"""Caps: how much more a person may have waived, after what was waived before; and perks that are held for a while.

What was waived before comes in as values: the engine keeps no account of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.errors import EngineError
from engine.lang.program import Cap, Hold, Perk
from engine.lang.truths import Statuses
from engine.lang.types import DAY


@dataclass(frozen=True)
class Used:
    """A waiver given before: for which perk, how much in minor units, when (ISO 8601 UTC), and whether it is open still."""

    perk: str
    currency: str
    waived: int
    at: str
    open: bool


def left(perk: Perk, used: Iterable[Used], asked_at: str) -> tuple[int | None, ...]:
    """What each cap of the perk leaves, its own first, then the shared ones: minor units, or None where it does not bind."""
    before = tuple(used)
    own = [u for u in before if u.perk == perk.id]
    same = [u for u in before if u.currency == perk.currency]
    return (*(_left(c, own, asked_at) for c in perk.caps), *(_left(c, same, asked_at) for c in perk.shared))


def _left(cap: Cap, used: list[Used], asked_at: str) -> int | None:
    counted = [u for u in used if _counts(u, cap, asked_at)]
    if cap.waived is not None:
        return max(0, cap.waived - sum(u.waived for u in counted))
    return 0 if cap.times is not None and len(counted) >= cap.times else None


def _counts(used: Used, cap: Cap, asked_at: str) -> bool:
    return used.open if cap.days is None else seconds_between(used.at, asked_at) < cap.days * DAY


def held(hold: Hold, statuses: Statuses, held_for: int | None) -> bool:
    """Whether the perk is held: `held_for` are the seconds for which it has been, None when it is not held so far.

    Unknown counts against: nothing is granted or kept on what is not known, except for the days that were promised.
    """
    if held_for is None:
        return statuses["granted"] is True
    return held_for < hold.days * DAY or statuses["kept"] is True


def seconds_between(earlier: str, later: str) -> int:
    """Whole seconds from one ISO 8601 moment to another, rounded down. Raises EngineError when one is no moment."""
    return (moment(later) - moment(earlier)) // timedelta(seconds=1)


def moment(text: str) -> datetime:
    """An ISO 8601 moment that says its offset from UTC. Raises EngineError when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min
    if found.tzinfo is None:
        raise EngineError("a moment of the question cannot be read", hint="give it as 2026-07-01T00:00:00Z")
    return found
