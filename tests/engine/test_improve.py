"""What would raise a score: never more steps, effort or less gain than trying everything finds, and what the engine says."""

from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graph
from api.releases import rules_folder
from engine.decide import Reference, assess
from engine.engines import Engines
from engine.improve import MOST, Change, Improved, aim_at, improve, next_band
from engine.lang.program import Band, Characteristic, PointRule, Program, Scorecard
from engine.lang.reference import number
from engine.lang.truths import And, Attr, Cmp, Int, Not, Op, Or, Truth
from engine.lang.types import Attribute, Type
from engine.scorecard import Scored
from tests.effort import pairs

DAY = 20_000
HIGH = 4
NAMES = ("a", "b", "c", "d", "e")
SCHEMA = {f"f.{n}": Attribute(f"f.{n}", Type("int", low=0, high=HIGH), "credit") for n in NAMES}
FEATURES = tuple(SCHEMA)
RULES = Path(__file__).resolve().parents[2] / "rules"

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
    """Every value, in turn, at which something compares differently than at the one before."""
    walk = list(range(HIGH + 1)) if up else list(range(HIGH, -1, -1))
    walk = walk[walk.index(values[feature]) :] if feature in values else walk
    whens = [program.scorecard.scorable]
    for item in program.scorecard.items:
        whens += item.bins() if isinstance(item, Characteristic) else [item.when]
    asked = [a for when in whens for a in atoms(when)]

    def sides(value: int) -> list[int | None]:
        both = [(number(a.left, {**values, feature: value}), number(a.right, {})) for a in asked]
        return [None if x is None or y is None else (x > y) - (x < y) for x, y in both]

    read = any(
        feature in (i.feature if isinstance(i, Characteristic) else repr(i.when)) for i in program.scorecard.items
    )
    if not read and feature not in repr(program.scorecard.scorable):
        return []
    first = [] if feature in values else walk[:1]
    return first + [later for before, later in pairwise(walk) if sides(before) != sides(later)]


def everything(
    program: Program, values: Mapping[str, int], may: Mapping[str, Change], target: int
) -> list[tuple[int, int, Scored]]:
    """The steps, the effort and what comes of every plan there is."""
    engine = Reference(program)
    there = {f: [(v, n * c.effort) for n, v in enumerate(turns(program, values, f, c.up), 1)] for f, c in may.items()}
    found = []
    for k in range(min(MOST, len(there)) + 1):
        for chosen in combinations(sorted(there), k):
            for moved in product(*(there[f] for f in chosen)):
                changed = {**values, **{f: v for f, (v, _) in zip(chosen, moved, strict=True)}}
                found.append((k, sum(e for _, e in moved), assess(engine, changed, DAY)))
    return found


def total(program: Program, scored: Scored) -> int:
    """Without the ends of the range."""
    return program.scorecard.base + sum(p.points for p in scored.parts)


@settings(max_examples=pairs(120, 1500), deadline=None)
@given(programs(), people, changes, st.one_of(st.none(), st.integers(0, 100)))
def test_no_plan_is_shorter_easier_or_better_than_the_one_that_is_told(
    program: Program, values: dict[str, int], may: dict[str, Change], asked: int | None
) -> None:
    found = improve(Reference(program), values, DAY, may, asked)
    now = assess(Reference(program), values, DAY)
    target = next_band(program.scorecard, now.score) if asked is None else asked
    plans = [p for p in everything(program, values, may, target) if p[2].score is not None]
    enough = [p for p in plans if p[2].score is not None and p[2].score >= target]
    assert found.target == target
    assert found.reached == bool(enough)
    if enough:
        best = min((k, effort, -total(program, s)) for k, effort, s in enough)
        assert (len(found.steps), found.effort, -total(program, found.scored)) == best
    elif plans:
        assert total(program, found.scored) == max(total(program, s) for _, _, s in plans)
    else:
        assert (found.steps, found.scored.score) == ((), None)


@settings(max_examples=pairs(60, 600), deadline=None)
@given(programs(), people, changes)
def test_what_is_told_is_what_the_engine_says_of_the_values_told(
    program: Program, values: dict[str, int], may: dict[str, Change]
) -> None:
    found = improve(Reference(program), values, DAY, may)
    moved = {**values, **{s.feature: s.after for s in found.steps}}
    assert assess(Reference(program), moved, DAY) == found.scored
    for step in found.steps:
        assert step.feature in may
        assert step.before == values.get(step.feature)
        if step.before is not None:
            assert step.after > int(step.before) if may[step.feature].up else step.after < int(step.before)


# The shipped rules.
MAY = {f.name: Change(f.direction == "higher is better", f.effort) for f in graph.schema() if f.effort is not None}
YOUNG = {
    **{"identity.level": 1, "identity.tenure_days": 400, "behaviour.payments": 30, "behaviour.active_months": 5},
    **{"behaviour.payees": 4, "credit.kept": 3, "credit.missed": 0, "behaviour.recency_days": 60},
}


@pytest.fixture(scope="module")
def shipped() -> Iterator[Engines]:
    engines = Engines(rules_folder.load(RULES))
    yield engines
    engines.close()


def raised(engines: Engines, values: Mapping[str, int], target: int | None = None) -> Improved:
    return improve(engines.at(DAY), values, DAY, MAY, target)


def test_one_step_that_does_is_told_before_two_easier_ones(shipped: Engines) -> None:
    found = raised(shipped, YOUNG)
    assert [(s.feature, s.before, s.after, s.items) for s in found.steps] == [("identity.level", 1, 3, ("level",))]
    assert (found.target, found.reached, found.scored.score, found.scored.band) == (600, True, 604, "good")


def test_who_has_no_score_is_told_how_to_get_one(shipped: Engines) -> None:
    found = raised(shipped, YOUNG | {"identity.level": 0})
    assert [(s.feature, s.after) for s in found.steps] == [("identity.level", 1)]
    assert found.scored.score == 574


def test_a_target_out_of_reach_gets_the_plan_that_comes_nearest(shipped: Engines) -> None:
    found = raised(shipped, YOUNG, 950)
    assert not found.reached
    assert len(found.steps) == MOST
    assert (found.scored.score or 0) > 650


def test_who_is_at_the_target_has_nothing_to_do(shipped: Engines) -> None:
    found = raised(shipped, YOUNG, 500)
    assert (found.reached, found.steps, found.effort) == (True, (), 0)


def test_a_rule_over_two_features_counts_once_both_have_come(shipped: Engines) -> None:
    """`steady_use` needs twelve months of payments and a recent one; alone, neither gives its ten points."""
    values = YOUNG | {"behaviour.active_months": 9, "behaviour.recency_days": 50}
    only = {f: MAY[f] for f in ("behaviour.active_months", "behaviour.recency_days")}
    now = assess(shipped.at(DAY), values, DAY).score or 0
    found = improve(shipped.at(DAY), values, DAY, only, now + 16)
    assert [(s.feature, s.after) for s in found.steps] == [
        ("behaviour.active_months", 12),
        ("behaviour.recency_days", 30),
    ]
    assert found.scored.score == now + 16


def test_nobody_is_advised_on_what_warns_of_fraud_what_is_past_or_what_others_say() -> None:
    for feature in graph.schema():
        if feature.dimension == "fraud" or feature.scope == "global":
            assert feature.effort is None, feature.name
        if feature.effort is not None:
            assert feature.direction != "none", feature.name
            assert 1 <= feature.effort <= 4
            assert feature.dimension != "relationships" or feature.direction == "higher is better"
    assert not {"credit.missed", "credit.written_off_5y", "credit.orders_late", "credit.longest_delay_days"} & set(MAY)


CLEAN = {"credit.written_off_5y": 0, "credit.missed_12m": 0, "watch.missed_thrice": False, "watch.overdue_twice": False}


def aimed_at(engines: Engines, perk: str, values: Mapping[str, int]) -> Improved:
    program = engines.release.at(DAY)
    found, now = program.perk(perk), assess(engines.at(DAY), values, DAY).score
    assert found
    return improve(engines.at(DAY), values, DAY, MAY, aim_at(program, found, values, now, DAY))


@pytest.mark.parametrize(
    ("perk", "score", "aimed"),
    [
        *[("car", None, 550), ("car", 549, 550), ("car", 550, 600), ("car", 799, 800), ("car", 800, 800)],
        *[("bicycle", 600, 640), ("bicycle", 700, 640)],  # `held` is granted from 640 on
        *[("hotel", 640, 650), ("apartment", 700, 750)],
    ],
)
def test_a_perk_is_aimed_at_by_its_nearest_better_tier(
    shipped: Engines, perk: str, score: int | None, aimed: int
) -> None:
    program = shipped.release.at(DAY)
    found = program.perk(perk)
    assert found
    assert aim_at(program, found, YOUNG | CLEAN | {"identity.level": 3}, score, DAY).score == aimed


def test_a_perk_that_is_held_is_aimed_at_by_what_grants_it(shipped: Engines) -> None:
    found = aimed_at(shipped, "bicycle", YOUNG | CLEAN)
    assert (found.target, found.reached) == (640, True)
    assert (found.scored.score or 0) >= 640


def test_a_plan_for_a_perk_passes_its_knock_outs_too(shipped: Engines) -> None:
    """A car asks for a document (level 2) whatever the score; a hotel does not."""
    values = YOUNG | CLEAN
    assert (assess(shipped.at(DAY), values, DAY).score or 0) >= 550  # the score of a tier of the car's
    found = aimed_at(shipped, "car", values)
    assert [(s.feature, s.before, s.after) for s in found.steps] == [("identity.level", 1, 2)]
    assert (found.target, found.reached) == (550, True)


def test_what_nothing_can_clear_is_told_as_not_reached(shipped: Engines) -> None:
    found = aimed_at(shipped, "hotel", YOUNG | CLEAN | {"credit.written_off_5y": 1})
    assert (found.target, found.reached) == (600, False)


def test_who_has_the_best_tier_has_nothing_to_do_for_it(shipped: Engines) -> None:
    found = aimed_at(shipped, "power_bank", YOUNG | CLEAN)
    assert (found.target, found.reached, found.steps) == (550, True, ())
