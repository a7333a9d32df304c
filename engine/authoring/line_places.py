"""Where the rules stand in the files: the place of each rule by its id, and of each bin of a characteristic."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.lang.model.problems import Report, SourceSpan
from engine.lang.syntax.ast import PerksFile, ScorecardFile
from engine.lang.syntax.parse import parse


@dataclass(frozen=True)
class LinePlace:
    """The place of a rule. `bins` are those of the points of each bin, and `missing` that of the points without a value."""

    at: SourceSpan
    bins: tuple[SourceSpan, ...] = ()
    missing: SourceSpan | None = None


def line_places(files: Mapping[str, str]) -> dict[tuple[str, str], LinePlace]:
    """The places by (perk, id); the perk is empty for the scorecard."""
    places = dict[tuple[str, str], LinePlace]()
    for name, text in sorted(files.items()):
        rule_file = parse(name, text, Report())
        if isinstance(rule_file, ScorecardFile):
            places.update(_scorecard(rule_file))
        elif isinstance(rule_file, PerksFile):
            places.update(_perks(rule_file))
    return places


def _scorecard(file: ScorecardFile) -> Iterator[tuple[tuple[str, str], LinePlace]]:
    yield ("", "scorable"), LinePlace(file.scorable.when.at)
    for item in file.characteristics:
        yield ("", item.id.text), LinePlace(item.id.at, tuple(n.at for n in item.points), item.missing.at)
    for rule in file.rules:
        yield ("", rule.id.text), LinePlace(rule.id.at)


def _perks(file: PerksFile) -> Iterator[tuple[tuple[str, str], LinePlace]]:
    for perk in file.perks:
        words = [*(line.id for line in perk.knockouts), *(line.id for line in perk.tiers)]
        yield from (((perk.id.text, word.text), LinePlace(word.at)) for word in words)
