"""Perks: may this person have this perk without a deposit, and for how much of it."""

from dataclasses import dataclass
from typing import Literal

from engine.lang.program import Perk, Statuses, Tier

Outcome = Literal["ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE"]


@dataclass(frozen=True)
class Answer:
    """What is waived and what is taken, in minor units; waived + deposit is the amount asked about.

    `because` are reason codes of the knock-outs that stood in the way, `tier` the tier that gave.
    """

    outcome: Outcome
    waived: int
    deposit: int
    tier: str | None
    because: tuple[str, ...]


def unscorable(amount: int, reason: str) -> Answer:
    """The answer for a person with too little evidence."""
    return Answer("UNSCORABLE", 0, amount, None, (reason,))


def answer(perk: Perk, statuses: Statuses, amount: int) -> Answer:
    """The answer that follows from the statuses of `perk_stage(perk)`. A perk fails closed: no tier surely met, no waiver."""
    stops = [k for k in perk.knockouts if statuses[k.id] or (statuses[k.id] is None and k.unknown_declines)]
    if stops:
        return Answer("DECLINE", 0, amount, None, tuple(dict.fromkeys(k.reason for k in stops)))
    tier = next((t for t in perk.tiers if statuses[t.id]), None)
    waived = waives(tier, amount) if tier else 0
    if waived == amount:
        return Answer("ADMIT", amount, 0, tier.id if tier else None, ())
    if waived and perk.partial:
        return Answer("PARTIAL", waived, amount - waived, tier.id if tier else None, ())
    return Answer("DECLINE", 0, amount, None, ())


def waives(tier: Tier, amount: int) -> int:
    """Minor units that a tier waives of a deposit; a share is rounded down to a whole unit."""
    most = tier.up_to if tier.up_to is not None else amount * (tier.share or 0) // 100
    return min(amount, most)
