"""Rule files with as many rules as are wanted, and the same rules as plain ranges, for whoever states them otherwise.

Rules are drawn with a fixed seed: one feature between two neighbouring cuts of the shipped scorecard, another on one
side of a cut. Of the town's people about a tenth meet each.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from engine.lang.program import Characteristic, Program, Release
from engine.lang.types import Type, written

CLASSES: Final = ("identity", "behaviour", "credit")  # the policy limits what others may weigh
HEAD: Final = (
    "kind: scorecard\nscore: {lowest: 350, highest: 950, base: 480}\n"
    "scorable: {when: identity.level >= 1, reason: too_little_known}\n"
    "bands: [{name: low, from: 350}, {name: high, from: 650}]\ndimensions: {all: 100}\ncharacteristics: []\nrules:\n"
)


@dataclass(frozen=True)
class Range:
    """A feature at `low` or above and below `high`, as integers that hold its values; None: no bound on that side."""

    feature: str
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Drawn:
    """A rule: met when every range is."""

    id: str
    ranges: tuple[Range, Range]
    points: int


def drawn(program: Program, count: int) -> list[Drawn]:
    """So many rules over the features that the program has characteristics for."""
    chooser = Random(count)
    items = [i for i in program.scorecard.items if isinstance(i, Characteristic)]
    cuts = {i.feature: i.cuts for i in items if program.attribute(i.feature).data_class in CLASSES}

    def rule(number: int) -> Drawn:
        first, second = chooser.sample(sorted(cuts), 2)
        ends = (None, *cuts[first], None)
        place, side = chooser.randrange(len(ends) - 1), chooser.choice(cuts[second])
        other = Range(second, side, None) if chooser.randrange(2) else Range(second, None, side)
        most = 600 // count
        return Drawn(f"r{number}", (Range(first, *ends[place : place + 2]), other), chooser.choice([-most, most]))

    return [rule(number) for number in range(count)]


def files(release: Release, rules: list[Drawn]) -> dict[str, str]:
    """The release's rule files with a scorecard of these rules and nothing else."""
    program = release.programs[-1]
    codes = sorted(program.reasons)
    lines = (
        f"  - {{id: {r.id}, dimension: all, when: {_when(program, r)}, points: {r.points}, reason: {codes[n % len(codes)]}}}\n"
        for n, r in enumerate(rules)
    )
    return {**release.files, "trust.yaml": HEAD + "".join(lines)}


def _when(program: Program, rule: Drawn) -> str:
    return " and ".join(text for each in rule.ranges for text in _texts(each, program.attribute(each.feature).type))


def _texts(each: Range, type_: Type) -> list[str]:
    low = [] if each.low is None else [f"{each.feature} >= {written(each.low, type_)}"]
    return low if each.high is None else [*low, f"{each.feature} < {written(each.high, type_)}"]
