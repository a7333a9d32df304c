"""Ask whether a perk waives less at a higher score, for people who differ in nothing else that the perk reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import z3

from engine.lang.model.conditions import AS_OF, Truth, names
from engine.lang.model.program import AMOUNT, PERK_HELD, SCORE, Perk, Scorecard, Tier, hold_stage, perk_stage
from engine.lang.model.types import format_value
from engine.lang.syntax.ast import TierLine
from engine.verify.prove.conditions import reads_day
from engine.verify.prove.encoding import Encoder, Formula, Term
from engine.verify.prove.outcomes import takes, waived
from engine.verify.prove.perks import HOLD_TYPES, PerkPeople, holds_perk
from engine.verify.prove.solver import PersonSolver, SolverResult
from engine.verify.prove.verdicts import Example, Verdict, example_of

HINT = "let it waive no more than what comes at a higher score: give it an `up_to`, or change one of the conditions"


@dataclass(frozen=True)
class _ScorePair:
    """Two people who ask the same about a perk: the second one has the higher score."""

    perk: Perk
    first: Encoder
    second: Encoder

    @property
    def falls(self) -> list[Formula]:
        """The formulas that the amount falls. A cap leaves as much to both, so no cap turns their order round."""
        rises = self.first.value(SCORE) < self.second.value(SCORE)
        return [rises, waived(self.perk, self.first) > waived(self.perk, self.second)]


def fall_verdicts(scope: PerkPeople, card: Scorecard) -> Iterator[Verdict]:
    """Each tier waives no more than the same question gets at a higher score.

    We compare people with the same values of all features that the perk reads, and with scores that the scorecard gives to somebody.
    """
    conditions = [*perk_stage(scope.perk).values(), *hold_stage(scope.perk).values()]
    read = {name for when in conditions for name in names(when)} - {SCORE, PERK_HELD}
    with_any_score, effort = _with_any_score(scope), scope.free.solver.effort
    if PersonSolver(with_any_score.first, with_any_score.second, effort=effort).nobody(*with_any_score.falls):
        yield from (
            Verdict("W112", line.waive.at, False) for line in scope.line.tiers
        )  # needs no scorecard: it is fast
        return
    pair = _with_their_scores(scope, card, frozenset(read))
    solver = PersonSolver(pair.first, pair.second, effort=effort)
    solver.require(*pair.falls, *(people.status(card.scorable).met for people in (pair.first, pair.second)))
    by_one = pair.second.value(SCORE) == pair.first.value(SCORE) + 1  # a simple example, if there is one
    day = any(map(reads_day, conditions))
    for tier, line in zip(scope.perk.tiers, scope.line.tiers, strict=True):
        search = solver.first_of([takes(scope.perk, tier, pair.first)], [by_one], [])
        yield _verdict(pair, tier, line, search, day)


def _with_any_score(scope: PerkPeople) -> _ScorePair:
    return _pair(scope, _encoder(scope, {}), _encoder(scope, {SCORE: "higher score"}))


def _with_their_scores(scope: PerkPeople, card: Scorecard, read: frozenset[str]) -> _ScorePair:
    """People whose other features can differ, so that their scores do."""
    own = {a.name for a in scope.perk.request} | {AS_OF, AMOUNT, *HOLD_TYPES}
    labels = {name: f"another {name}" for name in scope.free.people.types if name not in read | own}
    first, second = _encoder(scope, {}), _encoder(scope, labels)
    for people in (first, second):
        people.set_value(SCORE, people.score(card))
    return _pair(scope, first, second)


def _encoder(scope: PerkPeople, labels: Mapping[str, str]) -> Encoder:
    people = scope.free.people
    return Encoder(people.types, people.never_missing, people.words, labels)


def _pair(scope: PerkPeople, first: Encoder, second: Encoder) -> _ScorePair:
    for people in (first, second):
        people.set_value(PERK_HELD, holds_perk(scope.perk, people))
    return _ScorePair(scope.perk, first, second)


def _verdict(pair: _ScorePair, tier: Tier, line: TierLine, search: SolverResult, day: bool) -> Verdict:
    if search.model is None:
        return Verdict("W112", line.waive.at, False, reads_day=day)
    both, lower = (pair.first, pair.second), _tier_of(pair, search)
    scores = [_number(search, people.value(SCORE)) for people in both]
    more, less = (format_value(_number(search, waived(pair.perk, people)), pair.perk.money) for people in both)
    reason = f"`{lower.id}` waives" if lower else "we waive"
    message = f"the tier `{tier.id}` waives {more} at the score {scores[0]}, but {reason} {less} at {scores[1]}"
    conditions = [tier.when, *([lower.when] if lower else [k.when for k in pair.perk.knockouts])]
    return Verdict("W112", line.waive.at, True, message, HINT, _example(pair, conditions, search), day)


def _number(search: SolverResult, term: Term) -> int:
    number: int = search.model.eval(term, model_completion=True).as_long()
    return number


def _tier_of(pair: _ScorePair, search: SolverResult) -> Tier | None:
    """The tier of the higher score; None without one, or if a knock-out declines."""
    reached = (
        search.model.eval(takes(pair.perk, tier, pair.second), model_completion=True) for tier in pair.perk.tiers
    )
    return next((tier for tier, holds in zip(pair.perk.tiers, reached, strict=True) if z3.is_true(holds)), None)


def _example(pair: _ScorePair, conditions: list[Truth], search: SolverResult) -> Example:
    read = dict.fromkeys(name for when in conditions for name in names(when) if name not in (SCORE, PERK_HELD))
    return example_of(search.values(pair.first, {**read, AMOUNT: None}), pair.first.types)
