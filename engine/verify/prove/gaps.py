"""Ask whether days lie between a tier that ends and one that begins, on which a person gets less than before and after."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import z3

from engine.lang.check.periods import iso_date
from engine.lang.model.conditions import AS_OF, names
from engine.lang.model.problems import SourceSpan
from engine.lang.model.program import AMOUNT, SCORE, Perk, Program, Tier
from engine.lang.model.types import day_of
from engine.lang.syntax.ast import PerkLine
from engine.verify.prove.encoding import Encoder, Words
from engine.verify.prove.lines import DatedFiles, ProgramLines
from engine.verify.prove.outcomes import asking_person, takes, waived
from engine.verify.prove.solver import PersonSolver
from engine.verify.prove.verdicts import Example, Verdict, example_of

MAX_GAP: Final = 31  # days: over a longer time we take a pause, such as that of a season, to be intended


@dataclass(frozen=True)
class _Gap:
    """A tier that ends, one that begins later, and the programs: of the last day, of the first days between, of the new tier."""

    perk: str
    before: Program
    between: Program
    after: Program
    ending: Tier
    beginning: Tier
    at: SourceSpan


def gap_verdicts(programs: Sequence[Program], lines: DatedFiles) -> Iterator[Verdict]:
    """The gaps of a release, in the order of its programs."""
    for gap in _gaps(programs, lines):
        yield _verdict(gap)


def _gaps(programs: Sequence[Program], lines: DatedFiles) -> Iterator[_Gap]:
    for place in range(1, len(programs)):
        before, between = programs[place - 1], programs[place]
        for perk in before.perks:
            ending = [t for t in perk.tiers if t.id not in _tier_ids(between, perk.id)]
            after = next((n for n in range(place + 1, len(programs)) if _new_tiers(programs, n, perk.id)), None)
            if not ending or after is None or _days_between(between, programs[after]) > MAX_GAP:
                continue
            for tier in ending:
                at = _end(lines.at(before), perk.id, tier.id, between.since)
                for new in _new_tiers(programs, after, perk.id):
                    yield _Gap(perk.id, before, between, programs[after], tier, new, at)


def _days_between(first: Program, second: Program) -> int:
    return (second.since or 0) - (first.since or 0)


def _tier_ids(program: Program, perk: str) -> set[str]:
    of = program.perk(perk)
    return {tier.id for tier in of.tiers} if of else set()


def _new_tiers(programs: Sequence[Program], place: int, perk: str) -> list[Tier]:
    """The tiers that begin on the first day of a program."""
    of = programs[place].perk(perk)
    return [t for t in of.tiers if t.id not in _tier_ids(programs[place - 1], perk)] if of else []


def _end(lines: ProgramLines, perk: str, tier: str, day: int | None) -> SourceSpan:
    """The place that ends the tier on a day: its own `until`, or that of its perk or file."""
    line: PerkLine = lines.perk(perk)
    own = next(t for t in line.tiers if t.id.text == tier)
    words = (record.until for record in (own, line, lines.perks) if record.until)
    return next((word.at for word in words if day_of(word.text) == day), own.at)


def _verdict(gap: _Gap) -> Verdict:
    """Ask for a person who takes the tier on its last day and the new one on its first, and gets less on the day after the end."""
    words, end, start = Words(), gap.between.since or 0, gap.after.since or 0
    people = [_person(p, gap.perk, words, day) for p, day in ((gap.before, end - 1), (gap.after, start))]
    (first, perk), (second, new_perk) = [(p, of) for p, of in people if p is not None and of is not None]
    waivers = [waived(perk, first), waived(new_perk, second)]
    middle, middle_perk = _person(gap.between, gap.perk, words, end)
    least = z3.IntVal(0) if middle is None or middle_perk is None else waived(middle_perk, middle)
    conditions = [takes(perk, gap.ending, first), takes(new_perk, gap.beginning, second)]
    for program, each in ((gap.before, first), (gap.after, second), (gap.between, middle)):
        conditions += [each.status(program.scorecard.scorable).met] if each is not None else []
    conditions += [least < waiver for waiver in waivers]
    search = PersonSolver(*(p for p in (first, second, middle) if p is not None)).search(*conditions)
    days = f"{iso_date(end)}" if start - end == 1 else f"{iso_date(end)} to {iso_date(start - 1)}"
    message = (
        f"`{gap.ending.id}` and `{gap.beginning.id}` leave a gap of {start - end} day{'s' * (start - end > 1)}, {days}"
    )
    hint = "`until` is the first day on which a line is no longer in force: write the day on which the next one begins"
    read = dict.fromkeys([*names(gap.ending.when), *names(gap.beginning.when), SCORE, AMOUNT])
    example: Example = ()
    if search.model is not None:
        values = first.values_in(search.model, (n for n in read if n != AS_OF))
        example = ((AS_OF, iso_date(end)), *example_of(values, first.types))
    return Verdict("W111", gap.at, search.model is not None, message, hint, example)


def _person(program: Program, perk: str, words: Words, day: int) -> tuple[Encoder | None, Perk | None]:
    of = program.perk(perk)
    return (asking_person(program, of, words, z3.IntVal(day)), of) if of else (None, None)
