"""Ask about single conditions: are they never met, always met, or do parts of them change nothing?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import z3

from engine.lang.model.conditions import AS_OF, And, Const, InList, Or, Truth, leaves, names
from engine.lang.syntax.expression_tree import Expr
from engine.verify.prove.encoding import Encoder, StatusFormulas
from engine.verify.prove.lines import Clause, definitions
from engine.verify.prove.solver import PersonSolver, SolverResult
from engine.verify.prove.verdicts import Example, Verdict, example_of, joined

PART_CODES: Final = ("W101", "W102", "W103")
NEVER_HINT: Final = "correct it, or take it out"


@dataclass(frozen=True)
class QuestionScope:
    """The people about whom we ask, and the solver with what holds for all of them."""

    people: Encoder
    solver: PersonSolver

    def example(self, search: SolverResult, *conditions: Truth) -> Example:
        """The values of a person, as far as the conditions read them."""
        if search.model is None:
            return ()
        read = dict.fromkeys(name for when in conditions for name in names(when))
        return example_of(search.values(self.people, read), self.people.types)


def reads_day(when: Truth) -> bool:
    """Whether the result of the condition depends on the day of the decision."""
    lists = (leaf for leaf in leaves(when) if isinstance(leaf, InList))
    return AS_OF in names(when) or any(until is not None for leaf in lists for _, until in leaf.entries)


def condition_verdicts(clause: Clause, scope: QuestionScope, *, literal_is_meant: bool = False) -> Iterator[Verdict]:
    """Ask whether the condition is never met or always met, and otherwise the same about its parts.

    With `literal_is_meant`, we take `true` as an intended default.
    """
    never = never_met(clause, scope)
    yield never
    always = always_met(clause, scope) if not never.applies else replace(never, code="W102", applies=False)
    if literal_is_meant and clause.when == Const(True):
        return
    yield always
    if never.applies or always.applies:
        yield from unasked(clause)
    else:
        yield from part_verdicts(clause, scope)


def unasked(clause: Clause, *codes: str) -> Iterator[Verdict]:
    """Answers without a warning about a condition and its parts, of which we need not ask in this period."""
    for code in codes or PART_CODES:
        yield Verdict(code, clause.at, False)
    for part in clause.parts():
        yield from unasked(part, *codes)


def with_definitions(
    verdicts: Iterable[Verdict], clauses: Iterable[Clause], define: Mapping[str, Expr | None], scope: QuestionScope
) -> list[Verdict]:
    """The answers about lines, and those about the definitions that their conditions use.

    A definition that is never met or always met has one warning, at its own place.
    """
    result, bad = list(verdicts), set[str]()
    for name, definition in definitions(iter(clauses), define):
        for verdict in condition_verdicts(definition, scope, literal_is_meant=True):
            result.append(verdict)
            if is_about(verdict, definition):
                bad.add(name)
    return joined(v for v in result if v.definition not in bad)


def is_about(verdict: Verdict, clause: Clause) -> bool:
    """Whether the condition as a whole is never or always met."""
    return verdict.applies and verdict.at == clause.at and verdict.code in ("W101", "W102") and not verdict.is_part


def never_met(clause: Clause, scope: QuestionScope) -> Verdict:
    """Ask whether nobody meets the condition. The example is a person who meets all of its parts but one."""
    status, day = scope.people.status(clause.when), reads_day(clause.when)
    if not scope.solver.nobody(status.met):
        return Verdict("W101", clause.at, False, reads_day=day)
    bad = Verdict("W101", clause.at, True, hint=NEVER_HINT, reads_day=day, definition=clause.definition)
    parts = clause.parts() if isinstance(clause.when, And) else ()
    for part in reversed(parts):
        rest = [scope.people.status(p.when).met for p in parts if p is not part]
        near = scope.solver.search(*rest)
        if near.model is not None:
            message = f"{clause.title} is never met: nobody who meets its other parts meets `{part.text}`"
            return replace(bad, message=message, example=scope.example(near, clause.when))
    near = scope.solver.search(status.unmet)
    message = f"{clause.title} is never met: no values within the bounds meet `{clause.text}`"
    if near.is_empty:
        message = f"{clause.title} is never met: `{clause.text}` is unknown for everyone"
    return replace(bad, message=message, example=scope.example(near, clause.when))


def always_met(clause: Clause, scope: QuestionScope) -> Verdict:
    """Ask whether the condition is met by everyone for whom it is known."""
    status, day = scope.people.status(clause.when), reads_day(clause.when)
    if not scope.solver.nobody(status.unmet):
        return Verdict("W102", clause.at, False, reads_day=day)
    person = scope.example(scope.solver.search(status.met), clause.when)
    if scope.solver.nobody(z3.Not(status.met)):
        message, hint = (
            f"{clause.title} is always met: `{clause.text}` holds for everyone",
            "write `true` if you mean it",
        )
    else:
        message = f"{clause.title} is always met unless it is unknown: no known values fail `{clause.text}`"
        hint = "correct it, or ask with `known(..)` if you mean it"
    return Verdict("W102", clause.at, True, message, hint, person, day, clause.definition)


def part_verdicts(clause: Clause, scope: QuestionScope) -> Iterator[Verdict]:
    """Ask about the parts of a condition, down to its comparisons. We ask nothing about the parts of a bad part."""
    parts = clause.parts()
    if len(parts) < 2:
        for part in parts:
            yield from part_verdicts(part, scope)
        return
    good: list[Clause] = []
    for part in parts:
        never = never_met(_as_part(part), scope)
        answers = [never] if never.applies else [never, always_met(_as_part(part), scope)]
        yield from (replace(answer, is_part=True) for answer in answers)
        if any(answer.applies for answer in answers):
            yield from unasked(part)
        else:
            good.append(part)
    needless = _needless_parts(clause, good, scope)
    for part in good:
        reason = needless.get(part.at)
        yield reason or Verdict("W103", part.at, False, reads_day=reads_day(clause.when))
        yield from part_verdicts(part, scope) if reason is None else unasked(part)


def _as_part(part: Clause) -> Clause:
    return Clause(f"the part of {part.title}", part.expr, part.when)


def _needless_parts(clause: Clause, parts: Sequence[Clause], scope: QuestionScope) -> dict[object, Verdict]:
    """The parts without which the condition has the same status for everyone, the last ones first, by place."""
    remaining, result = list(parts), dict[object, Verdict]()
    for part in reversed(parts):
        rest = [p for p in remaining if p is not part]
        if not rest or not _shares_names(part, rest) or not _follows(part, rest, clause, scope):
            continue
        single = next((p for p in rest if _follows(part, [p], clause, scope)), None)
        reason = f"`{single.text}`" if single else "the other parts"
        verb = "is met whenever" if isinstance(clause.when, And) else "is met only if"
        verb += " " + (f"{reason} is" if single else f"{reason} are")
        person = scope.solver.search(*(scope.people.status(p.when).met for p in rest))
        message = f"a part of {clause.title} changes nothing: `{part.text}` {verb}"
        result[part.at] = Verdict(
            "W103",
            part.at,
            True,
            message,
            "take it out, or correct it",
            scope.example(person, part.when, *(p.when for p in rest)),
            reads_day(clause.when),
        )
        remaining = rest
    return result


def _shares_names(part: Clause, rest: Sequence[Clause]) -> bool:
    """Otherwise the part follows from the rest only if one of them is always or never met, of which we warn already."""
    return bool(set(names(part.when)) & {name for p in rest for name in names(p.when)}) or reads_day(part.when)


def _follows(part: Clause, rest: Sequence[Clause], clause: Clause, scope: QuestionScope) -> bool:
    """Whether the joint status of the rest is the same with the part, for everyone."""
    own, statuses = scope.people.status(part.when), [scope.people.status(p.when) for p in rest]
    if isinstance(clause.when, Or):
        own, statuses = _inverse(own), [_inverse(s) for s in statuses]
    return scope.solver.nobody(*(s.met for s in statuses), z3.Not(own.met)) and scope.solver.nobody(
        own.unmet, z3.Not(z3.Or([s.unmet for s in statuses]))
    )


def _inverse(status: StatusFormulas) -> StatusFormulas:
    return StatusFormulas(status.unmet, status.met)
