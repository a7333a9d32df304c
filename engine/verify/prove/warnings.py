"""Find the lines of a valid release that have no effect, and prove it: conditions that nobody meets, tiers that nobody reaches, and more."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.lang.model.conditions import AS_OF
from engine.lang.model.problems import Problem
from engine.lang.model.program import Program, Release
from engine.verify.prove.conditions import QuestionScope, with_definitions
from engine.verify.prove.encoding import Encoder
from engine.verify.prove.falls import fall_verdicts
from engine.verify.prove.gaps import gap_verdicts
from engine.verify.prove.lines import ProgramLines, release_lines
from engine.verify.prove.orders import order_verdicts
from engine.verify.prove.perks import clauses, perk_scope, perk_verdicts
from engine.verify.prove.scorecards import feature_types, scorecard_verdicts
from engine.verify.prove.solver import MAX_STEPS, Effort, PersonSolver, fresh_context
from engine.verify.prove.verdicts import ProgramPeriod, Verdict, joined, warnings_of


@dataclass(frozen=True)
class Lint:
    """The warnings about a release, by place, and the number of questions that the solver could not decide."""

    warnings: tuple[Problem, ...]
    undecided: int


def lint(release: Release, max_steps: int = MAX_STEPS) -> Lint:
    """Ask all questions about a release.

    Each warning is certain. A question that takes the solver more than `max_steps` gives no warning. The result is the same on
    every machine.
    """
    with fresh_context():
        return _lint(release, Effort(max_steps))


def _lint(release: Release, effort: Effort) -> Lint:
    lines, verdicts = release_lines(release), dict[ProgramPeriod, list[Verdict]]()
    for period, program in periods(release):
        verdicts[period] = list(_program_verdicts(program, period, lines.at(program), effort))
    first = next(iter(verdicts))
    verdicts[first] += joined(gap_verdicts(release.programs, lines, effort))
    return Lint(warnings_of(verdicts), effort.undecided)


def warnings(release: Release) -> tuple[Problem, ...]:
    """All warnings about a release, by place."""
    return lint(release).warnings


def periods(release: Release) -> Iterator[tuple[ProgramPeriod, Program]]:
    """The programs of a release with their days."""
    ends = [*(program.since for program in release.programs[1:]), None]
    for program, end in zip(release.programs, ends, strict=True):
        yield ProgramPeriod(program.since, end), program


def _program_verdicts(
    program: Program, period: ProgramPeriod, lines: ProgramLines, effort: Effort
) -> Iterator[Verdict]:
    people = Encoder(feature_types(program, period), (AS_OF,))
    yield from scorecard_verdicts(program, lines.card, QuestionScope(people, PersonSolver(people, effort=effort)))
    if program.orders and lines.orders:
        yield from order_verdicts(program.orders, lines.orders, effort)
    define = {word.text: expr for word, expr in lines.perks.define}
    for perk in program.perks:
        scope = perk_scope(perk, lines.perk(perk.id), program.scorecard, people, effort)
        yield from with_definitions(perk_verdicts(scope), clauses(scope.perk, scope.line), define, scope.free)
        yield from fall_verdicts(scope, program.scorecard)
