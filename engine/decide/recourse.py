"""Find counterfactual recourse: the smallest changes by which a person would reach a higher score.

A step improves one feature, to a value at which a bin or a condition of the scorecard turns. We consider plans of at
most `MAX_STEPS` steps that reach the target. We return the plan with the fewest steps; of these the one with the least
effort (a feature's effort for each turn on the way); of these the one with the greatest gain.

The search is exact over these values. Points add up, except for rules that read several features. So features with a
common rule form a group; we try all plans of a group, and combine groups by dynamic programming. We report the score
that the engine gives for the changed values, not the sum.

Cost: for a group of g features with t turns each the sum over k <= MAX_STEPS of C(g, k) t^k, then groups x plans^2.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

from engine.decide.decide import Evaluator, assess, validate_values
from engine.decide.scorecard import ScoreResult, clamp, points
from engine.errors import EngineError
from engine.lang.engines.reference import number, truth
from engine.lang.model.conditions import AS_OF, And, Cmp, Int, Truth, Values, leaves, names
from engine.lang.model.program import PERK_HELD, SCORE, Characteristic, Perk, PointRule, Program, Scorecard, Tier
from engine.lang.model.types import Value

MAX_STEPS: Final = 4  # of a plan
_UNMET_STATUSES: Final[frozenset[bool | None]] = frozenset({False, None})
_MET_STATUSES: Final[frozenset[bool | None]] = frozenset({True})


@dataclass(frozen=True)
class Change:
    """A way to change a feature: improve it upwards or downwards, with an effort for each turn."""

    up: bool
    effort: int


@dataclass(frozen=True)
class FeatureStep:
    """A change of one feature from its value (None: missing) to a better one. `items` of the scorecard read it."""

    feature: str
    before: Value | None
    after: int
    up: bool
    items: tuple[str, ...]


@dataclass(frozen=True)
class RecoursePlan:
    """The best plan. `scored` is the engine's result for it.

    If it does not reach the target, no plan of at most `MAX_STEPS` steps does, and this one comes nearest.
    """

    target: int
    reached: bool
    steps: tuple[FeatureStep, ...]
    effort: int
    scored: ScoreResult


@dataclass(frozen=True)
class _CandidatePlan:
    steps: int
    effort: int
    gain: int
    values: tuple[tuple[str, int], ...]


_EMPTY_PLAN: Final = _CandidatePlan(0, 0, 0, ())


@dataclass(frozen=True)
class _RecourseSubject:
    """The person's values, and the turning points of each changeable feature: value and effort, nearest first."""

    values: Values
    turns: Mapping[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True)
class Aim:
    """A tier of a perk as the aim of a plan.

    It has the minimum score, and the conditions of the tier and the knock-outs on the person's own features. A
    condition holds unless its status is among the failing ones beside it. We leave out conditions on the request.
    """

    score: int
    conditions: tuple[tuple[Truth, frozenset[bool | None]], ...] = ()


class _CachedCondition:
    """A condition that we evaluate for many plans.

    We evaluate it once for all values that are on the same side of everything that it compares them with.
    """

    def __init__(
        self, when: Truth, person: _RecourseSubject, failing: frozenset[bool | None] = _UNMET_STATUSES
    ) -> None:
        self.when, self.values, self.failing = when, person.values, failing
        atoms = set(_atoms(when))
        self.equivalents = {f: _equivalent_turns(atoms, person, f) for f in person.turns if f in set(names(when))}
        self.cache: dict[tuple[object, ...], bool | None] = {}

    def __call__(self, changes: Mapping[str, int]) -> bool | None:
        key = tuple(equivalent[changes[f]] if f in changes else None for f, equivalent in self.equivalents.items())
        if key not in self.cache:
            self.cache[key] = truth(self.when, {**self.values, **changes})
        return self.cache[key]

    def holds(self, changes: Mapping[str, int]) -> bool:
        """Whether a plan can leave the condition in this state."""
        return self(changes) not in self.failing


def _equivalent_turns(atoms: Iterable[Cmp], person: _RecourseSubject, feature: str) -> dict[int, object]:
    """The cache key of each turning point of a feature.

    The key is the sides of the comparisons. It is the value itself if the condition compares the feature together with
    others.
    """
    atoms_of_feature = [a for a in atoms if feature in set(names(a))]
    compared_jointly = any(set(names(a)) != {feature} for a in atoms_of_feature)
    sides = {
        at: tuple(_side(a, person.values, feature, at) for a in atoms_of_feature) for at, _ in person.turns[feature]
    }
    return {at: at if compared_jointly else side for at, side in sides.items()}


def recourse(
    evaluator: Evaluator, values: Values, day: int, changes: Mapping[str, Change], target: int | Aim | None = None
) -> RecoursePlan:
    """Find the best plan to reach the target.

    Without a target, we aim at any score for a person without one, otherwise at the next band (in the last band, the
    highest score). If no plan meets the conditions of an aim, we return the best plan for its score alone, as not
    reached. Raises EngineError if the engine's result differs from the search.
    """
    program, card = evaluator.program, evaluator.program.scorecard
    current = assess(evaluator, values, day)
    aim = target if isinstance(target, Aim) else Aim(next_band(card, current.score) if target is None else target)
    person = _recourse_subject(program, validate_values(program, values) | {AS_OF: day}, changes, aim)
    required = tuple(_CachedCondition(when, person, failing) for when, failing in aim.conditions)
    total = _total(card, person.values)
    min_gain = aim.score - total if aim.score > card.lowest else None
    for binding in (current.score is None, True):  # only in unusual rules does keeping a score prevent a plan
        plan = _search(card, person, required, min_gain, keep_score=binding)
        result = assess(evaluator, {**values, **dict(plan.values)}, day)
        if result.score is not None or binding:
            break
    if result.score is not None and result.score != clamp(card, total + plan.gain):
        raise EngineError("the engine's score of a plan differs from the search", where="recourse")
    steps = tuple(_feature_step(program, values, f, v, changes[f]) for f, v in plan.values)
    conditions_hold = all(condition.holds(dict(plan.values)) for condition in required)
    reached = conditions_hold and result.score is not None and result.score >= aim.score
    return RecoursePlan(aim.score, reached, steps, plan.effort, result)


def _recourse_subject(program: Program, inputs: Values, changes: Mapping[str, Change], aim: Aim) -> _RecourseSubject:
    """The person, with the turning points of those features that can be changed and that matter for the aim."""
    reads = program.scorecard_reads | {name for when, _ in aim.conditions for name in names(when)}
    features = sorted(f for f in changes if f in reads and f in program.schema and program.schema[f].type.numeric)
    conditions = (*_conditions(program.scorecard), *(when for when, _ in aim.conditions))
    turns = {f: tuple(_turning_points(program, conditions, inputs, f, changes[f])) for f in features}
    return _RecourseSubject(inputs, turns)


def _search(
    card: Scorecard,
    person: _RecourseSubject,
    required: tuple[_CachedCondition, ...],
    min_gain: int | None,
    *,
    keep_score: bool,
) -> _CandidatePlan:
    """The best plan that meets the required conditions; else the best one without them; else the empty plan."""
    scorable = (_CachedCondition(card.scorable, person),) if keep_score else ()
    plan = _best_plan(card, person, (*scorable, *required), min_gain) or _best_plan(card, person, scorable, min_gain)
    return plan or _EMPTY_PLAN


def next_band(card: Scorecard, score: int | None) -> int:
    """The lowest score of the next band.

    For a person without a score, the lowest score of all; in the last band, the highest score of all.
    """
    if score is None:
        return card.lowest
    return next((b.lowest for b in card.bands if b.lowest > score), card.highest)


def aim_for_perk(program: Program, perk: Perk, values: Values, score: int | None, day: int) -> Aim:
    """The aim for a perk: the nearest tier that is better than the person's current one, past every knock-out.

    For a person in the best tier, or one kept from every tier only by a knock-out, the aim is the tier itself.
    """
    card, inputs = program.scorecard, {**values, AS_OF: day}
    own = set(program.schema)
    stops = [(k.when, _MET_STATUSES | {None} if k.unknown_declines else _MET_STATUSES) for k in perk.knockouts]
    stops = [(when, refused) for when, refused in stops if set(names(when)) <= own | {AS_OF}]
    tiers = [_tier_requirements(perk, tier, own, card) for tier in perk.tiers]
    current_score = card.lowest - 1 if score is None else score
    met = [
        current_score >= min_score and all(truth(when, inputs) for when in conditions)
        for min_score, conditions in tiers
    ]
    stopped = any(truth(when, inputs) in refused for when, refused in stops)
    better = tiers if stopped or True not in met else tiers[: met.index(True)]
    min_score, conditions = min(better or tiers[:1] or [(card.lowest, ())], key=lambda tier: tier[0])
    return Aim(min_score, (*stops, *((when, _UNMET_STATUSES) for when in conditions)))


def _tier_requirements(perk: Perk, tier: Tier, own: set[str], card: Scorecard) -> tuple[int, tuple[Truth, ...]]:
    """The minimum score of a tier, and its conditions on features.

    If it requires `held`, also the condition that grants it.
    """
    requirements = [
        tier.when,
        *([perk.hold.grant_condition] if perk.hold and PERK_HELD in set(names(tier.when)) else []),
    ]
    parts = [part for when in requirements for part in (when.parts if isinstance(when, And) else (when,))]
    scores = [
        atom.right.value + (atom.op == ">")
        for part in parts
        for atom in _atoms(part)
        if SCORE in names(atom.left) and atom.op in (">=", ">") and isinstance(atom.right, Int)
    ]
    conditions = tuple(part for part in parts if set(names(part)) <= own | {AS_OF} and set(names(part)) - {AS_OF})
    return max(scores, default=card.lowest), conditions


def _feature_step(program: Program, values: Values, feature: str, after: int, change: Change) -> FeatureStep:
    items = tuple(i.id for i in program.scorecard.items if feature in _reads(i))
    return FeatureStep(feature, values.get(feature), after, change.up, items)


def _turning_points(
    program: Program, conditions: Iterable[Truth], values: Values, feature: str, change: Change
) -> Iterator[tuple[int, int]]:
    """The values at which some condition turns as the feature improves, with the effort to reach each.

    We start from the current value. If it is missing, we start from the worst value, which is a turning point itself.
    """
    type_ = program.schema[feature].type
    best, worst = (type_.high, type_.low) if change.up else (type_.low, type_.high)
    current_value = values.get(feature)
    start = worst if current_value is None else int(current_value)
    inputs = {**values, feature: start}
    turning_points = {start} if current_value is None else set()
    for atom in dict.fromkeys(a for t in conditions for a in _atoms(t) if feature in set(names(a))):
        turning_points |= set(_flips(atom, inputs, feature, start, best))
    for n, at in enumerate(sorted(turning_points, reverse=not change.up), 1):
        yield at, n * change.effort


def _flips(atom: Cmp, values: Values, feature: str, start: int, best: int) -> Iterator[int]:
    """The first values on the way to the best at which the comparison of the two sides changes.

    There are at most two, because a side that is linear in the feature passes the other once. By bisection.
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
    inputs = {**values, feature: at}
    left, right = number(atom.left, inputs), number(atom.right, inputs)
    return None if left is None or right is None else (left > right) - (left < right)


def _atoms(node: Truth) -> Iterator[Cmp]:
    return (leaf for leaf in leaves(node) if isinstance(leaf, Cmp))


def _conditions(card: Scorecard) -> Iterator[Truth]:
    yield card.scorable
    for item in card.items:
        yield from item.bins() if isinstance(item, Characteristic) else (item.when,)


def _reads(item: Characteristic | PointRule) -> frozenset[str]:
    return frozenset({item.feature} if isinstance(item, Characteristic) else names(item.when))


def _points(item: Characteristic | PointRule, values: Values) -> int:
    if isinstance(item, PointRule):
        return points(item, truth(item.when, values))
    value = values.get(item.feature)
    return item.missing if value is None else item.points[sum(c <= int(value) for c in item.cuts)]


def _total(card: Scorecard, values: Values) -> int:
    return card.base + sum(_points(item, values) for item in card.items)


def _best_plan(
    card: Scorecard, person: _RecourseSubject, binding: tuple[_CachedCondition, ...], min_gain: int | None
) -> _CandidatePlan | None:
    """The best plan that gains enough: fewest steps, then least effort, then most gain.

    If none gains enough, the plan with the most gain. None if no plan meets the `binding` conditions.
    """
    plans: list[_CandidatePlan] = []
    for max_steps in range(MAX_STEPS + 1):  # if few steps are enough, we skip longer plans
        plans = _combine_groups(card, person, binding, max_steps)
        enough = [p for p in plans if min_gain is None or p.gain >= min_gain]
        if enough:
            return min(enough, key=lambda p: (p.steps, p.effort, -p.gain))
    return min(plans, key=lambda p: (-p.gain, p.steps, p.effort), default=None)


def _combine_groups(
    card: Scorecard, person: _RecourseSubject, binding: tuple[_CachedCondition, ...], max_steps: int
) -> list[_CandidatePlan]:
    """The best plan for each number of steps and effort, among those that meet the `binding` conditions.

    Binding conditions are that the person has a score, and the conditions of an aim.
    """
    plans = {(0, 0): _CandidatePlan(0, 0, 0, ())}
    if any(not condition.equivalents and not condition.holds({}) for condition in binding):
        return []
    for group in _groups(card, person.turns, [set(condition.equivalents) for condition in binding]):
        group_plans = list(
            _plans(card, person, group, [a for a in binding if set(a.equivalents) & set(group)], max_steps)
        )
        combined = (_merge(a, b) for a in plans.values() for b in group_plans if a.steps + b.steps <= max_steps)
        plans = _best_by_cost(combined)
    return list(plans.values())


def _groups(card: Scorecard, turns: Mapping[str, object], bound_features: list[set[str]]) -> list[tuple[str, ...]]:
    """Groups of features. No rule and no binding condition reads features of two groups."""
    groups = [{f} for f in turns]
    for linked in [*bound_features, *(set(names(i.when)) for i in card.items if isinstance(i, PointRule))]:
        disjoint, overlapping = [g for g in groups if not g & linked], [g for g in groups if g & linked]
        groups = [*disjoint, set().union(*overlapping)] if overlapping else disjoint
    return sorted(tuple(sorted(g)) for g in groups)


def _plans(
    card: Scorecard, person: _RecourseSubject, group: tuple[str, ...], binding: list[_CachedCondition], max_steps: int
) -> Iterable[_CandidatePlan]:
    """The best plan within a group for each number of steps and effort, including the empty plan."""
    items = [i for i in card.items if _reads(i) & set(group)]
    single_rules = {f: [i for i in items if _reads(i) == {f}] for f in group}
    gain = {
        (f, at): sum(_points(i, {**person.values, f: at}) - _points(i, person.values) for i in single_rules[f])
        for f in group
        for at, _ in person.turns[f]
    }
    joint_rules = [
        (i, _CachedCondition(i.when, person)) for i in items if isinstance(i, PointRule) and len(_reads(i)) > 1
    ]
    base_points = sum(points(i, condition({})) for i, condition in joint_rules)

    def candidates() -> Iterator[_CandidatePlan]:
        for k in range(min(max_steps, len(group)) + 1):
            for features in combinations(group, k):
                for targets in product(*(person.turns[f] for f in features)):
                    changes = {f: at for f, (at, _) in zip(features, targets, strict=True)}
                    if any(not condition.holds(changes) for condition in binding):
                        continue
                    joint_gain = sum(points(i, condition(changes)) for i, condition in joint_rules) - base_points
                    total = joint_gain + sum(gain[m] for m in changes.items())
                    yield _CandidatePlan(k, sum(e for _, e in targets), total, tuple(changes.items()))

    return _best_by_cost(candidates()).values()


def _merge(a: _CandidatePlan, b: _CandidatePlan) -> _CandidatePlan:
    return _CandidatePlan(a.steps + b.steps, a.effort + b.effort, a.gain + b.gain, a.values + b.values)


def _best_by_cost(plans: Iterable[_CandidatePlan]) -> dict[tuple[int, int], _CandidatePlan]:
    """The plan with the most gain for each number of steps and effort; the first of equals."""
    best: dict[tuple[int, int], _CandidatePlan] = {}
    for plan in plans:
        incumbent = best.get((plan.steps, plan.effort))
        if incumbent is None or plan.gain > incumbent.gain:
            best[plan.steps, plan.effort] = plan
    return best
