"""Find where the rules of a program read each feature."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine.lang.model.conditions import names
from engine.lang.model.program import Characteristic, Program, hold_stage

Place = Literal["scorable", "characteristic", "rule", "knockout", "tier", "hold", "feature"]


@dataclass(frozen=True)
class FeatureUse:
    """A rule that reads a feature. `perk`: of a knock-out, tier or hold."""

    place: Place
    id: str
    perk: str | None = None


def feature_uses(program: Program) -> dict[str, tuple[FeatureUse, ...]]:
    """The uses of each feature that any rule reads, in the order of the files: scorecard, perks, other features."""
    uses: dict[str, list[FeatureUse]] = {}
    for name, use in _uses(program):
        uses.setdefault(name, []).append(use)
    return {name: tuple(dict.fromkeys(of_feature)) for name, of_feature in uses.items()}


def _uses(program: Program) -> Iterator[tuple[str, FeatureUse]]:
    card = program.scorecard
    yield from ((name, FeatureUse("scorable", "scorable")) for name in names(card.scorable))
    for item in card.items:
        if isinstance(item, Characteristic):
            yield item.feature, FeatureUse("characteristic", item.id)
        else:
            yield from ((name, FeatureUse("rule", item.id)) for name in names(item.when))
    for perk in program.perks:
        for name in (n for when in hold_stage(perk).values() for n in names(when)):
            yield name, FeatureUse("hold", perk.id, perk.id)
        for knockout in perk.knockouts:
            yield from ((name, FeatureUse("knockout", knockout.id, perk.id)) for name in names(knockout.when))
        for tier in perk.tiers:
            yield from ((name, FeatureUse("tier", tier.id, perk.id)) for name in names(tier.when))
    for feature in program.declarations.values():
        yield from ((name, FeatureUse("feature", feature.name)) for name in feature.uses)
