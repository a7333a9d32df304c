"""Relate the conditions of a program to the lines of its files, so that each warning has a place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from engine.lang.check.periods import holds, in_force
from engine.lang.model.conditions import Flag, Not, Truth
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.model.program import Program, Release
from engine.lang.syntax.ast import DatedFile, OrdersFile, PerkLine, PerksFile, ScorecardFile
from engine.lang.syntax.expression_tree import Expr, Join, Name, Negate
from engine.lang.syntax.parse import parse
from engine.lang.syntax.printer import print_expression

FileKind = TypeVar("FileKind", bound=DatedFile)


@dataclass(frozen=True)
class DatedFiles:
    """The files of a release with all their lines, also those that are not in force now."""

    cards: tuple[ScorecardFile, ...]
    perks: tuple[PerksFile, ...]
    orders: tuple[OrdersFile, ...]

    def at(self, program: Program) -> "ProgramLines":
        """The lines that the program consists of."""
        orders = _current(self.orders, program.since) if program.orders else None
        return ProgramLines(_current(self.cards, program.since), _current(self.perks, program.since), orders)


@dataclass(frozen=True)
class ProgramLines:
    """The lines of a program's scorecard, perks and orders, in the order of the program."""

    card: ScorecardFile
    perks: PerksFile
    orders: OrdersFile | None

    def perk(self, name: str) -> PerkLine:
        """The lines of a perk."""
        return next(line for line in self.perks.perks if line.id.text == name)


def release_lines(release: Release) -> DatedFiles:
    """Read the files of a release again. The parser remembers those that it just read."""
    files = [parse(name, text, Report()) for name, text in release.files.items()]
    return DatedFiles(
        tuple(file for file in files if isinstance(file, ScorecardFile)),
        tuple(file for file in files if isinstance(file, PerksFile)),
        tuple(file for file in files if isinstance(file, OrdersFile)),
    )


def _current(files: tuple[FileKind, ...], since: int | None) -> FileKind:
    return in_force(next(file for file in files if holds(file, since)), since)


@dataclass(frozen=True)
class Clause:
    """A condition or a part of one: as the file has it, and as the program has it. `title` names its line for messages."""

    title: str
    expr: Expr
    when: Truth

    @property
    def at(self) -> SourceSpan:
        """Its place."""
        return self.expr.at

    @property
    def text(self) -> str:
        """Its canonical text."""
        return print_expression(self.expr)

    @property
    def definition(self) -> str:
        """The name of the definition that it is; empty if it is anything else."""
        return self.expr.name if isinstance(self.expr, Name) and not isinstance(self.when, Flag) else ""

    def parts(self) -> tuple["Clause", ...]:
        """The parts that `and`, `or` or `not` joins; none for a comparison or the name of a definition."""
        if isinstance(self.expr, Negate) and isinstance(self.when, Not):
            return (Clause(self.title, self.expr.part, self.when.part),)
        if isinstance(self.expr, Join) and hasattr(self.when, "parts"):
            pairs = zip(self.expr.parts, self.when.parts, strict=True)
            return tuple(Clause(self.title, expr, when) for expr, when in pairs)
        return ()


def definitions(clauses: Iterator[Clause], define: Mapping[str, Expr | None]) -> Iterator[tuple[str, Clause]]:
    """The definitions that the clauses use, directly or through others, each once with its name."""
    visited, waiting = set[str](), list(clauses)
    while waiting:
        clause = waiting.pop(0)
        expr = define.get(clause.expr.name) if isinstance(clause.expr, Name) else None
        if expr is not None and isinstance(clause.expr, Name) and clause.expr.name not in visited:
            visited.add(clause.expr.name)
            definition = Clause(f"the definition `{clause.expr.name}`", expr, clause.when)
            yield clause.expr.name, definition
            waiting.append(definition)
        waiting += clause.parts()
