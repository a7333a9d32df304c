"""Prove that nobody loses from one release to the next, or find a person who does.

A person loses if the score falls or is lost, or if we waive less for the same question on the same day. We compare people with
the same values of features, earlier waivers, holds and orders. We decide about each person whom we find, under both releases, so
that no example rests on the solver alone.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import cached_property
from typing import Any, Final

import z3

from engine.decide.decide import Decision, DecisionInputs, ReferenceEvaluator, decide
from engine.decide.orders import state_and_event
from engine.errors import EngineError
from engine.lang.check.orders import schema_of
from engine.lang.check.periods import iso_date
from engine.lang.model.conditions import AS_OF, Values
from engine.lang.model.program import AMOUNT, NO_ORDER, PERSON_PREFIX, SCORE, OrderLifecycle, Perk, Program, Release
from engine.lang.model.types import BOOL, DATE, Value
from engine.verify.prove.encoding import Encoder, Formula, Term, Words
from engine.verify.prove.history import WaiverHistory, waiver_history
from engine.verify.prove.outcomes import asking_person, waived
from engine.verify.prove.perks import HELD_BEFORE, HELD_DAYS
from engine.verify.prove.solver import Effort, PersonSolver, fresh_context
from engine.verify.prove.verdicts import Example, example_of

CLAIM: Final = "nobody loses"
MAX_STEPS: Final = 60_000_000  # of the solver, for one question
LIMITED_EVENT: Final = "create"  # the event of an order that follows an accepted question
COUNTS: Final = ("in_service", "unpaid", "overdue")  # of a person's orders
FIRST_DAY: Final = -500_000  # of decisions: in the year 601
LAST_DAY: Final = 2_900_000  # in the year 9909: Python knows no day after 9999
USUAL_DAY: Final = 20_454  # 2026-01-01: of an example, if the rules do not change
NOON: Final = timedelta(hours=12)


@dataclass(frozen=True)
class Loss:
    """A loss: in words, and the person and the question who have it. `example` is empty if everyone who asks has it."""

    message: str
    example: Example = ()


@dataclass(frozen=True)
class LossProof:
    """The result: the losses, at most one of each kind and period; and what the solver could not decide.

    Nobody loses if there is neither. `redefined` names the features that the two releases compute in different ways.
    """

    losses: tuple[Loss, ...]
    undecided: tuple[str, ...]
    redefined: tuple[str, ...]


@dataclass(frozen=True)
class _PeriodPair:
    """Two programs that are in force on the same days, from `since` to before `until`."""

    old: Program
    new: Program
    since: int | None
    until: int | None

    @cached_property
    def day(self) -> Term:
        return z3.Int(AS_OF)

    @property
    def in_period(self) -> Formula:
        low = FIRST_DAY if self.since is None else self.since
        high = LAST_DAY if self.until is None else self.until - 1
        return z3.And(self.day >= low, self.day <= high)

    @property
    def is_usual_day(self) -> Formula:
        """The formula that the day is the first of the period, or another one near our time: an example should be simple."""
        last = USUAL_DAY if self.until is None else min(USUAL_DAY, self.until - 1)
        return self.day == (last if self.since is None else self.since)

    @property
    def days(self) -> str:
        """The days, in words."""
        start = f" from {iso_date(self.since)}" if self.since is not None else ""
        return start + (f" until {iso_date(self.until)}" if self.until is not None else "")


def prove_no_loss(old: Release, new: Release) -> LossProof:
    """Prove that nobody loses. Raises EngineError if a decision differs from what the solver computes."""
    if old.timezone != new.timezone:
        return LossProof((), (f"days of {new.timezone} in place of days of {old.timezone}",), ())
    losses, undecided = list[Loss](), list[str]()
    redefined = set[str]()
    for comparison in _period_pairs(old, new):
        redefined |= set(_redefined(comparison))
        with fresh_context():
            results = (*_score_losses(comparison), *_perk_losses(comparison))
        losses += (result for result in results if isinstance(result, Loss))
        undecided += (result for result in results if isinstance(result, str))
    return LossProof(tuple(losses), tuple(undecided), tuple(sorted(redefined)))


def _period_pairs(old: Release, new: Release) -> Iterator[_PeriodPair]:
    days = sorted({p.since for r in (old, new) for p in r.programs if p.since is not None})
    for since, until in zip((None, *days), (*days, None), strict=True):
        first, second = (release.programs[0] if since is None else release.at(since) for release in (old, new))
        yield _PeriodPair(first, second, since, until)


def _redefined(comparison: _PeriodPair) -> Iterator[str]:
    old, new = comparison.old.declarations, comparison.new.declarations
    for name in set(comparison.old.reads) & set(comparison.new.reads):
        if (name in old or name in new) and getattr(old.get(name), "version", "") != getattr(
            new.get(name), "version", ""
        ):
            yield name


def _score_losses(comparison: _PeriodPair) -> Iterator[Loss | str]:
    """A person who has a score by the old rules, and none or a lower one by the new."""
    old, new = comparison.old, comparison.new
    if old.scorecard == new.scorecard:
        return
    words, reads = Words(), sorted(old.scorecard_reads | new.scorecard_reads)
    people = [_person(program, words, comparison) for program in (old, new)]
    had, has = (p.status(program.scorecard.scorable).met for p, program in zip(people, (old, new), strict=True))
    before, after = (p.score(program.scorecard) for p, program in zip(people, (old, new), strict=True))
    solver = PersonSolver(*people, effort=Effort(MAX_STEPS))
    solver.require(comparison.in_period, had)
    for word, formula in (("the score is lost", z3.Not(has)), ("the score falls", z3.And(has, after < before))):
        search = solver.first_of([formula], [comparison.is_usual_day], [])
        if search.model is None:
            if not search.is_empty:
                yield f"whether {word}{comparison.days}"
            continue
        values = _joint_values(people, search.model, reads)
        day = search.model.eval(comparison.day, model_completion=True).as_long()
        yield _score_loss(comparison, values, day)


def _person(program: Program, words: Words, comparison: _PeriodPair) -> Encoder:
    people = Encoder({name: a.type for name, a in program.schema.items()} | {AS_OF: DATE}, (AS_OF,), words)
    people.set_value(AS_OF, comparison.day)
    return people


def _joint_values(people: list[Encoder], model: Any, names: list[str]) -> dict[str, Value | None]:
    """The values of names that one of two encoders of the same person has."""
    values = dict[str, Value | None]()
    for name in names:
        encoder = next((p for p in people if name in p.types), None)
        if encoder:
            values |= encoder.values_in(model, [name])
    return values


def _score_loss(comparison: _PeriodPair, values: dict[str, Value | None], day: int) -> Loss:
    """The loss, by the reference engine."""
    perk = comparison.old.perks[0]
    decisions = [
        _decide(program, program.perks[0], values, day, amount=1, context={})
        for program in (comparison.old, comparison.new)
    ]
    before, after = (decision.scored.score for decision in decisions)
    if before is None or (after is not None and after >= before):
        raise EngineError("the reference engine does not find the loss that the solver finds", where=perk.id)
    words = "is lost" if after is None else f"falls to {after}"
    return Loss(f"the score of {before} {words}", _example(comparison, values, day))


def _example(comparison: _PeriodPair, values: Values, day: int, types: Mapping[str, Any] | None = None) -> Example:
    all_types = {n: a.type for p in (comparison.new, comparison.old) for n, a in p.schema.items()} | dict(types or {})
    return ((AS_OF, iso_date(day)), *example_of(values, all_types))


def _perk_losses(comparison: _PeriodPair) -> Iterator[Loss | str]:
    for perk in comparison.old.perks:
        after = comparison.new.perk(perk.id)
        if after is None:
            yield Loss(f"the perk `{perk.id}` ends{comparison.days}")
        elif after.currency != perk.currency:
            yield Loss(f"the perk `{perk.id}` is in {after.currency}, no longer in {perk.currency}{comparison.days}")
        else:
            if after.most < perk.most:
                yield Loss(f"nobody can ask for as large a deposit of `{perk.id}` as before{comparison.days}")
            yield from _narrower_fields(comparison, perk, after)
            yield from _waiver_losses(comparison, perk, after)


def _narrower_fields(comparison: _PeriodPair, perk: Perk, after: Perk) -> Iterator[Loss]:
    """The fields of the request with values that we no longer accept."""
    types = {a.name: a.type for a in after.request}
    for field in perk.request:
        old, new = field.type, types.get(field.name, field.type)
        is_wide = new.low <= old.low and old.high <= new.high and set(old.values) <= set(new.values)
        if new.kind != old.kind or not is_wide:
            yield Loss(f"`{perk.id}` no longer takes all values of `{field.name}`{comparison.days}")


def _same(comparison: _PeriodPair, perk: Perk, after: Perk) -> bool:
    old, new = comparison.old, comparison.new
    limits = [program.orders.limits if program.orders else () for program in (old, new)]
    return (old.scorecard, old.relationships, perk, limits[0]) == (new.scorecard, new.relationships, after, limits[1])


@dataclass(frozen=True)
class _Asking:
    """A person who asks about a perk under one program: with the score, and with the score without relationships."""

    program: Program
    perk: Perk
    people: Encoder
    people_without: Encoder
    orders: Encoder | None

    @property
    def has_score(self) -> Formula:
        return self.people.status(self.program.scorecard.scorable).met

    def waiver(self, history: WaiverHistory) -> Term:
        """The amount that we waive in the end. Relationships alone do not decline, and too many orders do."""
        remaining = history.remaining(self.perk, self.people)
        own, without = (waived(self.perk, p, remaining) for p in (self.people, self.people_without))
        return z3.If(z3.And(self.has_score, z3.Not(self._is_limited)), z3.If(own > 0, own, without), 0)

    @property
    def _is_limited(self) -> Formula:
        orders = self.program.orders
        if orders is None or self.orders is None:
            return z3.BoolVal(False)
        statuses = [(self.orders.status(r.when), r.unknown_refuses) for r in orders.limits]
        applies = z3.Or([z3.Not(s.unmet) if unknown else s.met for s, unknown in statuses])
        return z3.And(self.orders.value("counted orders"), applies)


def _asking(program: Program, perk: Perk, words: Words, comparison: _PeriodPair) -> _Asking:
    people, without = (asking_person(program, perk, words, comparison.day, without=w) for w in (False, True))
    return _Asking(program, perk, people, without, _orders(program.orders, words, comparison))


def _orders(orders: OrderLifecycle | None, words: Words, comparison: _PeriodPair) -> Encoder | None:
    """The counts of the person's orders, when the person asks for a further one. The caller may keep none."""
    if orders is None or not orders.limits:
        return None
    types = {name: a.type for name, a in schema_of(orders.states, orders.events).items()}
    counts = [f"{PERSON_PREFIX}{name}" for name in COUNTS]
    people = Encoder({**types, "counted orders": BOOL}, (AS_OF, "counted orders", *counts), words)
    people.set_value(AS_OF, comparison.day)
    for name, word in state_and_event(NO_ORDER, LIMITED_EVENT).items():
        people.set_value(name, z3.IntVal(words.number(str(word))))
    return people


def _waiver_losses(comparison: _PeriodPair, perk: Perk, after: Perk) -> Iterator[Loss | str]:
    """A person for whom we waive less, of the same deposit."""
    if _same(comparison, perk, after):
        return
    words = Words()
    asking = [_asking(p, of, words, comparison) for p, of in ((comparison.old, perk), (comparison.new, after))]
    history = waiver_history(perk.id, perk.currency, (*perk.all_caps, *after.all_caps))
    before, later = (a.waiver(history) for a in asking)
    encoders = [e for a in asking for e in (a.people, a.people_without, a.orders) if e is not None]
    solver = PersonSolver(*encoders, effort=Effort(MAX_STEPS))
    solver.require(comparison.in_period, *history.bounds, asking[0].has_score)
    is_new = z3.And(history.is_empty, z3.Not(asking[0].people.value(HELD_BEFORE)))
    search = solver.first_of(
        [later < before], [is_new, comparison.is_usual_day], [history.is_short, comparison.is_usual_day], []
    )
    if search.model is not None:
        yield _waiver_loss(comparison, asking, history, search.model)
    elif not search.is_empty:
        yield f"whether we waive less of a deposit of `{perk.id}`{comparison.days}"


def _waiver_loss(comparison: _PeriodPair, asking: list[_Asking], history: WaiverHistory, model: Any) -> Loss:
    """The loss, by the reference engine."""
    people = [a.people for a in asking]
    names = sorted({n for a in asking for n in a.program.scorecard_reads | a.program.perk_reads(a.perk)})
    values = _joint_values(people, model, names)
    day = model.eval(comparison.day, model_completion=True).as_long()
    amount = people[0].values_in(model, [AMOUNT])[AMOUNT]
    orders = next((a.orders for a in asking if a.orders is not None), None)
    counts = dict[str, Value | None]()
    if orders and orders.values_in(model, ["counted orders"])["counted orders"]:
        counts = {n: orders.values_in(model, [f"{PERSON_PREFIX}{n}"])[f"{PERSON_PREFIX}{n}"] for n in COUNTS}
    noon = asking[0].program.start_of(day).replace(tzinfo=UTC) + NOON
    context = {
        a.name: v for each in asking for a in each.perk.request for v in _joint_values(people, model, [a.name]).values()
    }
    further: dict[str, Any] = {"used": tuple(history.waivers_in(model, noon)), **counts}
    hold = people[0].values_in(model, [HELD_BEFORE, HELD_DAYS])
    if hold[HELD_BEFORE] and any(a.perk.hold for a in asking):
        further["held_since"] = (noon - timedelta(days=int(hold[HELD_DAYS] or 0))).isoformat()
    decisions = [_decide(a.program, a.perk, values, day, int(amount or 0), context, **further) for a in asking]
    first, second = (decision.answer for decision in decisions)
    if second.waived >= first.waived:
        raise EngineError("the reference engine does not find the loss that the solver finds", where=asking[0].perk.id)
    types = {a.name: a.type for each in asking for a in each.perk.request} | {AMOUNT: asking[0].perk.money}
    example = _example(comparison, {AMOUNT: amount, **context, **values}, day, types)
    scores = tuple(
        (f"{SCORE} {word}", str(d.scored.score)) for word, d in zip(("before", "after"), decisions, strict=True)
    )
    facts = tuple(_facts(asking[0].perk, further))
    message = f"`{asking[0].perk.id}`: {first.outcome} of {_money(first.waived, asking[0].perk)} becomes {second.outcome} of {_money(second.waived, asking[0].perk)}"
    return Loss(message, (*scores, *example, *facts))


def _facts(perk: Perk, further: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Earlier waivers, holds and orders, as text."""
    for waiver, count in Counter(further["used"]).items():
        state = "open" if waiver.open else "closed"
        text = f"{_money(waiver.waived, perk)} of {waiver.perk}, {state}, on {waiver.at[:10]}"
        yield "used", text if count == 1 else f"{text}, {count} times"
    yield from ((name, str(value)) for name, value in further.items() if name != "used")


def _money(amount: int, perk: Perk) -> str:
    return example_of({AMOUNT: amount}, {AMOUNT: perk.money})[0][1]


def _decide(
    program: Program, perk: Perk, values: Values, day: int, amount: int, context: Values, **further: Any
) -> Decision:
    """The decision of the reference engine, at noon of the day."""
    start = program.start_of(day)
    noon = (start + NOON).isoformat()
    fields = {a.name.removeprefix("request."): context.get(a.name) for a in perk.request}
    question = DecisionInputs(
        *("someone", perk.id, amount, perk.currency, start.isoformat(), noon, noon, "proof"),
        values=values,
        context=fields,
        timezone=program.timezone,
        **further,
    )
    return decide(ReferenceEvaluator(program), question)
