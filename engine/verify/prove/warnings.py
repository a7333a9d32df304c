"""Find what a valid release says in vain, and prove it: conditions without effect, tiers that nobody reaches, and more."""

from collections.abc import Iterator

from engine.lang.model.conditions import AS_OF
from engine.lang.model.problems import Problem
from engine.lang.model.program import Program, Release
from engine.verify.prove.conditions import QuestionScope, with_definitions
from engine.verify.prove.encoding import Encoder
from engine.verify.prove.gaps import gap_verdicts
from engine.verify.prove.lines import ProgramLines, release_lines
from engine.verify.prove.perks import clauses, perk_scope, perk_verdicts
from engine.verify.prove.scorecards import feature_types, scorecard_verdicts
from engine.verify.prove.solver import PersonSolver
from engine.verify.prove.verdicts import ProgramPeriod, Verdict, joined, warnings_of


def warnings(release: Release) -> tuple[Problem, ...]:
    """All warnings about a release, by place.

    Each is certain. What we cannot decide with limited effort gives no warning. The answer is the same on every machine.
    """
    lines, verdicts = release_lines(release), dict[ProgramPeriod, list[Verdict]]()
    for period, program in periods(release):
        verdicts[period] = list(_program_verdicts(program, period, lines.at(program)))
    first = next(iter(verdicts))
    verdicts[first] += joined(gap_verdicts(release.programs, lines))
    return warnings_of(verdicts)


def periods(release: Release) -> Iterator[tuple[ProgramPeriod, Program]]:
    """The programs of a release with their days."""
    ends = [*(program.since for program in release.programs[1:]), None]
    for program, end in zip(release.programs, ends, strict=True):
        yield ProgramPeriod(program.since, end), program


def _program_verdicts(program: Program, period: ProgramPeriod, lines: ProgramLines) -> Iterator[Verdict]:
    people = Encoder(feature_types(program, period), (AS_OF,))
    yield from scorecard_verdicts(program, lines.card, QuestionScope(people, PersonSolver(people)))
    define = {word.text: expr for word, expr in lines.perks.define}
    for perk in program.perks:
        scope = perk_scope(perk, lines.perk(perk.id), program.scorecard, people)
        yield from with_definitions(perk_verdicts(scope), clauses(scope.perk, scope.line), define, scope.free)
