"""Ask whether days lie between a line that ends and one that begins, on which a person gets less than before and after."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import z3

from engine.lang.check.periods import iso_date
from engine.lang.model.conditions import AS_OF, names
from engine.lang.model.problems import SourceSpan
from engine.lang.model.program import AMOUNT, SCORE, Characteristic, Perk, PointRule, Program
from engine.lang.model.types import DATE, day_of
from engine.lang.syntax.ast import CharacteristicLine, RuleLine
from engine.lang.syntax.dated_record import DatedRecord
from engine.verify.prove.encoding import Encoder, Words
from engine.verify.prove.lines import DatedFiles, ProgramLines
from engine.verify.prove.outcomes import asking_person, takes, waived
from engine.verify.prove.solver import Effort, PersonSolver, SolverResult
from engine.verify.prove.verdicts import Example, Verdict, example_of

MAX_GAP: Final = 31  # days: over a longer time we take a pause, such as that of a season, to be intended


@dataclass(frozen=True)
class _Gap:
    """Two lines of which one ends and the other begins later: tiers of a perk, or items of the scorecard without a perk.

    The programs are those of the last day, of the first days between, and of the new line.
    """

    perk: str
    before: Program
    between: Program
    after: Program
    ending: str
    beginning: str
    at: SourceSpan

    @property
    def days(self) -> int:
        """The number of days between."""
        return (self.after.since or 0) - (self.between.since or 0)

    @property
    def replacements(self) -> set[str]:
        """The lines that begin on the day of the end: those for whom one of them counts have no gap."""
        return _line_ids(self.between, self.perk) - _line_ids(self.before, self.perk)

    def verdict(self, search: SolverResult, example: Example) -> Verdict:
        """The answer: whether some person has less, or is without a penalty, between the two lines."""
        end, start = self.between.since or 0, self.after.since or 0
        text = iso_date(end) if self.days == 1 else f"{iso_date(end)} to {iso_date(start - 1)}"
        message = (
            f"`{self.ending}` and `{self.beginning}` leave a gap of {self.days} day{'s' * (self.days > 1)}, {text}"
        )
        hint = (
            "`until` is the first day on which a line is no longer in force: write the day on which the next one begins"
        )
        return Verdict("W111", self.at, search.model is not None, message, hint, ((AS_OF, iso_date(end)), *example))


def gap_verdicts(programs: Sequence[Program], lines: DatedFiles, effort: Effort) -> Iterator[Verdict]:
    """The gaps of a release, in the order of its programs."""
    for gap in _gaps(programs, lines):
        yield _tier_verdict(gap, effort) if gap.perk else _item_verdict(gap, effort)


def _gaps(programs: Sequence[Program], lines: DatedFiles) -> Iterator[_Gap]:
    for place in range(1, len(programs)):
        before, between = programs[place - 1], programs[place]
        for perk in ("", *(perk.id for perk in before.perks)):
            ending = _line_ids(before, perk) - _line_ids(between, perk)
            for later in range(place + 1, len(programs)) if ending else ():
                beginning = _line_ids(programs[later], perk) - _line_ids(programs[later - 1], perk)
                for old, new in product(sorted(ending), sorted(beginning)):
                    at = _end(lines.at(before), perk, old, between.since)
                    gap = _Gap(perk, before, between, programs[later], old, new, at)
                    if gap.days <= MAX_GAP:
                        yield gap


def _line_ids(program: Program, perk: str) -> set[str]:
    """The ids of the tiers of a perk, or of the items of the scorecard."""
    if not perk:
        return {item.id for item in program.scorecard.items}
    of = program.perk(perk)
    return {tier.id for tier in of.tiers} if of else set()


def _end(lines: ProgramLines, perk: str, id_: str, day: int | None) -> SourceSpan:
    """The place that ends a line on a day: its own `until`, or that of its perk or file."""
    records: tuple[DatedRecord, ...]
    if perk:
        perk_line = lines.perk(perk)
        own = next(t for t in perk_line.tiers if t.id.text == id_)
        records, at = (own, perk_line, lines.perks), own.at
    else:
        items: tuple[CharacteristicLine | RuleLine, ...] = (*lines.card.characteristics, *lines.card.rules)
        item = next(i for i in items if i.id.text == id_)
        records, at = (item, lines.card), item.at
    words = (record.until for record in records if record.until)
    return next((word.at for word in words if day_of(word.text) == day), at)


def _tier_verdict(gap: _Gap, effort: Effort) -> Verdict:
    """Ask for a person who takes the tier on its last day and the new one on its first, and gets less on the day after the end."""
    words, end, start = Words(), gap.between.since or 0, gap.after.since or 0
    first, second = (_asking(p, gap.perk, words, day) for p, day in ((gap.before, end - 1), (gap.after, start)))
    waivers = [waived(perk, people) for people, perk in (first, second)]
    tiers = [
        next(t for t in perk.tiers if t.id == id_) for (_, perk), id_ in ((first, gap.ending), (second, gap.beginning))
    ]
    conditions = [takes(perk, tier, people) for (people, perk), tier in zip((first, second), tiers, strict=True)]
    encoders, least = [first[0], second[0]], z3.IntVal(0)
    if gap.between.perk(gap.perk) is not None:
        middle, perk = _asking(gap.between, gap.perk, words, end)
        encoders.append(middle)
        least = waived(perk, middle)
        conditions += [z3.Not(takes(perk, tier, middle)) for tier in perk.tiers if tier.id in gap.replacements]
    for program, people in zip((gap.before, gap.after, gap.between), encoders, strict=False):
        conditions.append(people.status(program.scorecard.scorable).met)
    search = PersonSolver(*encoders, effort=effort).search(*conditions, *(least < waiver for waiver in waivers))
    read = dict.fromkeys([*names(tiers[0].when), *names(tiers[1].when), SCORE, AMOUNT])
    return gap.verdict(search, _example(first[0], search, read))


def _asking(program: Program, perk: str, words: Words, day: int) -> tuple[Encoder, Perk]:
    of = next(each for each in program.perks if each.id == perk)
    return asking_person(program, of, words, z3.IntVal(day)), of


def _item_verdict(gap: _Gap, effort: Effort) -> Verdict:
    """Ask for a person to whom both items give points, or take points, and whose score is lower, or higher, in between."""
    words, end, start = Words(), gap.between.since or 0, gap.after.since or 0
    days = ((gap.before, end - 1), (gap.after, start), (gap.between, end))
    people = [_scored(program, words, day) for program, day in days]
    items = [
        next(i for i in program.scorecard.items if i.id == id_)
        for program, id_ in ((gap.before, gap.ending), (gap.after, gap.beginning))
    ]
    if not _reads(items[0]) & _reads(items[1]):
        return Verdict("W111", gap.at, False)
    first, second = (p.points(item) for p, item in zip(people, items, strict=False))
    scores = [p.score(program.scorecard) for p, (program, _) in zip(people, days, strict=True)]
    signs = [
        z3.And(sign * first > 0, sign * second > 0, *(sign * (score - scores[2]) > 0 for score in scores[:2]))
        for sign in (1, -1)
    ]
    replaced = [people[2].points(i) == 0 for i in gap.between.scorecard.items if i.id in gap.replacements]
    has_score = [p.status(program.scorecard.scorable).met for p, (program, _) in zip(people, days, strict=True)]
    search = PersonSolver(*people, effort=effort).search(z3.Or(signs), *replaced, *has_score)
    return gap.verdict(search, _example(people[0], search, dict.fromkeys(sorted(_reads(items[0]) | _reads(items[1])))))


def _scored(program: Program, words: Words, day: int) -> Encoder:
    people = Encoder({name: a.type for name, a in program.schema.items()} | {AS_OF: DATE}, (AS_OF,), words)
    people.set_value(AS_OF, z3.IntVal(day))
    return people


def _reads(item: Characteristic | PointRule) -> set[str]:
    return {item.feature} if isinstance(item, Characteristic) else set(names(item.when))


def _example(people: Encoder, search: SolverResult, read: Iterable[str]) -> Example:
    if search.model is None:
        return ()
    values = search.values(people, (name for name in read if name in people.types and name != AS_OF))
    return example_of(values, people.types)
