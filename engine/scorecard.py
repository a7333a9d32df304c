"""Scorecard: from what is met to points, a score, a band and reasons.

Reasons are those of the PMML 4.4 Scorecard ("pointsBelow"): for each characteristic, baseline minus points; summed by
reason code; largest first, ties in file order; at most four, and none that cost nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.lang.program import Characteristic, PointRule, Scorecard, alone
from engine.lang.truths import Statuses

MOST_REASONS: Final = 4


@dataclass(frozen=True)
class Part:
    """What one characteristic or rule gave. `status`: met / not met / unknown (None); `bin` of a characteristic."""

    id: str
    dimension: str
    status: bool | None
    bin: int | None
    points: int
    baseline: int
    reason: str


@dataclass(frozen=True)
class Scored:
    """A score with its parts; score and band are None when the person is unscorable. `alone`: without relationships."""

    score: int | None
    alone: int | None
    band: str | None
    parts: tuple[Part, ...]
    reasons: tuple[str, ...]


def score(card: Scorecard, statuses: Statuses, related: frozenset[str] = frozenset()) -> Scored:
    """The score that follows from the statuses of `score_stage(card, related)`; `related` are what comes of relationships."""
    parts = tuple(_part(item, statuses) for item in card.items)
    if statuses["scorable"] is not True:  # unknown fails closed
        return Scored(None, None, None, parts, (card.unscorable,))
    total = card.base + sum(part.points for part in parts)
    found = clamped(card, total)
    without = total - sum(_of_relationships(i, p, statuses, related) for i, p in zip(card.items, parts, strict=True))
    return Scored(found, clamped(card, without), band(card, found), parts, reasons(parts))


def clamped(card: Scorecard, total: int) -> int:
    """The score within its range."""
    return max(card.lowest, min(card.highest, total))


def _of_relationships(item: Characteristic | PointRule, part: Part, statuses: Statuses, related: frozenset[str]) -> int:
    """How many of the part's points are there for relationships alone."""
    if isinstance(item, Characteristic):
        return part.points - item.missing if item.feature in related else 0
    other = alone(item.id)
    return part.points - points(item, statuses[other]) if other in statuses else 0


def points(item: PointRule, status: bool | None) -> int:
    """What a rule gives."""
    return item.unknown if status is None else item.points if status else 0


def band(card: Scorecard, found: int) -> str:
    """The name of the band that a score falls in."""
    return next(b.name for b in reversed(card.bands) if b.lowest <= found)


def reasons(parts: Iterable[Part]) -> tuple[str, ...]:
    """The codes that cost most, largest first, at most four."""
    lost: dict[str, int] = {}
    for part in parts:
        lost[part.reason] = lost.get(part.reason, 0) + part.baseline - part.points
    ranked = sorted((code for code, points in lost.items() if points > 0), key=lambda code: -lost[code])
    return tuple(ranked[:MOST_REASONS])


def _part(item: Characteristic | PointRule, statuses: Statuses) -> Part:
    if isinstance(item, PointRule):
        status = statuses[item.id]
        return Part(item.id, item.dimension, status, None, points(item, status), item.baseline, item.reason)
    met = next((n for n in range(len(item.points)) if statuses[f"{item.id}#{n}"]), None)
    given = item.missing if met is None else item.points[met]
    status = None if met is None else True
    return Part(item.id, item.dimension, status, met, given, item.baseline, item.reason)
