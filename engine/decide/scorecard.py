"""Compute points, score, band and reasons from the statuses of a scorecard.

Reasons follow the PMML 4.4 Scorecard ("pointsBelow"): for each characteristic, baseline minus points; summed by reason
code; largest first, ties in file order. We give at most four, and none that costs nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.lang.model.conditions import Statuses
from engine.lang.model.program import Characteristic, Part, PointRule, Scorecard, id_without_relationships

MAX_REASONS: Final = 4


@dataclass(frozen=True)
class ScoreResult:
    """A score with its parts. `score` and `band` are None if the person is unscorable."""

    score: int | None
    score_without_relationships: int | None
    band: str | None
    parts: tuple[Part, ...]
    reasons: tuple[str, ...]


def score(card: Scorecard, statuses: Statuses, relationship_features: frozenset[str] = frozenset()) -> ScoreResult:
    """The score that follows from the statuses of `score_stage(card, relationship_features)`."""
    parts = tuple([_part(item, statuses) for item in card.items])
    if statuses["scorable"] is not True:  # unknown counts as not scorable
        return ScoreResult(None, None, None, parts, (card.unscorable,))
    total = card.base + sum(part.points for part in parts)
    final_score = clamp(card, total)
    total_without = total - sum(
        _relationship_points(i, p, statuses, relationship_features) for i, p in zip(card.items, parts, strict=True)
    )
    return ScoreResult(final_score, clamp(card, total_without), band(card, final_score), parts, reasons(parts))


def clamp(card: Scorecard, total: int) -> int:
    """Limit the score to its range."""
    return max(card.lowest, min(card.highest, total))


def _relationship_points(
    item: Characteristic | PointRule, part: Part, statuses: Statuses, relationship_features: frozenset[str]
) -> int:
    """The points of the part that depend on relationships alone."""
    if isinstance(item, Characteristic):
        return part.points - item.missing if item.feature in relationship_features else 0
    without_id = id_without_relationships(item.id)
    return part.points - points(item, statuses[without_id]) if without_id in statuses else 0


def points(item: PointRule, status: bool | None) -> int:
    """The points that a rule gives for a status."""
    return item.unknown if status is None else item.points if status else 0


def band(card: Scorecard, score: int) -> str:
    """The name of the band of a score."""
    return next(b.name for b in reversed(card.bands) if b.lowest <= score)


def reasons(parts: Iterable[Part]) -> tuple[str, ...]:
    """The codes that cost most, largest first, at most four."""
    losses: dict[str, int] = {}
    for part in parts:
        losses[part.reason] = losses.get(part.reason, 0) + part.baseline - part.points
    codes_by_loss = sorted((code for code, points in losses.items() if points > 0), key=lambda code: -losses[code])
    return tuple(codes_by_loss[:MAX_REASONS])


def _part(item: Characteristic | PointRule, statuses: Statuses) -> Part:
    if isinstance(item, PointRule):
        return item.parts[statuses[item.id]]
    for bin_id, part in item.parts:
        if statuses[bin_id]:
            return part
    return item.part_when_missing
