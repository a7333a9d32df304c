"""Check recourse: never worse than the best plan of an exhaustive search, and as the engine confirms."""

from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iftah
from api.releases import rules_folder
from engine.decide.decide import ReferenceEvaluator, assess
from engine.decide.evaluators import Evaluators
from engine.decide.recourse import MAX_STEPS, Change, RecoursePlan, aim_for_perk, next_band, recourse
from engine.decide.scorecard import ScoreResult
from engine.lang.engines.reference import number
from engine.lang.model.conditions import And, Attr, Cmp, Int, Not, Op, Or, Truth
from engine.lang.model.program import Band, Characteristic, PointRule, Program, Scorecard
from engine.lang.model.types import Attribute, Type
from tests.effort import by_effort
from tests.paths import RULES

DAY = 20_000
HIGH = 4
NAMES = ("a", "b", "c", "d", "e")
SCHEMA = {f"f.{n}": Attribute(f"f.{n}", Type("int", low=0, high=HIGH), "credit") for n in NAMES}
FEATURES = tuple(SCHEMA)

features = st.sampled_from(FEATURES)
numbers = st.one_of(features.map(Attr), st.builds(Op, st.just("+"), features.map(Attr), features.map(Attr)))
comparisons = st.builds(
    Cmp, st.sampled_from(("<", "<=", ">", ">=", "==", "!=")), numbers, st.integers(0, HIGH + 1).map(Int)
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(And, st.tuples(inner, inner)), st.builds(Or, st.tuples(inner, inner)), st.builds(Not, inner)
    ),
    max_leaves=3,
)
points = st.integers(-20, 20)


@st.composite
def characteristics(draw: st.DrawFn) -> Characteristic:
    cuts = sorted(draw(st.sets(st.integers(1, HIGH), min_size=1, max_size=3)))
    gains = tuple(draw(points) for _ in range(len(cuts) + 1))
    name = draw(features)
    return Characteristic(name, "credit", name, tuple(cuts), gains, draw(points), 20, "r")


@st.composite
def programs(draw: st.DrawFn) -> Program:
    measured = draw(st.lists(characteristics(), min_size=1, max_size=4, unique_by=lambda c: c.id))
    whens = draw(st.lists(conditions, max_size=2))
    rules = [PointRule(f"r{n}", "credit", when, draw(points), draw(points), 0, "r") for n, when in enumerate(whens)]
    scorable = draw(st.one_of(st.just(Cmp(">=", Int(1), Int(0))), conditions))
    bands = (Band("poor", 0), Band("fair", 40), Band("good", 80))
    card = Scorecard(0, 100, 30, scorable, "thin", bands, (), (*measured, *rules))
    return Program("r", None, SCHEMA, card, (), {}, (), frozenset())


people = st.fixed_dictionaries({}, optional=dict.fromkeys(FEATURES, st.integers(0, HIGH)))
changes = st.dictionaries(features, st.builds(Change, st.booleans(), st.integers(1, 4)), max_size=4)


def atoms(node: Truth) -> Iterator[Cmp]:
    if isinstance(node, Cmp):
        yield node
    for part in getattr(node, "parts", (getattr(node, "part", None),)):
        if part is not None:
            yield from atoms(part)


def turns(program: Program, values: Mapping[str, int], feature: str, up: bool) -> list[int]:
    """Each value, in order, at which a comparison changes from the value before."""
    path = list(range(HIGH + 1)) if up else list(range(HIGH, -1, -1))
    path = path[path.index(values[feature]) :] if feature in values else path
    whens = [program.scorecard.scorable]
    for item in program.scorecard.items:
        whens += item.bins() if isinstance(item, Characteristic) else [item.when]
    all_atoms = [a for when in whens for a in atoms(when)]

    def sides(value: int) -> list[int | None]:
        both = [(number(a.left, {**values, feature: value}), number(a.right, {})) for a in all_atoms]
        return [None if x is None or y is None else (x > y) - (x < y) for x, y in both]

    read = any(
        feature in (i.feature if isinstance(i, Characteristic) else repr(i.when)) for i in program.scorecard.items
    )
    if not read and feature not in repr(program.scorecard.scorable):
        return []
    first = [] if feature in values else path[:1]
    return first + [later for before, later in pairwise(path) if sides(before) != sides(later)]


def all_plans(
    program: Program, values: Mapping[str, int], changeable: Mapping[str, Change], target: int
) -> list[tuple[int, int, ScoreResult]]:
    """The steps, the effort and the result of every possible plan."""
    evaluator = ReferenceEvaluator(program)
    options = {
        f: [(v, n * c.effort) for n, v in enumerate(turns(program, values, f, c.up), 1)] for f, c in changeable.items()
    }
    plans = []
    for k in range(min(MAX_STEPS, len(options)) + 1):
        for chosen in combinations(sorted(options), k):
            for targets in product(*(options[f] for f in chosen)):
                changed = {**values, **{f: v for f, (v, _) in zip(chosen, targets, strict=True)}}
                plans.append((k, sum(e for _, e in targets), assess(evaluator, changed, DAY)))
    return plans


def total(program: Program, scored: ScoreResult) -> int:
    """The score before clamping."""
    return program.scorecard.base + sum(p.points for p in scored.parts)


@settings(max_examples=by_effort(40, 1500), deadline=None)
@given(programs(), people, changes, st.one_of(st.none(), st.integers(0, 100)))
def test_no_plan_is_shorter_easier_or_better_than_the_given_one(
    program: Program, values: dict[str, int], changeable: dict[str, Change], requested_target: int | None
) -> None:
    plan = recourse(ReferenceEvaluator(program), values, DAY, changeable, requested_target)
    now = assess(ReferenceEvaluator(program), values, DAY)
    target = next_band(program.scorecard, now.score) if requested_target is None else requested_target
    plans = [p for p in all_plans(program, values, changeable, target) if p[2].score is not None]
    enough = [p for p in plans if p[2].score is not None and p[2].score >= target]
    assert plan.target == target
    assert plan.reached == bool(enough)
    if enough:
        best = min((k, effort, -total(program, s)) for k, effort, s in enough)
        assert (len(plan.steps), plan.effort, -total(program, plan.scored)) == best
    elif plans:
        assert total(program, plan.scored) == max(total(program, s) for _, _, s in plans)
    else:
        assert (plan.steps, plan.scored.score) == ((), None)


@settings(max_examples=by_effort(25, 600), deadline=None)
@given(programs(), people, changes)
def test_the_plans_score_equals_the_engines_for_the_changed_values(
    program: Program, values: dict[str, int], changeable: dict[str, Change]
) -> None:
    plan = recourse(ReferenceEvaluator(program), values, DAY, changeable)
    changed_values = {**values, **{s.feature: s.after for s in plan.steps}}
    assert assess(ReferenceEvaluator(program), changed_values, DAY) == plan.scored
    for step in plan.steps:
        assert step.feature in changeable
        assert step.before == values.get(step.feature)
        if step.before is not None:
            assert step.after > int(step.before) if changeable[step.feature].up else step.after < int(step.before)


# The shipped rules
CHANGEABLE = {
    f.name: Change(f.direction == "higher is better", f.effort) for f in iftah.FEATURES if f.effort is not None
}
YOUNG_PERSON = {
    **{"identity.level": 1, "identity.tenure_days": 400, "behaviour.payments": 30, "behaviour.active_months": 5},
    **{"behaviour.payees": 4, "credit.kept": 3, "credit.missed": 0, "behaviour.recency_days": 60},
}


@pytest.fixture(scope="module")
def shipped() -> Iterator[Evaluators]:
    evaluators = Evaluators(rules_folder.load_folder(RULES))
    yield evaluators
    evaluators.close()


def plan_for(evaluators: Evaluators, values: Mapping[str, int], target: int | None = None) -> RecoursePlan:
    return recourse(evaluators.at(DAY), values, DAY, CHANGEABLE, target)


def test_one_sufficient_step_is_preferred_to_two_easier_ones(shipped: Evaluators) -> None:
    plan = plan_for(shipped, YOUNG_PERSON)
    assert [(s.feature, s.before, s.after, s.items) for s in plan.steps] == [("identity.level", 1, 3, ("level",))]
    assert (plan.target, plan.reached, plan.scored.score, plan.scored.band) == (600, True, 604, "good")


def test_a_person_without_a_score_gets_a_plan(shipped: Evaluators) -> None:
    plan = plan_for(shipped, YOUNG_PERSON | {"identity.level": 0})
    assert [(s.feature, s.after) for s in plan.steps] == [("identity.level", 1)]
    assert plan.scored.score == 574


def test_a_target_out_of_reach_gets_the_plan_that_comes_nearest(shipped: Evaluators) -> None:
    plan = plan_for(shipped, YOUNG_PERSON, 950)
    assert not plan.reached
    assert len(plan.steps) == MAX_STEPS
    assert (plan.scored.score or 0) > 650


def test_a_person_at_the_target_gets_an_empty_plan(shipped: Evaluators) -> None:
    plan = plan_for(shipped, YOUNG_PERSON, 500)
    assert (plan.reached, plan.steps, plan.effort) == (True, (), 0)


def test_a_rule_over_two_features_counts_once_both_have_come(shipped: Evaluators) -> None:
    """`steady_use` needs twelve months of payments and a recent one. One of the two alone does not give its ten points."""
    values = YOUNG_PERSON | {"behaviour.active_months": 9, "behaviour.recency_days": 50}
    only = {f: CHANGEABLE[f] for f in ("behaviour.active_months", "behaviour.recency_days")}
    now = assess(shipped.at(DAY), values, DAY).score or 0
    plan = recourse(shipped.at(DAY), values, DAY, only, now + 16)
    assert [(s.feature, s.after) for s in plan.steps] == [
        ("behaviour.active_months", 12),
        ("behaviour.recency_days", 30),
    ]
    assert plan.scored.score == now + 16


def test_no_advice_covers_fraud_past_events_or_data_of_others() -> None:
    for feature in iftah.FEATURES:
        if feature.dimension == "fraud" or feature.scope == "global":
            assert feature.effort is None, feature.name
        if feature.effort is not None:
            assert feature.direction != "none", feature.name
            assert 1 <= feature.effort <= 4
            assert feature.dimension != "relationships" or feature.direction == "higher is better"
    assert not {"credit.missed", "credit.written_off_5y", "credit.orders_late", "credit.longest_delay_days"} & set(
        CHANGEABLE
    )


CLEAN_RECORD = {
    "credit.written_off_5y": 0,
    "credit.missed_12m": 0,
    "watch.missed_thrice": False,
    "watch.overdue_twice": False,
}


def plan_for_perk(evaluators: Evaluators, perk: str, values: Mapping[str, int]) -> RecoursePlan:
    program = evaluators.release.at(DAY)
    perk_model, now = program.perk(perk), assess(evaluators.at(DAY), values, DAY).score
    assert perk_model
    return recourse(evaluators.at(DAY), values, DAY, CHANGEABLE, aim_for_perk(program, perk_model, values, now, DAY))


@pytest.mark.parametrize(
    ("perk", "score", "aimed"),
    [
        *[("car", None, 550), ("car", 549, 550), ("car", 550, 600), ("car", 799, 800), ("car", 800, 800)],
        *[("bicycle", 600, 640), ("bicycle", 700, 640)],  # `held` is granted from 640 on
        *[("hotel", 640, 650), ("apartment", 700, 750)],
    ],
)
def test_a_plan_for_a_perk_targets_its_nearest_better_tier(
    shipped: Evaluators, perk: str, score: int | None, aimed: int
) -> None:
    program = shipped.release.at(DAY)
    perk_model = program.perk(perk)
    assert perk_model
    assert (
        aim_for_perk(program, perk_model, YOUNG_PERSON | CLEAN_RECORD | {"identity.level": 3}, score, DAY).score
        == aimed
    )


def test_a_plan_for_a_hold_perk_targets_the_granting_score(shipped: Evaluators) -> None:
    plan = plan_for_perk(shipped, "bicycle", YOUNG_PERSON | CLEAN_RECORD)
    assert (plan.target, plan.reached) == (640, True)
    assert (plan.scored.score or 0) >= 640


def test_a_plan_for_a_perk_passes_its_knock_outs_too(shipped: Evaluators) -> None:
    """A car needs a document (level 2) at any score; a hotel does not."""
    values = YOUNG_PERSON | CLEAN_RECORD
    assert (assess(shipped.at(DAY), values, DAY).score or 0) >= 550  # the score of one of the car's tiers
    plan = plan_for_perk(shipped, "car", values)
    assert [(s.feature, s.before, s.after) for s in plan.steps] == [("identity.level", 1, 2)]
    assert (plan.target, plan.reached) == (550, True)


def test_an_unreachable_target_is_marked_as_not_reached(shipped: Evaluators) -> None:
    plan = plan_for_perk(shipped, "hotel", YOUNG_PERSON | CLEAN_RECORD | {"credit.written_off_5y": 1})
    assert (plan.target, plan.reached) == (600, False)


def test_a_person_with_the_best_tier_gets_an_empty_plan(shipped: Evaluators) -> None:
    plan = plan_for_perk(shipped, "power_bank", YOUNG_PERSON | CLEAN_RECORD)
    assert (plan.target, plan.reached, plan.steps) == (550, True, ())
