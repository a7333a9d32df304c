"""Generate rule files with any number of rules, and the same rules as plain ranges for other implementations.

We draw the rules with a fixed seed: one feature between two neighbouring cuts of the shipped scorecard, another one on
one side of a cut. About a tenth of the town's people meet each rule.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from engine.lang.model.program import Characteristic, Program, Release
from engine.lang.model.types import Type, format_value

CLASSES: Final = ("identity", "behaviour", "credit")  # the policy limits the points of relationships
HEAD: Final = (
    "kind: scorecard\nscore: {lowest: 350, highest: 950, base: 480}\n"
    "scorable: {when: identity.level >= 1, reason: too_little_known}\n"
    "bands: [{name: low, from: 350}, {name: high, from: 650}]\ndimensions: {all: 100}\ncharacteristics: []\nrules:\n"
)


@dataclass(frozen=True)
class Range:
    """A feature at or above `low` and below `high`, as scaled integers; None: no bound on that side."""

    feature: str
    low: int | None
    high: int | None


@dataclass(frozen=True)
class RangeRule:
    """A rule that is met if every range is."""

    id: str
    ranges: tuple[Range, Range]
    points: int


def draw_rules(program: Program, count: int) -> list[RangeRule]:
    """Draw `count` rules over the features of the program's characteristics."""
    chooser = Random(count)
    items = [i for i in program.scorecard.items if isinstance(i, Characteristic)]
    cuts = {i.feature: i.cuts for i in items if program.attribute(i.feature).data_class in CLASSES}

    def rule(number: int) -> RangeRule:
        first, second = chooser.sample(sorted(cuts), 2)
        ends = (None, *cuts[first], None)
        place, side = chooser.randrange(len(ends) - 1), chooser.choice(cuts[second])
        other = Range(second, side, None) if chooser.randrange(2) else Range(second, None, side)
        most = 600 // count
        return RangeRule(f"r{number}", (Range(first, *ends[place : place + 2]), other), chooser.choice([-most, most]))

    return [rule(number) for number in range(count)]


def files(release: Release, rules: list[RangeRule]) -> dict[str, str]:
    """The release's rule files, with a scorecard of only these rules."""
    program = release.programs[-1]
    codes = sorted(program.reasons)
    lines = (
        f"  - {{id: {r.id}, dimension: all, when: {_when(program, r)}, points: {r.points}, reason: {codes[n % len(codes)]}}}\n"
        for n, r in enumerate(rules)
    )
    return {**release.files, "trust.yaml": HEAD + "".join(lines)}


def _when(program: Program, rule: RangeRule) -> str:
    return " and ".join(text for each in rule.ranges for text in _texts(each, program.attribute(each.feature).type))


def _texts(each: Range, type_: Type) -> list[str]:
    low = [] if each.low is None else [f"{each.feature} >= {format_value(each.low, type_)}"]
    return low if each.high is None else [*low, f"{each.feature} < {format_value(each.high, type_)}"]
