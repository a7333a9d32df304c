"""Find the branches of the rules that no case tries, with their places in the rule files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.lang.check.periods import holds, in_force
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.model.program import Release
from engine.lang.syntax.ast import DatedFile, OrdersFile, PerksFile, ScorecardFile, WatchFile
from engine.lang.syntax.parse import parse
from engine.verify.branches import SCORABLE, RuleBranch, describe, program_branches
from engine.verify.cases import CaseOutcome

LineKey = tuple[str, str]  # the file's sort of line, and its id: `bin` and `kept#2`


@dataclass(frozen=True)
class BranchCoverage:
    """A branch, its place in a rule file, and whether a case tries it.

    `periods` has the first day of each period in which the line is in force, counted from 1970-01-01; None: from the beginning.
    """

    branch: RuleBranch
    at: SourceSpan
    text: str
    periods: tuple[int | None, ...]
    is_tried: bool


def coverage(release: Release, outcomes: Iterable[CaseOutcome]) -> tuple[BranchCoverage, ...]:
    """Every branch of a release, by place. A line that is in force in several periods occurs once.

    A line that changes on a day is another line from then on, with branches of its own.
    """
    tried_branches = {(outcome.since, branch) for outcome in outcomes for branch in outcome.branches}
    files = _dated_files(release.files)
    by_key: dict[tuple[RuleBranch, SourceSpan], BranchCoverage] = {}
    for program in release.programs:
        places = _places(files, program.since)
        for branch in program_branches(program):
            at = places[branch.kind, branch.id]
            is_tried = (program.since, branch) in tried_branches
            item = by_key.get((branch, at)) or BranchCoverage(branch, at, describe(branch, program), (), False)
            periods = (*item.periods, program.since)
            by_key[branch, at] = replace(item, periods=periods, is_tried=item.is_tried or is_tried)
    return tuple(sorted(by_key.values(), key=lambda c: (c.at, c.branch)))


def percentage(items: Iterable[BranchCoverage]) -> float:
    """The share of branches that a case tries, in percent; 100 without any branch."""
    flags = [item.is_tried for item in items]
    return 100 * sum(flags) / len(flags) if flags else 100.0


def _dated_files(files: Mapping[str, str]) -> list[DatedFile]:
    parsed_files = (parse(name, text, Report()) for name, text in sorted(files.items()))
    return [file for file in parsed_files if isinstance(file, DatedFile)]


def _places(files: Iterable[DatedFile], since: int | None) -> dict[LineKey, SourceSpan]:
    """The place of each line that is in force from a day on, and of each bin."""
    return {key: at for file in files if holds(file, since) for key, at in _places_in(in_force(file, since))}


def _places_in(file: DatedFile) -> Iterator[tuple[LineKey, SourceSpan]]:
    match file:
        case ScorecardFile():
            yield ("scorable", SCORABLE), file.scorable.at
            for line in file.characteristics:
                yield ("bin", line.id.text), line.missing.at
                yield from ((("bin", f"{line.id.text}#{n}"), points.at) for n, points in enumerate(line.points))
            yield from ((("rule", line.id.text), line.id.at) for line in file.rules)
        case PerksFile():
            for perk in file.perks:
                yield from ((("knock-out", line.id.text), line.id.at) for line in perk.knockouts)
                yield from ((("tier", line.id.text), line.id.at) for line in perk.tiers)
        case WatchFile():
            yield from ((("flag", line.id.text), line.id.at) for line in file.flags)
        case OrdersFile():
            yield from ((("refusal", line.id.text), line.id.at) for line in file.refusals)
            yield from ((("move", line.id.text), line.id.at) for line in file.moves)
        case _:
            pass
