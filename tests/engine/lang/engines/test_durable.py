"""Check that our use of durable-rules is exact at and beyond every limit where the library hangs, errs or crashes."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from random import Random

import durable_rules_engine as rete
import pytest

from api.releases.rules_folder import load_folder
from engine.decide.decide import DecisionInputs, ReferenceEvaluator, assess, decide
from engine.errors import EngineError
from engine.lang.check.release import release_of
from engine.lang.engines.durable import DurableEvaluator, _fire
from engine.lang.engines.reference import evaluate
from engine.lang.model.conditions import Values
from engine.lang.model.program import SCORE, Characteristic, Program
from engine.lang.model.types import MAX_INTEGER, Attribute, Type, Value
from iftah.shipped import shipped_schema
from tests.engine import small_rules
from tests.engine.small_rules import DAY
from tests.paths import RULES

NUMBERS = ("n.a", "n.b", "n.huge", "liquid", "costarring", "n.c")
WORD = "w" * 600  # longer than durable-rules supports
SCHEMA = {
    **{n: Attribute(n, Type("int")) for n in NUMBERS},
    "b.on": Attribute("b.on", Type("bool")),
    "e.long": Attribute("e.long", Type("enum", 0, (WORD, WORD + "x", "600"))),
}
MEGABYTE = 2**20


def files_of(*whens: str, define: str = "") -> dict[str, str]:
    """Rule files with a scorecard that has one rule for each condition, named r0, r1, .."""
    lines = "".join(
        f'  - {{id: r{n}, dimension: all, when: "{when}", points: 1, reason: thin}}\n' for n, when in enumerate(whens)
    )
    card = (
        "kind: scorecard\nscore: {lowest: 0, highest: 1000, base: 1}\nscorable: {when: true, reason: thin}\n"
        f"bands: [{{name: all, from: 0}}]\ndimensions: {{all: 100}}\n{define}characteristics: []\nrules:\n{lines}"
    )
    perks = (
        "kind: perks\nperks: [{id: room, about: x, currency: CNY, most: 5 CNY, valid_hours: 1, "
        "tiers: [{id: t, when: score >= 5, waive: {share: 100}}]}]\n"
    )
    policy = small_rules.base()["policy.yaml"].replace("[age]", "[]")
    reasons = "kind: reasons\nlanguages: [en]\nreasons: {thin: {en: thin}}\n"
    return {"trust.yaml": card, "perks.yaml": perks, "policy.yaml": policy, "reasons.yaml": reasons}


def program_of(*whens: str, define: str = "") -> Program:
    """A program of those files."""
    return release_of(files_of(*whens, define=define), SCHEMA).at(small_rules.DAY)


@contextmanager
def open_evaluator(release: Program) -> Iterator[DurableEvaluator]:
    evaluator = DurableEvaluator(release)
    try:
        yield evaluator
    finally:
        evaluator.close()


def agree(release: Program, *people: Values) -> list[int]:
    """The number of conditions that each person meets, after checking twice that the engine agrees with the reference."""
    stage, met = release.stages[SCORE], []
    with open_evaluator(release) as evaluator:
        for values in people * 2:
            statuses = evaluate(stage, values)
            assert evaluator.statuses(SCORE, values) == statuses, values
            met.append(sum(s is True for s in statuses.values()) - 1)  # without `scorable`
    return met[: len(people)]


@pytest.mark.parametrize("count", [63, 64, 65, 200, 300, 500])
def test_any_number_of_rules_may_be_true_at_once(count: int) -> None:
    release = program_of(*(f"n.a > {n}" for n in range(count)))
    assert agree(release, {"n.a": count}, {"n.a": 0}, {}, {"n.a": count // 2}) == [count, 0, 0, count // 2]


@pytest.mark.parametrize("count", [254, 255, 256, 300])
def test_any_number_of_rules_may_have_the_same_condition(count: int) -> None:
    assert agree(program_of(*["n.a >= 3"] * count), {"n.a": 3}, {"n.a": 2}, {}) == [count, 0, 0]


@pytest.mark.parametrize("join", ["or", "and"])
def test_a_condition_may_have_a_hundred_leaves(join: str) -> None:
    release = program_of(f" {join} ".join(f"n.a != {n}" for n in range(100)))
    assert agree(release, {"n.a": 5}, {"n.a": 100}, {}) == ([1, 1, 0] if join == "or" else [0, 1, 0])


def test_a_list_may_have_nearly_two_hundred_words() -> None:
    numbers = ", ".join(str(7 * n) for n in range(190))
    release = program_of(f"n.a in [{numbers}]", f"n.a not in [{numbers}]")
    assert agree(release, {"n.a": 7 * 189}, {"n.a": 8}, {}) == [1, 1, 0]


@pytest.mark.parametrize(("outer", "inner"), [(" or ", " and "), (" and ", " or ")])
def test_groups_may_nest_five_by_five_by_five(outer: str, inner: str) -> None:
    leaves = ("n.a", "n.b", "n.c", "n.huge", "liquid")
    define = "define:\n"
    for i in range(5):
        rows = (outer.join(f"{n} > {5 * i + 3 * j + k}" for k, n in enumerate(leaves)) for j in range(5))
        define += f"  d{i}: {inner.join(f'({row})' for row in rows)}\n"
    whole = outer.join(f"d{i}" for i in range(5))
    chooser = Random(5)
    people = [{n: chooser.choice([None, 0, 3, 9, 14, 20, 27, 40]) for n in leaves} for _ in range(300)]
    assert len(set(agree(program_of(whole, f"not ({whole})", define=define), *people))) > 1


def test_conditions_may_nest_as_deep_as_the_language_allows() -> None:
    when = "n.a > 1"
    for depth in range(11):
        when = f"not ({when} {'and' if depth % 2 else 'or'} n.b > {depth})"
    agree(program_of(when), *({"n.a": a, "n.b": b} for a, b in product((None, 0, 5), (None, 0, 5, 30))))


@pytest.mark.parametrize(
    "edge", [MAX_INTEGER, -MAX_INTEGER, MAX_INTEGER - 1, 1 - MAX_INTEGER, 2**31, -(2**31), 2**32, 0]
)
def test_values_and_constants_are_exact_up_to_the_largest(edge: int) -> None:
    whens = [f"n.huge {op} {edge}" for op in ("==", "!=", "<", "<=", ">", ">=")]
    whens += [f"n.huge {op} n.b" for op in ("==", "<", ">=")] + [f"n.huge - n.b > {edge}"]
    near = [v for v in (edge - 1, edge, edge + 1) if abs(v) <= MAX_INTEGER]
    agree(program_of(*whens), *({"n.huge": a, "n.b": b} for a, b in product([*near, None], [*near, -edge, None])))


def test_names_with_one_hash_in_durable_rules_stay_distinct() -> None:
    release = program_of("liquid == 1", "costarring == 1", "liquid > costarring")
    people: list[Values] = [{"liquid": a, "costarring": b} for a, b in product((None, 0, 1, 2), repeat=2)]
    assert agree(release, {"liquid": 1}, {"costarring": 1}) == [1, 1]
    agree(release, *people)


def test_words_may_be_long_and_look_like_numbers() -> None:
    release = program_of(
        f"e.long == '{WORD}'", f"e.long != '{WORD}'", f"e.long in ['{WORD}x', '600']", "e.long == '600'", "n.a == 600"
    )
    people: list[Values] = [{"e.long": WORD}, {"e.long": WORD + "x"}, {"e.long": "600"}, {"n.a": 600}, {}]
    assert agree(release, *people) == [1, 2, 3, 1, 0]


def test_with_all_values_missing_no_rule_is_met_and_none_fails() -> None:
    whens = ["n.a > 0", "not b.on", "e.long != '600'", "n.a + n.b > 0", "n.a in [1]", "not (n.a > 0 or b.on)"]
    assert agree(program_of(*whens, "missing(n.a)", "known(n.a)"), {}, dict.fromkeys(SCHEMA)) == [1, 1]


def test_constant_conditions_are_evaluated() -> None:
    assert agree(program_of("true", "false", "not false", "true and n.a > 0", "false or n.a > 0"), {"n.a": 1}, {}) == [
        4,
        2,
    ]


def test_an_unused_engine_closes_and_closing_is_idempotent() -> None:
    evaluator = DurableEvaluator(program_of("n.a > 0"))
    evaluator.close()
    evaluator.close()


def test_a_closed_engine_raises_an_error() -> None:
    evaluator = DurableEvaluator(program_of("n.a > 0"))
    evaluator.close()
    with pytest.raises(EngineError, match="the release is closed"):
        evaluator.statuses(SCORE, {"n.a": 123_456_789})


def test_an_error_does_not_contain_the_fact_and_the_next_fact_is_answered() -> None:
    gate: dict[str, object] = {"all": [{"m": {"part": 1}}]}
    handle = rete.create_ruleset("failing", json.dumps({"r": gate, "h": {**gate, "pri": 1}}))
    secret = {f"a{n}": 987_654_321 for n in range(300)}  # more than fits into a fact
    fact = {"id": "1", "sid": "1", "part": 1}
    for _ in range(3):
        with pytest.raises(EngineError, match="durable-rules failed") as error:
            _fire(handle, json.dumps({**fact, **secret}))
        assert "987654321" not in str(error.value)
        assert error.value.__cause__ is None
        assert error.value.__suppress_context__
        assert _fire(handle, json.dumps(fact)) == ["r"]
    rete.delete_state(handle, "1")
    rete.delete_ruleset(handle)


def resident() -> int:
    """The resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


@needs_proc
def test_loading_and_closing_releases_does_not_leak_memory() -> None:
    release = small_rules.release()

    def cycle(times: int) -> None:
        for _ in range(times):
            with open_evaluator(release) as evaluator:
                assess(evaluator, small_rules.PERSON, small_rules.DAY)

    cycle(200)
    before = resident()
    cycle(720)
    assert resident() - before < 8 * MEGABYTE


@needs_proc
def test_deciding_does_not_leak_memory() -> None:
    question = small_rules.make_question("room", 50_000, "CNY", {})
    people = [{**small_rules.PERSON, "credit.missed": n % 5, "money.cover": n % 200} for n in range(1_000)]
    with open_evaluator(small_rules.release()) as evaluator:

        def ask(times: int) -> None:
            for n in range(times):
                decide(evaluator, DecisionInputs(**{**vars(question), "values": people[n % 1_000]}))

        ask(3_000)
        before = resident()
        ask(27_000)
        assert resident() - before < 20 * MEGABYTE


def test_eight_threads_get_right_answers_from_two_releases() -> None:
    first, second = small_rules.release(), small_rules.release("trust.yaml", "[120, 20, -100]", "[80, 10, -100]")
    chooser = Random(8)
    people: list[dict[str, Value | None]] = [
        {**small_rules.PERSON, "credit.missed": chooser.choice([None, 0, 1, 3]), "money.cover": chooser.randrange(300)}
        for _ in range(400)
    ]
    expected = [
        (assess(ReferenceEvaluator(first), p, DAY).score, assess(ReferenceEvaluator(second), p, DAY).score)
        for p in people
    ]
    assert any(a != b for a, b in expected)
    with open_evaluator(first) as one, open_evaluator(second) as other, ThreadPoolExecutor(8) as threads:
        actual = list(threads.map(lambda p: (assess(one, p, DAY).score, assess(other, p, DAY).score), people * 5))
    assert actual == expected * 5


def test_closing_one_release_does_not_disturb_another() -> None:
    with open_evaluator(small_rules.release()) as lasting:
        for _ in range(20):
            with open_evaluator(small_rules.release("trust.yaml", "base: 500", "base: 600")) as passing:
                assert assess(passing, small_rules.PERSON, DAY).score == 770
            assert assess(lasting, small_rules.PERSON, DAY).score == 670


def test_the_engines_agree_on_people_at_the_cuts_of_the_shipped_rules() -> None:
    release = load_folder(RULES).at(DAY)
    cuts = {i.feature: i.cuts for i in release.scorecard.items if isinstance(i, Characteristic)}
    chooser = Random(11)

    def value(name: str) -> int | None:
        type_, near = shipped_schema()[name].type, [c + d for c in cuts.get(name, (0, 1)) for d in (-1, 0, 1)]
        return chooser.choice([None, type_.low, type_.high, *(v for v in near if type_.low <= v <= type_.high)])

    reference = ReferenceEvaluator(release)
    with open_evaluator(release) as evaluator:
        for n in range(300):
            values: dict[str, Value | None] = {name: value(name) for name in release.features}
            perk = release.perks[n % len(release.perks)]
            question = small_rules.make_question(perk.id, chooser.randint(1, perk.most), perk.currency, values)
            assert decide(evaluator, question).canonical() == decide(reference, question).canonical()


def test_conditions_evaluated_without_relationships_agree() -> None:
    whens = (
        "t.x > 1 and n.a > 0",
        "t.x > 1 or n.a > 0",
        "(t.x > 1 or n.a > 0) and n.b > 0",
        "t.x > 1",
        "n.a + t.x > 3",
    )
    tie_schema = {**SCHEMA, "t.x": Attribute("t.x", Type("int", 0, (), 0, 9), "relationship")}
    program = release_of(files_of(*whens), tie_schema).at(small_rules.DAY)
    assert sum(id_.endswith("~") for id_ in program.stages[SCORE]) == len(whens)
    values = [(None, 0, 5)] * 3
    agree(program, *({"t.x": x, "n.a": a, "n.b": b} for x, a, b in product(*values)))
