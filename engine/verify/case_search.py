"""Search for a case that tries a branch of the rules: values at boundaries, checked by the reference evaluator."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from engine.decide.caps import perk_is_held
from engine.decide.orders import transition_from
from engine.decide.perks import PerkOutcome, perk_outcome
from engine.lang.check.orders import ORDER_CURRENCY, schema_of
from engine.lang.engines.reference import evaluate, truth
from engine.lang.model.conditions import AS_OF, And, Flag, Not, Or, Statuses, Truth, Values, names
from engine.lang.model.program import (
    AMOUNT,
    EVENT_KIND,
    ORDER_STATE,
    ORDERS_STAGE,
    PERK_HELD,
    SCORE,
    OrderLifecycle,
    Perk,
    Program,
    hold_stage,
    perk_stage,
)
from engine.lang.model.types import DAY, MICROSECOND, Kinds, Type, Value
from engine.verify.boundary_cases import compared_constants, near
from engine.verify.branches import (
    SCORABLE,
    STATUS_OF_RESULT,
    RuleBranch,
    order_branches,
    perk_branches,
    score_branches,
    stage_condition,
)
from engine.verify.event_search import EventDraft, flag_events
from engine.verify.steering import MutableValues, Steering

MAX_DRAWS: Final = 400  # draws of a case for one branch
SEED: Final = 1


@dataclass(frozen=True)
class CaseDraft:
    """A case that tries a branch, before we write it.

    `values` are all values of the person, of the request or of the order, None if missing. `day` is its `as_of`, counted from
    1970-01-01. `perk`, `score` and `amount` belong together.
    """

    branch: RuleBranch
    day: int
    values: Values
    perk: Perk | None = None
    score: int = 0
    amount: int = 0
    is_order: bool = False
    events: tuple[EventDraft, ...] = field(default=())


def find_cases(
    program: Program, kinds: Kinds, branch: RuleBranch, days: Sequence[int], base: Values
) -> Iterator[CaseDraft]:
    """Yield cases that try the branch, the best first: at most `MAX_DRAWS` draws for each of the days. Deterministic.

    `base` has the values from which the case starts; we change as few of them as the branch needs. `days` are in the period
    of the program, and counted from 1970-01-01. We look at one day after the other.
    """
    finder: Callable[[_BranchSearch], Iterator[CaseDraft]] = _FINDERS[branch.kind]
    for day in days:
        yield from finder(_BranchSearch(program, kinds, branch, day, base, Random(SEED)))  # noqa: S311 - no keys


def reading_days(program: Program) -> set[int]:
    """The days at which a condition on `as_of` can turn, counted from 1970-01-01."""
    constants = compared_constants([truth for stage in program.stages.values() for truth in stage.values()])
    return {int(n) + step for n in constants.get(AS_OF, set()) for step in (-1, 0, 1)}


@dataclass(frozen=True)
class _BranchSearch:
    program: Program
    kinds: Kinds
    branch: RuleBranch
    day: int
    base: Values
    chooser: Random

    @property
    def condition(self) -> Truth:
        return stage_condition(self.program, self.branch)

    @property
    def status(self) -> bool | None:
        """The status of the condition that makes the branch; a characteristic without a value is an attribute not known."""
        if self.branch.kind == "bin":
            return self.branch.result == "met"
        return STATUS_OF_RESULT[self.branch.result]

    def steering(self, conditions: list[Truth], types: Mapping[str, Type]) -> Steering:
        read = {name for truth in conditions for name in names(truth)}
        own_types = {name: type_ for name, type_ in types.items() if name in read and name != AS_OF}
        return Steering(conditions, own_types, self.chooser, _usual(own_types, self.day))


def _usual(types: Mapping[str, Type], day: int) -> dict[str, int]:
    """For each moment, the day of the case."""
    units = {"date": day, "timestamp": day * DAY}
    return {
        name: units[t.kind] * (1 if t.unit != MICROSECOND else 1_000_000)
        for name, t in types.items()
        if t.kind in units
    }


def _score_cases(search: _BranchSearch) -> Iterator[CaseDraft]:
    """First cases of people with a score: there, the points show."""
    card, stage = search.program.scorecard, search.program.stages[SCORE]
    conditions = [card.scorable, search.condition]
    steering = search.steering([*conditions, *stage.values()], _feature_types(search.program))
    for draw in range(MAX_DRAWS):
        has_score = draw < MAX_DRAWS // 2
        values: MutableValues = {**search.base, AS_OF: search.day}
        if has_score and search.branch.kind != SCORABLE:
            steering.steer(card.scorable, True, values)
        steering.steer(search.condition, search.status, values)
        statuses = evaluate(stage, values)
        fits = statuses[SCORABLE] is True or search.branch.kind == SCORABLE or not has_score
        if fits and search.branch in score_branches(card, statuses):
            yield CaseDraft(search.branch, search.day, values)


def _feature_types(program: Program) -> dict[str, Type]:
    return {name: program.schema[name].type for name in program.reads}


def _perk_cases(search: _BranchSearch) -> Iterator[CaseDraft]:
    """Cases at a given score, first those in which the branch matters, at plain scores and amounts."""
    program, branch = search.program, search.branch
    perk = next(p for p in program.perks if branch.id in perk_stage(p))
    card, stage = program.scorecard, {id_: _with_grant(when, perk) for id_, when in perk_stage(perk).items()}
    types = _feature_types(program) | {a.name: a.type for a in perk.request}
    types |= {SCORE: Type("int", low=card.lowest, high=card.highest), AMOUNT: Type("money", low=1, high=perk.most)}
    conditions = [*stage.values(), *hold_stage(perk).values()]
    steering = search.steering(conditions, types)
    amounts, scores = _amounts(perk, conditions), _scores(program, conditions)
    declining = {k.id for k in perk.knockouts if k.unknown_declines}
    for draw in range(MAX_DRAWS):
        is_plain, pick = draw < MAX_DRAWS // 2, search.chooser.choice
        values: MutableValues = {**search.base, AS_OF: search.day}
        values[SCORE] = pick(scores if is_plain else near(scores, card.lowest, card.highest))
        values[AMOUNT] = pick(amounts if is_plain else near(amounts, 1, perk.most))
        for id_, status in _surroundings(search, perk) if is_plain else ():
            if status or id_ in declining or truth(stage[id_], values):  # where unknown does no harm, we leave it
                steering.steer(stage[id_], status, values)
        steering.steer(stage[branch.id], search.status, values)
        score, amount = values[SCORE], values[AMOUNT]
        if score is None or amount is None or branch not in _perk_branches(perk, values, int(amount)):
            continue
        if not is_plain or _matters(branch, perk, values, int(amount)):
            del values[SCORE], values[AMOUNT]
            yield CaseDraft(branch, search.day, values, perk, int(score), int(amount))


def _surroundings(search: _BranchSearch, perk: Perk) -> Iterator[tuple[str, bool]]:
    """The other conditions of the perk, with statuses at which the branch matters, in a random order.

    No other knock-out declines. A tier waives: the one of the branch, without those before it, or any.
    """
    branch, sample, tiers = search.branch, search.chooser.sample, [t.id for t in perk.tiers]
    first = tiers.index(branch.id) if branch.id in tiers else search.chooser.randrange(len(tiers))
    goals = [(k.id, False) for k in perk.knockouts if k.id != branch.id] + [(id_, False) for id_ in tiers[:first]]
    if branch.kind == "knock-out":
        goals.append((tiers[first], True))
    yield from sample(goals, len(goals))


def _matters(branch: RuleBranch, perk: Perk, values: Values, amount: int) -> bool:
    """Whether a knock-out decides: without it, a tier would waive. Every tier that waives decides."""
    if branch.kind != "knock-out":
        return True
    statuses = {**_perk_statuses(perk, values), branch.id: False}
    return perk_outcome(perk, statuses, amount).waived > 0


def _perk_branches(perk: Perk, values: Values, amount: int) -> tuple[RuleBranch, ...]:
    """The branches that a first question about the perk tries."""
    return tuple(perk_branches(perk, _perk_statuses(perk, values), first_outcome(perk, values, amount).tier))


def first_outcome(perk: Perk, values: Values, amount: int) -> PerkOutcome:
    """The outcome for a person who asks first. `values` include the score and the amount."""
    remaining = [cap.waived for cap in perk.all_caps] if perk.hold else []
    return perk_outcome(perk, _perk_statuses(perk, values), amount, remaining)


def _perk_statuses(perk: Perk, values: Values) -> Statuses:
    is_held = perk_is_held(perk.hold, evaluate(hold_stage(perk), values), None) if perk.hold else None
    return evaluate(perk_stage(perk), {**values, PERK_HELD: is_held})


def _with_grant(node: Truth, perk: Perk) -> Truth:
    """The condition with the grant of the hold in place of `held`: a person who asks first holds the perk if we grant it."""
    match node:
        case Flag(name) if name == PERK_HELD and perk.hold:
            return perk.hold.grant_condition
        case And(parts):
            return And(tuple(_with_grant(part, perk) for part in parts))
        case Or(parts):
            return Or(tuple(_with_grant(part, perk) for part in parts))
        case Not(part):
            return Not(_with_grant(part, perk))
        case _:
            return node


def _amounts(perk: Perk, conditions: list[Truth]) -> list[int]:
    """Deposits at which a waiver can turn."""
    turns = [int(v) for v in compared_constants(conditions).get(AMOUNT, set())]
    turns += [t.up_to or 10 ** (perk.digits + 2) for t in perk.tiers]
    return sorted({n for n in turns if 1 <= n <= perk.most} or {1})


def _scores(program: Program, conditions: list[Truth]) -> list[int]:
    """Scores at the beginning of a band, or that a condition names."""
    card = program.scorecard
    constants = [int(v) for v in compared_constants(conditions).get(SCORE, set())]
    return sorted({n for n in (*constants, *(b.lowest for b in card.bands)) if card.lowest <= n <= card.highest})


def _order_cases(search: _BranchSearch) -> Iterator[CaseDraft]:
    """Cases with the event of the line. For what must happen, everything before it must not."""
    orders = search.program.orders
    assert orders  # noqa: S101 - they have the branch
    types = {name: a.type for name, a in schema_of(orders.states, orders.events).items()}
    stage = search.program.stages[ORDERS_STAGE]
    steering = search.steering([*stage.values()], types)
    order = [*stage]
    earlier = order[: order.index(search.branch.id)] if search.branch.result == "met" else []
    for draw in range(MAX_DRAWS):
        values: MutableValues = {AS_OF: search.day}
        values |= {name: search.chooser.choice(types[name].values) for name in (ORDER_STATE, EVENT_KIND)}
        if draw < MAX_DRAWS // 2 and search.branch.kind == "refusal":  # a state in which the event can happen
            steering.steer(search.chooser.choice(orders.moves).when, True, values)
            if truth(_first_part(search.condition), values) is not True:
                continue
        _steer_line(steering, search.condition, search.status, values)
        for id_ in search.chooser.sample(earlier, len(earlier)):
            steering.steer(stage[id_], False, values)
        if any(values.get(name) is not None for name in _amount_names(orders)):
            values[ORDER_CURRENCY] = values.get(ORDER_CURRENCY) or search.program.perks[0].currency
        statuses = evaluate(stage, values)
        if search.branch in order_branches(orders, statuses, transition_from(orders, statuses)):
            yield CaseDraft(search.branch, search.day, values, is_order=True)


def _first_part(condition: Truth) -> Truth:
    """Of a refusal: that the event is one of its own."""
    return condition.parts[0] if isinstance(condition, And) else condition


def _steer_line(steering: Steering, condition: Truth, status: bool | None, values: MutableValues) -> None:
    """The condition of a refusal or move begins with the event and the state: those are met also where the rest is not."""
    if isinstance(condition, And):
        for part in condition.parts[:-1]:
            steering.steer(part, True, values)
        steering.steer(condition.parts[-1], status, values)
    steering.steer(condition, status, values)


def _amount_names(orders: OrderLifecycle) -> tuple[str, ...]:
    """The amounts of an order."""
    schema = schema_of(orders.states, orders.events)
    return tuple(name for name, a in schema.items() if a.currency)


def _flag_cases(search: _BranchSearch) -> Iterator[CaseDraft]:
    pattern = next(p for p in search.program.watch if p.id == search.branch.id)
    raised = search.branch.result == "met"
    for events in flag_events(search.program, search.kinds, pattern, search.day, search.chooser, raised=raised):
        values: dict[str, Value | None] = {**search.base, AS_OF: search.day}
        yield CaseDraft(search.branch, search.day, values, events=events)


_FINDERS: Final[Mapping[str, Callable[[_BranchSearch], Iterator[CaseDraft]]]] = {
    "scorable": _score_cases,
    "rule": _score_cases,
    "bin": _score_cases,
    "knock-out": _perk_cases,
    "tier": _perk_cases,
    "flag": _flag_cases,
    "refusal": _order_cases,
    "move": _order_cases,
}
