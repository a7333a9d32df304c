"""Check that a plan reads and writes alike, keeps exact numbers, and tells all its problems at once."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Rejected
from engine.rollout.plan import (
    DEFAULT_GUARDS,
    DEFAULT_PLAN,
    MEASURES,
    ON_BREAK,
    PSI,
    RATES,
    Guard,
    Plan,
    Stage,
    read_plan,
)

FULL = {
    "stages": [
        {"share": "1%", "hours": 24},
        {"share": "5%", "answers": 2000},
        {"share": "20%", "hours": 48, "answers": 500},
        {"share": "100%"},
    ],
    "guards": {
        "admit_rate": {"least": "-5%", "most": "5%"},
        "unscorable_rate": {"most": "2%"},
        "waived": {"most": "12.5%"},
        "score_psi": {"most": "0.2"},
    },
    "perks": ["bike", "hotel"],
    "merchants": ["inn"],
    "on_break": "roll_back",
    "confidence": "99.5%",
}


def percents(low: int, high: int) -> st.SearchStrategy[Decimal]:
    """Shares of 1 with as many decimals as a text may have."""
    return st.integers(low * 10_000, high * 10_000).map(lambda n: Decimal(n) / 1_000_000)


def bounded(low: int, high: int) -> st.SearchStrategy[tuple[Decimal | None, Decimal | None]]:
    one, pair = percents(low, high), st.tuples(percents(low, high), percents(low, high))
    both = pair.filter(lambda ends: ends[0] != ends[1]).map(lambda ends: (min(ends), max(ends)))
    return st.one_of(both, one.map(lambda end: (end, None)), one.map(lambda end: (None, end)))


@st.composite
def guards(draw: st.DrawFn) -> tuple[Guard, ...]:
    measures = draw(st.sets(st.sampled_from(MEASURES), min_size=1))
    bounds = []
    for measure in (m for m in MEASURES if m in measures):
        if measure == PSI:
            bounds.append(Guard(PSI, most=Decimal(draw(st.integers(1, 10**6))) / 10**6))
        else:
            bounds.append(Guard(measure, *draw(bounded(-100, 100 if measure in RATES else 500))))
    return tuple(bounds)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    shares = sorted(draw(st.sets(st.integers(1, 10_000), min_size=1, max_size=6)))
    limits = st.one_of(st.tuples(st.integers(1, 8784), st.none()), st.tuples(st.none(), st.integers(1, 10**9)))
    stages = [Stage(share, *draw(limits)) for share in shares]
    if shares[-1] == 10_000:
        stages[-1] = draw(st.sampled_from([stages[-1], Stage(10_000)]))
    ids = st.sets(st.text("abc_", min_size=1), max_size=3).map(lambda ids: tuple(sorted(ids)))
    confidence = Decimal(draw(st.integers(5_000, 9_999))) / 10_000
    return Plan(tuple(stages), draw(guards()), draw(ids), draw(ids), draw(st.sampled_from(ON_BREAK)), confidence)


def problems(value: object, **ids: list[str]) -> list[str]:
    with pytest.raises(Rejected) as rejection:
        read_plan(value, **ids)
    assert (rejection.value.code, rejection.value.where) == ("bad_plan", "plan")
    assert "\n" not in str(rejection.value)
    return rejection.value.message.split("; ")


@given(plans())
def test_a_plan_that_you_write_and_read_is_the_same(plan):
    assert read_plan(json.loads(json.dumps(plan.as_dict()))) == plan


def test_a_plan_in_canonical_form_is_as_you_wrote_it():
    assert read_plan(FULL).as_dict() == FULL


def test_numbers_are_exact():
    plan = read_plan(FULL)
    assert [stage.share_points for stage in plan.stages] == [100, 500, 2_000, 10_000]
    assert plan.guards[0] == Guard("admit_rate", Decimal("-0.05"), Decimal("0.05"))
    assert plan.guards[2:] == (Guard("waived", most=Decimal("0.125")), Guard("score_psi", most=Decimal("0.2")))
    assert plan.confidence == Decimal("0.995")


def test_an_empty_plan_is_the_default_plan():
    assert read_plan({}) == DEFAULT_PLAN
    assert [stage["share"] for stage in DEFAULT_PLAN.as_dict()["stages"]] == ["1%", "5%", "20%", "100%"]
    assert [guard.measure for guard in DEFAULT_GUARDS] == [*MEASURES[:3], "waived", "latency", "score_psi"]


def test_the_order_of_keys_and_ids_does_not_matter():
    mixed = {key: FULL[key] for key in reversed(FULL)} | {"perks": ["hotel", "bike", "hotel"]}
    mixed["guards"] = dict(reversed(FULL["guards"].items()))
    assert read_plan(mixed) == read_plan(FULL)


def test_a_null_is_a_key_that_is_not_there():
    stage = {"share": "5%", "hours": None, "answers": 10}
    assert read_plan({"stages": [stage], "perks": None}).stages == (Stage(500, None, 10),)


def test_all_problems_come_at_once_with_their_places_and_hints():
    value = {
        "stages": [{"share": "5%"}, {"share": "2%", "hours": 0}, {"shar": 1}],
        "guards": {"admit_rat": {}, "waived": {"most": 0.1}, "score_psi": {"least": "1"}},
        "on_break": "stop",
        "confidence": 99,
        "perk": 2,
        "perks": ["bik"],
    }
    assert problems(value, perks=["bike", "hotel"]) == [
        "unknown key `perk` (did you mean `perks`?)",
        "`stages[0]` has no end (give `hours`, `answers` or both, unless it is the last one and of 100%)",
        "`stages[1].hours`: `0` (give a whole number from 1 to 8784)",
        "`stages[2]`: unknown key `shar` (did you mean `share`?)",
        '`stages[2].share`: `` is no share (write "0.01%" to "100%", with at most two decimals)',
        "`stages[1].share`: `2%` after `5%` (let the shares rise)",
        "`guards`: unknown measure `admit_rat` (did you mean `admit_rate` or `dispute_rate`?)",
        '`guards.waived.most`: `0.1` is no exact number (write a text such as "5%", with at most four decimals)',
        "`guards.score_psi` has no bound (give `most`)",
        "`perks`: unknown `bik` (did you mean `bike`?)",
        "`on_break`: `stop` is unknown (use one of `hold`, `roll_back`)",
        '`confidence`: `99` (write a text from "50%" to "99.99%")',
    ]


@pytest.mark.parametrize(
    "share", ["0%", "0.001%", "100.01%", "-1%", "5", 5, 0.05, True, None, "5 %", "٥%", "5%\n", "1e1%"]
)
def test_a_share_is_a_text_from_a_hundredth_of_a_per_cent_to_all(share):
    [problem] = problems({"stages": [{"share": share, "hours": 1}]})
    assert "is no share" in problem


@pytest.mark.parametrize("share", ["0.01%", "5%", "5.00%", "12.34%", "100%"])
def test_each_other_share_is_read(share):
    [stage] = read_plan({"stages": [{"share": share, "hours": 1}]}).stages
    assert stage.share_points == Decimal(share[:-1]) * 100


@pytest.mark.parametrize(
    "limit", [{"hours": True}, {"hours": 1.0}, {"hours": "24"}, {"hours": 8785}, {"answers": 10**9 + 1}]
)
def test_hours_and_answers_are_whole_numbers_within_reason(limit):
    [problem] = problems({"stages": [{"share": "5%"} | limit]})
    assert "give a whole number from 1" in problem


@pytest.mark.parametrize(
    ("guards_", "problem"),
    [
        ({}, "`guards` is no object"),
        ([], "`guards` is no object"),
        ({"waived": "10%"}, "`guards.waived` has no bound (give `least` or `most`)"),
        ({"admit_rate": {"most": "101%"}}, "can never be reached"),
        ({"latency": {"least": "-101%"}}, "can never be reached"),
        ({"score_psi": {"most": "0"}}, "or is 0"),
        ({"score_psi": {"most": "20%"}}, "is no exact number"),
        ({"admit_rate": {"least": "5%", "most": "5%"}}, "`least` is not below `most`"),
        ({"admit_rate": {"most": "5%", "mots": 1}}, "unknown key `mots` (did you mean `most`?)"),
    ],
)
def test_a_guard_has_bounds_that_a_release_can_break(guards_, problem):
    [message] = problems({"guards": guards_})
    assert problem in message


@pytest.mark.parametrize(
    ("measure", "bound"),
    [
        ("admit_rate", {"most": "100%"}),
        ("admit_rate", {"least": "-100%"}),
        ("latency", {"least": "-100%"}),
        ("latency", {"most": "10000%"}),
        ("score_psi", {"most": "100"}),
    ],
)
def test_a_bound_may_be_the_farthest_that_a_release_can_reach(measure, bound):
    assert read_plan({"guards": {measure: bound}}).guards[0].measure == measure


@pytest.mark.parametrize("value", [None, [], "1%", 3])
def test_a_plan_is_an_object(value):
    assert "a plan is an object" in problems(value)[0]


def test_a_list_of_stages_has_one_at_least_and_twenty_at_most():
    many = [{"share": f"{n}%", "hours": 1} for n in range(1, 22)]
    for stages in ([], many, {}, "1%"):
        assert "no list of 1 to 20 stages" in problems({"stages": stages})[0]
    assert len(read_plan({"stages": many[:20]}).stages) == 20
    assert problems({"stages": ["1%"]}) == ["`stages[0]`: `1%` is no stage (give it a `share`)"]


def test_ids_are_a_list_of_texts_that_exist():
    assert "is no list of ids" in problems({"perks": "bike"})[0]
    assert "is no list of ids" in problems({"merchants": [1]})[0]
    assert problems({"merchants": ["x"]}, merchants=[]) == ["`merchants`: unknown `x` (correct it)"]
    assert read_plan({"merchants": ["x"]}).merchants == ("x",)


def test_the_users_own_text_is_cut_and_stays_on_one_line():
    [problem] = problems({"on_break": "a\nb`" + "x" * 100})
    assert problem.startswith("`on_break`: `a b " + "x" * 36 + "...` is unknown")


@pytest.mark.parametrize("confidence", ["49%", "100%", "0.99", 0.99])
def test_a_confidence_is_a_percentage_from_50_to_less_than_100(confidence):
    assert 'write a text from "50%" to "99.99%"' in problems({"confidence": confidence})[0]


def test_a_stage_ends_after_both_its_hours_and_its_answers():
    day = timedelta(hours=24)
    assert [Stage(100, hours=24).is_over(t, 0) for t in (day - timedelta(microseconds=1), day)] == [False, True]
    assert [Stage(100, answers=10).is_over(timedelta(), n) for n in (9, 10)] == [False, True]
    assert [Stage(100, 24, 10).is_over(t, n) for t, n in ((day, 9), (timedelta(), 10), (day, 10))] == [
        False,
        False,
        True,
    ]
    assert not Stage(10_000).is_over(timedelta(days=10_000), 10**9)


def test_the_confidence_of_a_plan_is_shared_by_its_guards_in_all_stages_with_a_champion():
    """Four guards, and three stages below 100 %."""
    assert read_plan(FULL).comparisons == 12
    assert read_plan({"stages": [{"share": "100%"}], "guards": {"waived": {"most": "1%"}}}).comparisons == 1
