"""Ask about a perk: can its knock-outs and tiers be met in their order, and do its amounts and its hold fit?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import z3

from engine.lang.model.conditions import And, Truth
from engine.lang.model.problems import SourceSpan
from engine.lang.model.program import AMOUNT, PERK_HELD, SCORE, KnockOut, Perk, Scorecard, Tier, perk_stage
from engine.lang.model.types import BOOL, Type, format_value
from engine.lang.syntax.ast import PerkLine
from engine.lang.syntax.expression_tree import Number
from engine.verify.prove.conditions import QuestionScope, condition_verdicts, is_about, reads_day, unasked
from engine.verify.prove.encoding import Encoder, Formula
from engine.verify.prove.lines import Clause
from engine.verify.prove.solver import Effort, PersonSolver, SolverResult
from engine.verify.prove.verdicts import Verdict

HELD_BEFORE: Final = "held before"  # whether the person held the perk before the question
HELD_DAYS: Final = "held for days"  # and then for how many whole days

HOLD_TYPES: Final = {PERK_HELD: BOOL, HELD_BEFORE: BOOL, HELD_DAYS: Type("int", low=0, high=100_000)}


@dataclass(frozen=True)
class PerkPeople:
    """The people of a perk: `free` with any score, and `scored` with the score that the scorecard gives them."""

    perk: Perk
    line: PerkLine
    free: QuestionScope
    scored: QuestionScope

    def met(self, when: Truth) -> Formula:
        """The formula that a condition is met."""
        return self.free.people.status(when).met

    def declines(self, knockout: KnockOut) -> Formula:
        """The formula that a knock-out declines."""
        status = self.free.people.status(knockout.when)
        return z3.Not(status.unmet) if knockout.unknown_declines else status.met

    @property
    def passed(self) -> list[Formula]:
        """The formulas that no knock-out declines."""
        return [z3.Not(self.declines(knockout)) for knockout in self.perk.knockouts]


def perk_scope(perk: Perk, line: PerkLine, card: Scorecard, people: Encoder, effort: Effort) -> PerkPeople:
    """The people of a perk, who are those of the scorecard with a score and a question."""
    types = {a.name: a.type for a in perk.request}
    types |= {SCORE: Type("int", 0, (), card.lowest, card.highest), AMOUNT: replace(perk.money, low=1, high=perk.most)}
    types |= HOLD_TYPES
    asking = people.extended(types, (SCORE, AMOUNT, *HOLD_TYPES))
    free, scored = (PersonSolver(people, asking, effort=effort) for _ in range(2))
    scored.require(asking.value(SCORE) == people.score(card), people.status(card.scorable).met)
    if perk.hold:
        scored.require(asking.value(PERK_HELD) == holds_perk(perk, asking))
    return PerkPeople(perk, line, QuestionScope(asking, free), QuestionScope(asking, scored))


def holds_perk(perk: Perk, asking: Encoder) -> Formula:
    """The formula that a person holds the perk: granted now, or held before and within its days or kept."""
    if perk.hold is None:
        return z3.BoolVal(False)
    keeps, grants = asking.status(perk.hold.keep_condition).met, asking.status(perk.hold.grant_condition).met
    within = asking.value(HELD_DAYS) < perk.hold.days
    return z3.If(asking.value(HELD_BEFORE), z3.Or(within, keeps), grants)


def clauses(perk: Perk, line: PerkLine) -> Iterator[Clause]:
    """The conditions of the perk's lines."""
    for knockout, knockout_line in zip(perk.knockouts, line.knockouts, strict=True):
        yield Clause(f"the knock-out `{knockout.id}`", knockout_line.when, knockout.when)
    for tier, tier_line in zip(perk.tiers, line.tiers, strict=True):
        yield Clause(f"the tier `{tier.id}`", tier_line.when, tier.when)
    if perk.hold and line.hold:
        yield Clause(f"`granted` of `{perk.id}`", line.hold.granted, perk.hold.grant_condition)
        yield Clause(f"`kept` of `{perk.id}`", line.hold.kept, perk.hold.keep_condition)


def perk_verdicts(scope: PerkPeople) -> Iterator[Verdict]:
    """All answers about a perk."""
    bad = set[SourceSpan]()
    knockouts = {line.when.at for line in scope.line.knockouts}
    for clause in clauses(scope.perk, scope.line):
        for verdict in condition_verdicts(clause, scope.free, literal_is_meant=clause.at not in knockouts):
            yield verdict
            if is_about(verdict, clause):
                bad.add(clause.at)
    yield from _amount_verdicts(scope)
    # If nobody gets a score, or a knock-out declines everyone, we have warned of the cause.
    if scope.scored.solver.nobody() or (bad & knockouts and scope.scored.solver.nobody(*scope.passed)):
        for clause in clauses(scope.perk, scope.line):
            yield from unasked(clause, "W101", "W103", "W104", "W105", "W107")
        return
    yield from _knockout_verdicts(scope, bad)
    yield from _tier_verdicts(scope, bad)
    yield from _hold_verdicts(scope, bad)


def _amount_verdicts(scope: PerkPeople) -> Iterator[Verdict]:
    """An amount that we waive, or a step, is no more than the largest deposit."""
    perk, line = scope.perk, scope.line
    words: list[tuple[Number | None, int | None, str]] = [(line.step, perk.step, "a step of")]
    for tier, tier_line in zip(perk.tiers, line.tiers, strict=True):
        waive = tier_line.waive
        words.append((waive.fixed or waive.up_to, tier.up_to, f"the tier `{tier.id}` waives up to"))
    most = format_value(perk.most, perk.money)
    for word, amount, text in words:
        if word is not None and amount is not None:
            message = f"{text} {word.text}, but no deposit of `{perk.id}` is over {most}"
            hint = f"write at most {most}, or raise `most`"
            yield Verdict("W109", word.at, amount > perk.most, message, hint, ((AMOUNT, most),))


def _knockout_verdicts(scope: PerkPeople, bad: set[SourceSpan]) -> Iterator[Verdict]:
    """Each knock-out is met by some person with a score, and declines one whom the knock-outs before it let pass."""
    perk, solver = scope.perk, scope.scored.solver
    for place, (knockout, line) in enumerate(zip(perk.knockouts, scope.line.knockouts, strict=True)):
        if line.when.at in bad:
            continue
        day = reads_day(knockout.when)
        met = solver.search(scope.met(knockout.when))
        message = f"the knock-out `{knockout.id}` is met by nobody with a score"
        person = scope.free.solver.search(scope.met(knockout.when))
        example = scope.free.example(person, knockout.when)
        yield Verdict("W101", line.when.at, met.is_empty, message, "correct it, or take it out", example, day)
        before = perk.knockouts[:place]
        if met.is_empty or not before:
            yield Verdict("W103", line.when.at, False)
            continue
        passed = [z3.Not(scope.declines(k)) for k in before]
        idle = solver.nobody(scope.declines(knockout), *passed)
        single = next((k for k in before if solver.nobody(scope.declines(knockout), z3.Not(scope.declines(k)))), None)
        reason = f"`{single.id}`" if single else "those"
        message = (
            f"the knock-out `{knockout.id}` changes no outcome: {reason} before it declines everyone whom it declines"
        )
        hint = "put the wider condition last, or take one out: this one adds no more than its reason"
        example = scope.scored.example(met, knockout.when, *([single.when] if single else []))
        yield Verdict("W103", line.when.at, idle, message, hint, example, day)


def _tier_verdicts(scope: PerkPeople, bad: set[SourceSpan]) -> Iterator[Verdict]:
    """Each tier is reached by some person whom no knock-out declines and who meets no tier before it."""
    for place, (tier, line) in enumerate(zip(scope.perk.tiers, scope.line.tiers, strict=True)):
        if line.when.at in bad and scope.free.solver.nobody(scope.met(tier.when)):
            continue
        clause = Clause(f"the tier `{tier.id}`", line.when, tier.when)
        reached = scope.scored.solver.search(scope.met(tier.when), *scope.passed, *_unmet(scope, place))
        yield from _unreachable(scope, clause, place, reached)
        yield from unasked(clause, "W103") if reached.is_empty else _needless_parts(scope, clause, place)


def _unmet(scope: PerkPeople, place: int) -> list[Formula]:
    return [z3.Not(scope.met(tier.when)) for tier in scope.perk.tiers[:place]]


def _unreachable(scope: PerkPeople, clause: Clause, place: int, reached: SolverResult) -> Iterator[Verdict]:
    """The reason why nobody reaches a tier: its condition, the knock-outs, or the tiers before it."""
    solver, met = scope.scored.solver, scope.met(clause.when)
    day = _reads_day(scope)
    contradiction = unreachable = Verdict("", clause.at, False)
    if reached.is_empty:
        scored, past = solver.search(met), solver.search(met, *scope.passed)
        if scored.is_empty:
            person = scope.free.example(scope.free.solver.search(met), clause.when)
            message = f"{clause.title} cannot be reached: nobody with a score meets `{clause.text}`"
            unreachable = replace(unreachable, applies=True, message=message, hint=_highest(scope), example=person)
        elif past.is_empty:
            contradiction = _contradiction(scope, clause, scored)
        else:
            unreachable = _preceded(scope, clause, place, past)
    yield replace(contradiction, code="W104", reads_day=day)
    yield replace(unreachable, code="W105", reads_day=day)


def _reads_day(scope: PerkPeople) -> bool:
    """Whether a knock-out or a tier of the perk reads the day of the decision."""
    return any(map(reads_day, perk_stage(scope.perk).values()))


def _highest(scope: PerkPeople) -> str:
    """A hint with the highest score that a person can get, if we find it in a few questions."""
    low, high = scope.free.people.types[SCORE].low, scope.free.people.types[SCORE].high
    score = scope.free.people.value(SCORE)
    while low < high:
        middle = (low + high + 1) // 2
        search = scope.scored.solver.search(score >= middle)
        if search.model is not None:
            low = search.model.eval(score, model_completion=True).as_long()
        elif search.is_empty:
            high = middle - 1
        else:
            return "compare with a score that people can get"
    return f"the highest score is {high}"


def _contradiction(scope: PerkPeople, clause: Clause, person: SolverResult) -> Verdict:
    """Everyone who meets the condition is knocked out."""
    met, solver = scope.met(clause.when), scope.scored.solver
    ids = [k for k in scope.perk.knockouts if solver.nobody(met, z3.Not(scope.declines(k)))]
    reason = f"the knock-out `{ids[0].id}` declines" if ids else "the knock-outs decline"
    message = f"{clause.title} contradicts a knock-out: {reason} everyone who meets `{clause.text}`"
    example = scope.scored.example(person, clause.when, *(k.when for k in ids[:1] or scope.perk.knockouts))
    return Verdict("W104", clause.at, True, message, "change one of the two conditions", example)


def _preceded(scope: PerkPeople, clause: Clause, place: int, past: SolverResult) -> Verdict:
    """Everyone who meets the condition and passes the knock-outs meets a tier before it."""
    met, solver, before = scope.met(clause.when), scope.scored.solver, scope.perk.tiers[:place]
    single: Tier | None = next(
        (t for t in before if solver.nobody(met, *scope.passed, z3.Not(scope.met(t.when)))), None
    )
    reason = f"`{single.id}` before it is met first" if single else "the tiers before it are met first"
    message = f"{clause.title} cannot be reached: {reason}"
    example = scope.scored.example(past, clause.when, *(t.when for t in ([single] if single else before)))
    return Verdict("W105", clause.at, True, message, "put the narrower condition first", example)


def _needless_parts(scope: PerkPeople, clause: Clause, place: int) -> Iterator[Verdict]:
    """The parts of a tier that everyone meets who gets there: past the knock-outs and the tiers before, with a score."""
    parts: Sequence[Clause] = clause.parts() if _is_and(clause) else (clause,)
    remaining = list(parts)
    for part in reversed(parts):
        rest = [p for p in remaining if p is not part]
        rest_met = [scope.met(p.when) for p in rest]
        context = [*scope.passed, *_unmet(scope, place), *rest_met]
        is_plain = scope.free.solver.nobody(*rest_met, z3.Not(scope.met(part.when)))
        follows = not is_plain and scope.scored.solver.nobody(*context, z3.Not(scope.met(part.when)))
        message = f"{'a part of ' if len(parts) > 1 else ''}{clause.title} changes nothing: everyone who gets there meets `{part.text}`"
        person = scope.scored.solver.search(*context) if follows else SolverResult(False)
        hint = "the score, the knock-outs and the tiers before it imply it: take it out, or correct it"
        yield Verdict(
            "W103", part.at, follows, message, hint, scope.scored.example(person, clause.when), _reads_day(scope)
        )
        remaining = rest if follows else remaining


def _is_and(clause: Clause) -> bool:
    return isinstance(clause.when, And)


def _hold_verdicts(scope: PerkPeople, bad: set[SourceSpan]) -> Iterator[Verdict]:
    """Whoever is granted the perk also keeps it, and is not knocked out in any case."""
    hold, line = scope.perk.hold, scope.line.hold
    if hold is None or line is None or bad & {line.granted.at, line.kept.at}:
        return
    people, solver = scope.scored.people, scope.scored.solver
    grants, keeps = people.status(hold.grant_condition).met, people.status(hold.keep_condition).met
    lost = solver.search(grants, z3.Not(keeps), *scope.passed)
    message = f"`kept` of `{scope.perk.id}` is stricter than `granted`: a person can lose the perk with the values that grant it"
    example = scope.scored.example(lost, hold.grant_condition, hold.keep_condition)
    hint = "let `kept` be the weaker one"
    day = reads_day(hold.grant_condition) or reads_day(hold.keep_condition)
    yield Verdict("W107", line.kept.at, lost.model is not None, message, hint, example, day)
    clause = Clause(f"`granted` of `{scope.perk.id}`", line.granted, hold.grant_condition)
    person = solver.search(grants)
    contradiction = Verdict("W104", clause.at, False)
    if person.model is not None and solver.nobody(grants, *scope.passed):
        contradiction = _contradiction(scope, clause, person)
    yield replace(contradiction, reads_day=day)
