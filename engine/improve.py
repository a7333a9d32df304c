"""Improve: the least that a person could change for a higher score.

A step betters one feature, to a value at which a bin or a condition of the scorecard turns. Of all plans of at most `MOST`
steps that reach the target, the one is given with the fewest steps; of these with the least effort (of a feature, for each
turn on the way); of these with the greatest gain. Exact over these values: points add up but for rules that read several
features, so features that share a rule make one group whose plans are all looked at, and groups are joined by dynamic
programming. What is told is what the engine then says of the values, not the sum.

Cost: for a group of g features with t turns each the sum over k <= MOST of C(g, k) t^k, then groups x plans^2.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

from engine.decide import Engine, assess, fitting
from engine.errors import EngineError
from engine.lang.program import HELD, SCORE, Characteristic, Perk, PointRule, Program, Scorecard, Tier
from engine.lang.reference import number, truth
from engine.lang.truths import AS_OF, And, Cmp, Int, Not, Or, Truth, Values, names
from engine.lang.types import Value
from engine.scorecard import Scored, clamped, points

MOST: Final = 4  # steps
_UNMET: Final[frozenset[bool | None]] = frozenset({False, None})
_STOPS: Final[frozenset[bool | None]] = frozenset({True})


@dataclass(frozen=True)
class Change:
    """What a person can do about a feature: better it upwards or downwards, at some effort for each turn."""

    up: bool
    effort: int


@dataclass(frozen=True)
class Step:
    """One feature from what it is (None: missing) to what it would have to be; `items` of the scorecard that read it."""

    feature: str
    before: Value | None
    after: int
    up: bool
    items: tuple[str, ...]


@dataclass(frozen=True)
class Improved:
    """The best plan: `scored` is what the engine says of it. Where it does not reach the target nothing of so few steps does,
    and it is the plan that comes nearest.
    """

    target: int
    reached: bool
    steps: tuple[Step, ...]
    effort: int
    scored: Scored


@dataclass(frozen=True)
class _Plan:
    steps: int
    effort: int
    gain: int
    values: tuple[tuple[str, int], ...]


_NOTHING: Final = _Plan(0, 0, 0, ())


@dataclass(frozen=True)
class _Person:
    """What is known of the person, and where each feature that they can change turns: value and effort, nearest first."""

    values: Values
    turns: Mapping[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True)
class Aim:
    """A tier of a perk: the score that it asks for, and what else it and the knock-outs ask of the person's own features.

    A condition holds when its status is not among `refused`. What a tier asks of a request is for the request to say.
    """

    score: int
    conditions: tuple[tuple[Truth, frozenset[bool | None]], ...] = ()


class _Asked:
    """A condition, asked of many plans. Values on the same side of everything that it compares them with are alike to it."""

    def __init__(self, when: Truth, person: _Person, refused: frozenset[bool | None] = _UNMET) -> None:
        self.when, self.values, self.refused = when, person.values, refused
        atoms = set(_atoms(when))
        self.same = {f: _alike(atoms, person, f) for f in person.turns if f in set(names(when))}
        self.found: dict[tuple[object, ...], bool | None] = {}

    def __call__(self, moved: Mapping[str, int]) -> bool | None:
        key = tuple(same[moved[f]] if f in moved else None for f, same in self.same.items())
        if key not in self.found:
            self.found[key] = truth(self.when, {**self.values, **moved})
        return self.found[key]

    def holds(self, moved: Mapping[str, int]) -> bool:
        """Whether a plan may leave the condition so."""
        return self(moved) not in self.refused


def _alike(atoms: Iterable[Cmp], person: _Person, feature: str) -> dict[int, object]:
    """What stands for each of a feature's turns: its sides, or itself where it is compared together with others."""
    own = [a for a in atoms if feature in set(names(a))]
    together = any(set(names(a)) != {feature} for a in own)
    sides = {at: tuple(_side(a, person.values, feature, at) for a in own) for at, _ in person.turns[feature]}
    return {at: at if together else side for at, side in sides.items()}


def improve(
    engine: Engine, values: Values, day: int, changes: Mapping[str, Change], target: int | Aim | None = None
) -> Improved:
    """The least that leads to the target; None: to any score, for who has none, else to the next band (the highest score in the
    last one). Raises EngineError when the engine does not say the same as the search.

    Where no plan holds the conditions of an aim, the one to its score alone is told, as not reached.
    """
    program = engine.program
    card, known = program.scorecard, fitting(program, values) | {AS_OF: day}
    now = assess(engine, values, day)
    aim = target if isinstance(target, Aim) else Aim(next_band(card, now.score) if target is None else target)
    reads = program.scored_by | {name for when, _ in aim.conditions for name in names(when)}
    may = {f: c for f, c in changes.items() if f in reads and f in program.schema and program.schema[f].type.numeric}
    asked = (*_conditions(card), *(when for when, _ in aim.conditions))
    person = _Person(known, {f: tuple(_turns(program, asked, known, f, c)) for f, c in sorted(may.items())})
    clear = tuple(_Asked(when, person, refused) for when, refused in aim.conditions)
    total = _total(card, known)
    need = aim.score - total if aim.score > card.lowest else None
    for binding in (now.score is None, True):  # what keeps a score is in the way of a plan only in odd rules
        scorable = (_Asked(card.scorable, person),) if binding else ()
        plan = _found(card, person, (*scorable, *clear), need) or _found(card, person, scorable, need) or _NOTHING
        after = assess(engine, {**values, **dict(plan.values)}, day)
        if after.score is not None or binding:
            break
    if after.score is not None and after.score != clamped(card, total + plan.gain):
        raise EngineError("the engine does not say of a plan what the search says", where="raise")
    steps = tuple(_step(program, values, f, v, changes[f]) for f, v in plan.values)
    held = all(condition.holds(dict(plan.values)) for condition in clear)
    return Improved(aim.score, held and after.score is not None and after.score >= aim.score, steps, plan.effort, after)


def next_band(card: Scorecard, score: int | None) -> int:
    """The lowest score of the band above; any score for who has none; the highest of all in the last band."""
    if score is None:
        return card.lowest
    return next((b.lowest for b in card.bands if b.lowest > score), card.highest)


def aim_at(program: Program, perk: Perk, values: Values, score: int | None, day: int) -> Aim:
    """What to aim at for a perk: its nearest tier that is better than the one that the person has, past every knock-out; the
    tier itself for whoever has the best, or is kept from all by a knock-out alone.
    """
    card, seen = program.scorecard, {**values, AS_OF: day}
    own = set(program.schema)
    stops = [(k.when, _STOPS | {None} if k.unknown_declines else _STOPS) for k in perk.knockouts]
    stops = [(when, refused) for when, refused in stops if set(names(when)) <= own | {AS_OF}]
    tiers = [_tier(perk, tier, own, card) for tier in perk.tiers]
    have = card.lowest - 1 if score is None else score
    met = [have >= at and all(truth(when, seen) for when in others) for at, others in tiers]
    stopped = any(truth(when, seen) in refused for when, refused in stops)
    better = tiers if stopped or True not in met else tiers[: met.index(True)]
    at, others = min(better or tiers[:1] or [(card.lowest, ())], key=lambda tier: tier[0])
    return Aim(at, (*stops, *((when, _UNMET) for when in others)))


def _tier(perk: Perk, tier: Tier, own: set[str], card: Scorecard) -> tuple[int, tuple[Truth, ...]]:
    """The score that a tier asks for, and what it asks of features; of one for whoever holds the perk, what being granted it asks."""
    whens = [tier.when, *([perk.hold.granted] if perk.hold and HELD in set(names(tier.when)) else [])]
    parts = [part for when in whens for part in (when.parts if isinstance(when, And) else (when,))]
    named = [
        atom.right.value + (atom.op == ">")
        for part in parts
        for atom in _atoms(part)
        if SCORE in names(atom.left) and atom.op in (">=", ">") and isinstance(atom.right, Int)
    ]
    others = tuple(part for part in parts if set(names(part)) <= own | {AS_OF} and set(names(part)) - {AS_OF})
    return max(named, default=card.lowest), others


def _step(program: Program, values: Values, feature: str, after: int, change: Change) -> Step:
    items = tuple(i.id for i in program.scorecard.items if feature in _reads(i))
    return Step(feature, values.get(feature), after, change.up, items)


def _turns(
    program: Program, asked: Iterable[Truth], values: Values, feature: str, change: Change
) -> Iterator[tuple[int, int]]:
    """Where something turns as the feature alone is bettered from what it is; from its worst where it is missing, which is a
    turn of its own.
    """
    type_ = program.schema[feature].type
    best, worst = (type_.high, type_.low) if change.up else (type_.low, type_.high)
    have = values.get(feature)
    start = worst if have is None else int(have)
    seen = {**values, feature: start}
    found = {start} if have is None else set()
    for atom in dict.fromkeys(a for t in asked for a in _atoms(t) if feature in set(names(a))):
        found |= set(_flips(atom, seen, feature, start, best))
    for n, at in enumerate(sorted(found, reverse=not change.up), 1):
        yield at, n * change.effort


def _flips(atom: Cmp, values: Values, feature: str, start: int, best: int) -> Iterator[int]:
    """The first values on the way to the best at which the two sides come to compare differently: at most two, since a side
    that is linear in the feature passes the other once. Bisection.
    """
    at = start
    while (side := _side(atom, values, feature, at)) != _side(atom, values, feature, best):
        near, far = at, best
        while abs(far - near) > 1:
            middle = (near + far) // 2
            near, far = (middle, far) if _side(atom, values, feature, middle) == side else (near, middle)
        yield far
        at = far


def _side(atom: Cmp, values: Values, feature: str, at: int) -> int | None:
    seen = {**values, feature: at}
    left, right = number(atom.left, seen), number(atom.right, seen)
    return None if left is None or right is None else (left > right) - (left < right)


def _atoms(node: Truth) -> Iterator[Cmp]:
    match node:
        case Cmp():
            yield node
        case And(parts) | Or(parts):
            for part in parts:
                yield from _atoms(part)
        case Not(part):
            yield from _atoms(part)


def _conditions(card: Scorecard) -> Iterator[Truth]:
    yield card.scorable
    for item in card.items:
        yield from item.bins() if isinstance(item, Characteristic) else (item.when,)


def _reads(item: Characteristic | PointRule) -> frozenset[str]:
    return frozenset({item.feature} if isinstance(item, Characteristic) else names(item.when))


def _points(item: Characteristic | PointRule, values: Values) -> int:
    if isinstance(item, PointRule):
        return points(item, truth(item.when, values))
    have = values.get(item.feature)
    return item.missing if have is None else item.points[sum(c <= int(have) for c in item.cuts)]


def _total(card: Scorecard, values: Values) -> int:
    return card.base + sum(_points(item, values) for item in card.items)


def _found(card: Scorecard, person: _Person, binding: tuple[_Asked, ...], need: int | None) -> _Plan | None:
    """Fewest steps, then least effort, then most gain of the plans that gain what is needed; else the one of most gain; None where
    no plan holds what is `binding`.
    """
    plans: list[_Plan] = []
    for most in range(MOST + 1):  # where few steps do, plans of many are not looked at
        plans = _joined(card, person, binding, most)
        enough = [p for p in plans if need is None or p.gain >= need]
        if enough:
            return min(enough, key=lambda p: (p.steps, p.effort, -p.gain))
    return min(plans, key=lambda p: (-p.gain, p.steps, p.effort), default=None)


def _joined(card: Scorecard, person: _Person, binding: tuple[_Asked, ...], most: int) -> list[_Plan]:
    """The best plan of each number of steps and effort, of those that hold what is `binding`: that there is a score, an aim's
    conditions.
    """
    plans = {(0, 0): _Plan(0, 0, 0, ())}
    if any(not asked.same and not asked.holds({}) for asked in binding):
        return []
    for group in _groups(card, person.turns, [set(asked.same) for asked in binding]):
        own = list(_plans(card, person, group, [a for a in binding if set(a.same) & set(group)], most))
        both = (_both(a, b) for a in plans.values() for b in own if a.steps + b.steps <= most)
        plans = _kept(both)
    return list(plans.values())


def _groups(card: Scorecard, turns: Mapping[str, object], bound: list[set[str]]) -> list[tuple[str, ...]]:
    """The features in groups such that no rule, and nothing that binds, reads of two groups."""
    groups = [{f} for f in turns]
    for tied in [*bound, *(set(names(i.when)) for i in card.items if isinstance(i, PointRule))]:
        apart, together = [g for g in groups if not g & tied], [g for g in groups if g & tied]
        groups = [*apart, set().union(*together)] if together else apart
    return sorted(tuple(sorted(g)) for g in groups)


def _plans(
    card: Scorecard, person: _Person, group: tuple[str, ...], binding: list[_Asked], most: int
) -> Iterable[_Plan]:
    """The best plan within a group for each number of steps and effort, the one of no step among them."""
    items = [i for i in card.items if _reads(i) & set(group)]
    single = {f: [i for i in items if _reads(i) == {f}] for f in group}
    gain = {
        (f, at): sum(_points(i, {**person.values, f: at}) - _points(i, person.values) for i in single[f])
        for f in group
        for at, _ in person.turns[f]
    }
    several = [(i, _Asked(i.when, person)) for i in items if isinstance(i, PointRule) and len(_reads(i)) > 1]
    before = sum(points(i, asked({})) for i, asked in several)

    def every() -> Iterator[_Plan]:
        for k in range(min(most, len(group)) + 1):
            for chosen in combinations(group, k):
                for turned in product(*(person.turns[f] for f in chosen)):
                    moved = {f: at for f, (at, _) in zip(chosen, turned, strict=True)}
                    if any(not asked.holds(moved) for asked in binding):
                        continue
                    more = sum(points(i, asked(moved)) for i, asked in several) - before
                    total = more + sum(gain[m] for m in moved.items())
                    yield _Plan(k, sum(e for _, e in turned), total, tuple(moved.items()))

    return _kept(every()).values()


def _both(a: _Plan, b: _Plan) -> _Plan:
    return _Plan(a.steps + b.steps, a.effort + b.effort, a.gain + b.gain, a.values + b.values)


def _kept(plans: Iterable[_Plan]) -> dict[tuple[int, int], _Plan]:
    """Of each number of steps and effort the one that gains most; the first of equals."""
    best: dict[tuple[int, int], _Plan] = {}
    for plan in plans:
        known = best.get((plan.steps, plan.effort))
        if known is None or plan.gain > known.gain:
            best[plan.steps, plan.effort] = plan
    return best
