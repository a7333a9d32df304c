"""Decide whether a person can have a perk without a deposit, and for how much of the amount."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.lang.model.conditions import Statuses
from engine.lang.model.program import Perk, Tier

Outcome = Literal["ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE"]


@dataclass(frozen=True)
class PerkOutcome:
    """The waived amount and the deposit, in minor units. Their sum is the amount of the question.

    `because` has the reason codes of the knock-outs that declined or of the caps that cut. `tier` is the tier that
    waived.
    """

    outcome: Outcome
    waived: int
    deposit: int
    tier: str | None
    because: tuple[str, ...]


def unscorable_outcome(amount: int, reason: str) -> PerkOutcome:
    """The outcome for a person with too little evidence."""
    return PerkOutcome("UNSCORABLE", 0, amount, None, (reason,))


def perk_outcome(perk: Perk, statuses: Statuses, amount: int, remaining: Sequence[int | None] = ()) -> PerkOutcome:
    """The outcome that follows from the statuses of `perk_stage(perk)` and from `remaining_by_cap`.

    A perk fails closed: unless a tier is certainly met, we waive nothing.
    """
    knockouts_met = [k for k in perk.knockouts if statuses[k.id] or (statuses[k.id] is None and k.unknown_declines)]
    if knockouts_met:
        return PerkOutcome("DECLINE", 0, amount, None, tuple(dict.fromkeys(k.reason for k in knockouts_met)))
    tier = next((t for t in perk.tiers if statuses[t.id]), None)
    full_waiver = tier_waiver(tier, amount) if tier else 0
    # If a perk is all or nothing and its tier waives less, a cap is not the reason of the decline.
    may_waive = perk.partial or full_waiver == amount
    binding = [
        (rest, cap)
        for rest, cap in zip(remaining, perk.all_caps, strict=False)
        if rest is not None and rest < full_waiver
    ]
    reasons = tuple(dict.fromkeys(cap.reason for _, cap in binding)) if may_waive else ()
    waived = round_to_step(perk, min((rest for rest, _ in binding), default=full_waiver), amount)
    if waived == amount:
        return PerkOutcome("ADMIT", amount, 0, tier.id if tier else None, ())
    if waived and perk.partial:
        return PerkOutcome("PARTIAL", waived, amount - waived, tier.id if tier else None, reasons)
    return PerkOutcome("DECLINE", 0, amount, None, reasons)


def round_to_step(perk: Perk, waived: int, amount: int) -> int:
    """The whole amount, or a part rounded down to whole steps."""
    return waived if waived == amount else waived - waived % perk.step


def tier_waiver(tier: Tier, amount: int) -> int:
    """The amount that a tier waives of a deposit, in minor units; we round a share down to a whole unit."""
    share = amount * tier.share // 100
    return share if tier.up_to is None else min(share, tier.up_to)
