"""Perks: may this person have this perk without a deposit, and for how much of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.lang.program import Perk, Tier
from engine.lang.truths import Statuses

Outcome = Literal["ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE"]


@dataclass(frozen=True)
class Answer:
    """What is waived and what is taken, in minor units; waived + deposit is the amount asked about.

    `because` are reason codes of the knock-outs that stood in the way, or of the caps that cut, `tier` the tier that gave.
    """

    outcome: Outcome
    waived: int
    deposit: int
    tier: str | None
    because: tuple[str, ...]


def unscorable(amount: int, reason: str) -> Answer:
    """The answer for a person with too little evidence."""
    return Answer("UNSCORABLE", 0, amount, None, (reason,))


def answer(perk: Perk, statuses: Statuses, amount: int, left: Sequence[int | None] = ()) -> Answer:
    """The answer that follows from the statuses of `perk_stage(perk)` and from what each cap leaves (`caps.left`).

    A perk fails closed: no tier surely met, no waiver.
    """
    stops = [k for k in perk.knockouts if statuses[k.id] or (statuses[k.id] is None and k.unknown_declines)]
    if stops:
        return Answer("DECLINE", 0, amount, None, tuple(dict.fromkeys(k.reason for k in stops)))
    tier = next((t for t in perk.tiers if statuses[t.id]), None)
    given = waives(tier, amount) if tier else 0
    # A perk that is all or nothing, and of which the tier gives no whole, is not declined by a cap.
    whole = perk.partial or given == amount
    cutting = [(rest, cap) for rest, cap in zip(left, perk.capped, strict=False) if rest is not None and rest < given]
    because = tuple(dict.fromkeys(cap.reason for _, cap in cutting)) if whole else ()
    waived = stepped(perk, min((rest for rest, _ in cutting), default=given), amount)
    if waived == amount:
        return Answer("ADMIT", amount, 0, tier.id if tier else None, ())
    if waived and perk.partial:
        return Answer("PARTIAL", waived, amount - waived, tier.id if tier else None, because)
    return Answer("DECLINE", 0, amount, None, because)


def stepped(perk: Perk, waived: int, amount: int) -> int:
    """The whole, or the whole steps of a part."""
    return waived if waived == amount else waived - waived % perk.step


def waives(tier: Tier, amount: int) -> int:
    """Minor units that a tier waives of a deposit; a share is rounded down to a whole unit."""
    shared = amount * tier.share // 100
    return shared if tier.up_to is None else min(shared, tier.up_to)
