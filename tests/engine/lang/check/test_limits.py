"""Check every known limit and defect of durable-rules 2.0.28: the language rejects it, or we avoid it and still agree.

| of durable-rules | here |
|---|---|
| `$div` by zero ends the process; `$mt`, `$imt` leak; `$iall`, `$iany` are wrong with `$or` | test_the_language_refuses_what_durable_rules_cannot_do |
| `count`, `cap`, `pri` below 0 | test_the_language_has_no_settings_of_a_rule |
| unknown operators never match; no `$not`; the second key of a condition is dropped | test_only_the_safe_part_of_the_grammar_is_used |
| `{"$m": ..}`: a missing value takes the last result | test_features_are_compared_with_each_other_where_one_is_missing |
| `1e16`, `1e-05` are not read | test_the_language_refuses_what_durable_rules_cannot_do, test_small_decimals_are_whole_numbers |
| integers saturate at 2^63 | test_values_and_constants_are_exact_up_to_the_largest, test_products_are_exact_beyond_what_a_fact_can_hold |
| strings: up to 512 bytes, and they compare with numbers | test_words_may_be_long_and_look_like_numbers, test_only_whole_numbers_of_declared_attributes_enter_a_fact |
| missing or null: every comparison is false, `$neq` too | test_missing_and_null_are_unknown_in_every_comparison |
| names are compared by a 32-bit hash | test_names_with_one_hash_in_durable_rules_stay_distinct |
| 64 conditions true on one fact: nothing fires | test_any_number_of_rules_may_be_true_at_once, test_more_characteristics_than_durable_rules_has_places |
| 511 distinct conditions: it hangs | test_any_number_of_distinct_conditions, test_any_number_of_rules_may_be_true_at_once |
| 255 rules with one identical condition: it crashes | test_any_number_of_rules_may_have_the_same_condition |
| 14 and/or groups in a rule | test_any_number_of_groups |
| 252 properties in a fact | test_any_number_of_features |
| 4,096 rules in a ruleset | test_more_rules_than_a_ruleset_holds |
| 1,024 live sids | test_one_sid_serves_everyone |
| 16 joined facts, joins that read beyond their array | test_only_the_safe_part_of_the_grammar_is_used |
| `delete_state` after a fact that matched nothing crashes | test_an_engine_closes_after_a_person_without_values |
| exceptions in actions are swallowed; timers; `Host` steals | test_the_library_starts_no_thread |
| an interrupted agenda fires nothing for a minute | test_an_interrupted_agenda_gives_no_decision_and_the_next_one_is_right |
| `$or` fires once for each true branch | test_an_or_with_many_true_branches_counts_once |
| an error's text is the whole fact | test_an_error_does_not_contain_the_fact_and_the_next_fact_is_answered |
| a handle is not thread-safe | test_eight_threads_get_right_answers_from_two_releases |
| a ruleset deleted before its state leaks | test_loading_and_closing_releases_does_not_leak_memory |
"""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import durable_rules_engine as rete
import pytest

from api.releases import rules_folder
from engine.decide.decide import ReferenceEvaluator, assess
from engine.errors import EngineError
from engine.lang.check.release import check, release_of
from engine.lang.engines.reference import evaluate
from engine.lang.model.conditions import Values
from engine.lang.model.program import SCORE, Program
from engine.lang.model.types import MAX_INTEGER, Attribute, Type, Value
from tests.effort import usual_cases
from tests.engine import small_rules
from tests.engine.lang.engines import test_durable
from tests.engine.lang.engines.test_durable import SCHEMA, agree, files_of, open_evaluator, program_of
from tests.paths import RULES

MIXED = (
    "n.a > 0 and not (n.b <= 3 or b.on)",
    "not (n.a in [1, 2, 3] and known(n.c)) or e.long == '600'",
    "e.long != '600' and n.a + 2 * n.b > n.c",
    "missing(n.b) or (n.a > 1 or n.b > 1) and (n.c > 1 or n.huge > 1) and not (n.a > 2 and n.b > 2)",
    " or ".join(f"(n.a > {n} and n.b > {n})" for n in range(12)),
    " and ".join(f"(n.a > {n} or n.b > {n})" for n in range(12)),
)
PEOPLE: list[Values] = [
    {"n.a": a, "n.b": b, "n.c": 2, "b.on": False, "e.long": "600"} for a, b in product((None, 0, 2, 40), repeat=2)
]


@dataclass
class DurableCalls:
    """Records the inputs of durable-rules: rules by name for each ruleset, and facts."""

    rulesets: list[dict[str, Any]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def durable_calls(monkeypatch: pytest.MonkeyPatch) -> DurableCalls:
    """Records calls and passes everything to durable-rules unchanged."""
    record, create, tell = DurableCalls(), rete.create_ruleset, rete.assert_fact

    def record_ruleset(name: str, rules: str) -> Any:
        record.rulesets.append(json.loads(rules))
        return create(name, rules)

    def record_fact(handle: Any, fact: str) -> Any:
        record.facts.append(json.loads(fact))
        return tell(handle, fact)

    monkeypatch.setattr(rete, "create_ruleset", record_ruleset)
    monkeypatch.setattr(rete, "assert_fact", record_fact)
    return record


def nested_conditions(condition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A condition and every condition in it."""
    yield condition
    for key, value in condition.items():
        for part in value if key in ("$and", "$or") else ():
            yield from nested_conditions(part)


def codes(when: str) -> set[str]:
    return {p.code for p in check(files_of(when), SCHEMA)[1]}


def test_only_the_safe_part_of_the_grammar_is_used(durable_calls: DurableCalls) -> None:
    agree(program_of(*MIXED), *PEOPLE)
    with open_evaluator(rules_folder.load_folder(RULES).at(small_rules.DAY)) as shipped:
        assess(shipped, {}, small_rules.DAY)
    leaf = re.compile(r"part|a\d+")
    for name, rule in ((n, r) for rules in durable_calls.rulesets for n, r in rules.items()):
        assert set(rule) == ({"all", "pri"} if name == "h" else {"all"})
        assert [set(fact) for fact in rule["all"]] == [{"m"}], "one fact, so no joins"
        conditions = list(nested_conditions(rule["all"][0]["m"]))
        assert all(len(condition) == 1 for condition in conditions)
        groups = [a for a in conditions if set(a) & {"$and", "$or"}]
        assert len(groups) <= 14
        for condition in (a for a in conditions if a not in groups):
            ((key, value),) = condition.items()
            compared = value if key in ("$lt", "$lte", "$gt", "$gte", "$neq") else condition
            ((attribute, constant),) = compared.items()
            assert leaf.fullmatch(attribute)
            assert type(constant) is int
            assert abs(constant) <= MAX_INTEGER
        assert name == "h" or rule["all"][0]["m"]["$and"][0] == {"part": 1}


def test_only_whole_numbers_of_declared_attributes_enter_a_fact(durable_calls: DurableCalls) -> None:
    secret: Values = {"b.on": True, "e.long": "600", "n.huge": MAX_INTEGER, "name": "ann", "age": 41, "n.c": 77}
    with open_evaluator(program_of("b.on and e.long == '600'", "n.huge > 5", "n.a > n.b")) as evaluator:
        assert evaluator.statuses(SCORE, {**secret, "n.a": 2, "n.b": 1})["r2"] is True
    for fact in durable_calls.facts:
        assert {"id", "sid", "part"} < set(fact) <= {"id", "sid", "part", "a0", "a1", "a2", "a3"}
        assert (fact.pop("id"), fact.pop("sid")) == ("1", "1")
        assert all(type(value) is int for value in fact.values())
        assert not {41, 77} & set(fact.values())


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("n.a / n.b > 1", "R020"),
        ("n.a % 2 == 0", "R020"),
        ("e.long ~ 'w.*'", "R020"),
        ("matches(e.long, 'w.*')", "R021"),
        ("any(n.a > 1)", "R021"),
        ("n.a <> 1", "R021"),
        ("n.a > 1e16", "R020"),
        ("n.a > 1e-05", "R020"),
        (f"n.a > {MAX_INTEGER + 2}", "R104"),
        ("n.a * n.b > 1", "R106"),
        ("e.long > '600'", "R103"),
        ("e.long == 600", "R104"),
        ("n.a == '600'", "R104"),
        ("n.a == null", "R101"),
        ("n.other == 1", "R101"),
        ("n.a > now()", "R021"),
        (" and ".join(["n.a > 1"] * 200), "R023"),
        ("not " * 30 + "b.on", "R023"),
    ],
)
def test_the_language_refuses_what_durable_rules_cannot_do(when: str, code: str) -> None:
    assert codes(when) == {code}


@pytest.mark.parametrize("setting", ["pri: -1", "pri: 1", "count: 3", "cap: 100", "dist: 0", "run: x", "any: [x]"])
def test_the_language_has_no_settings_of_a_rule(setting: str) -> None:
    files = small_rules.base_with("trust.yaml", "when: recent, ", f"when: recent, {setting}, ")
    assert [p.code for p in check(files, small_rules.SCHEMA, small_rules.KINDS)[1]] == ["R010"]


def test_features_are_compared_with_each_other_where_one_is_missing() -> None:
    pairs = (" == ", " != ", " < ", " >= ")
    whens = [f"n.a{op}n.b" for op in pairs] + [f"n.a > 1 and n.a{op}n.b" for op in pairs]
    people: list[Values] = [{"n.a": a, "n.b": b} for a, b in product((None, 1, 2, 3), repeat=2)]
    agree(program_of(*whens, "n.a + n.b > n.c", "not (n.a - n.b > n.c)"), *people, *({**p, "n.c": 1} for p in people))


def test_small_decimals_are_whole_numbers() -> None:
    schema = {"d.share": Attribute("d.share", Type("decimal", 9, (), 0, 10**9))}
    release = release_of(files_of("d.share >= 0.00001", "d.share == 0.000000001", "d.share < 1.0"), schema).at(
        small_rules.DAY
    )
    people: list[Values] = [{"d.share": v} for v in (None, 0, 1, 9_999, 10_000, 10**9)]
    assert agree(release, *people) == [0, 1, 2, 1, 2, 1]


def test_products_are_exact_beyond_what_a_fact_can_hold() -> None:
    schema = {n: Attribute(n, Type("int", 0, (), -(2**31), 2**31)) for n in ("p.a", "p.b")}
    edge = 2**53 - 1
    release = release_of(files_of(f"p.a * p.b > {edge}", f"p.a * p.b == {edge}", "p.a * p.b < p.a"), schema).at(
        small_rules.DAY
    )
    near = (2**31, -(2**31), 2**31 - 1, 6361, 1_416_003_655_831 % 2**31, 0, None)
    agree(release, *({"p.a": a, "p.b": b} for a, b in product(near, repeat=2)))


def test_missing_and_null_are_unknown_in_every_comparison() -> None:
    operators = ("==", "!=", "<", "<=", ">", ">=")
    whens = (
        [f"n.a {op} 0" for op in operators] + [f"not (n.a {op} 0)" for op in operators] + ["n.a not in [0]", "not b.on"]
    )
    release = program_of(*whens)
    for missing in ({}, {"n.a": None, "b.on": None}):
        with open_evaluator(release) as evaluator:
            assert {s for id_, s in evaluator.statuses(SCORE, missing).items() if id_ != "scorable"} == {None}
    agree(release, {}, {"n.a": None}, {"n.a": 0}, {"n.a": 1, "b.on": None})


@pytest.mark.parametrize("count", usual_cases([57, 64, 65, 130], 64, 65))
def test_more_characteristics_than_durable_rules_has_places(count: int) -> None:
    schema = {f"c.f{n}": Attribute(f"c.f{n}", Type("int")) for n in range(count)}
    release = release_of({**files_of("true"), "trust.yaml": characteristics(count, [0, 10, 20])}, schema).at(
        small_rules.DAY
    )
    people: list[Values] = [dict.fromkeys(schema, value) for value in (-1, 0, 9, 10, 20, MAX_INTEGER, -MAX_INTEGER)] + [
        {},
        {name: (None, 5, 25)[n % 3] for n, name in enumerate(schema)},
    ]
    met = bins_met(release, people)
    assert [len(m) for m in met] == [count] * 7 + [0, count - (count + 2) // 3]


def characteristics(count: int, cuts: list[int]) -> str:
    """A scorecard of `count` characteristics with these cuts."""
    head = files_of("true")["trust.yaml"].partition("characteristics:")[0]
    points = [0] * len(cuts) + [1]
    lines = (
        f"  - {{id: c{n}, feature: c.f{n}, dimension: all, cuts: {cuts}, points: {points}, missing: 0, reason: thin}}\n"
        for n in range(count)
    )
    return f"{head}characteristics:\n{''.join(lines)}"


def bins_met(release: Program, people: list[Values]) -> list[set[str]]:
    """The bins that each person meets, after checking that they and the scores equal the reference's."""
    bins, stage = [], release.stages[SCORE]
    with open_evaluator(release) as evaluator:
        for values in people:
            met = {id_ for id_, status in evaluator.statuses(SCORE, values).items() if status and "#" in id_}
            assert met == {id_ for id_, status in evaluate(stage, values).items() if status and "#" in id_}
            assert assess(evaluator, values, small_rules.DAY) == assess(
                ReferenceEvaluator(release), values, small_rules.DAY
            )
            bins.append(met)
    return bins


def test_a_characteristic_may_have_forty_cuts() -> None:
    schema = {"c.f0": Attribute("c.f0", Type("int"))}
    cuts = [7 * n - 100 for n in range(40)]
    release = release_of({**files_of("true"), "trust.yaml": characteristics(1, cuts)}, schema).at(small_rules.DAY)
    met = bins_met(release, [{"c.f0": v} for v in range(-110, 190)])
    assert [len(m) for m in met] == [1] * 300


def test_more_rules_than_a_ruleset_holds(durable_calls: DurableCalls) -> None:
    schema = {f"c.f{n}": Attribute(f"c.f{n}", Type("int")) for n in range(110)}
    release = release_of({**files_of("true"), "trust.yaml": characteristics(110, list(range(40)))}, schema).at(
        small_rules.DAY
    )
    met = bins_met(release, [{name: n % 45 - 2 for n, name in enumerate(schema)}])
    assert len(met[0]) == 110
    assert sum(map(len, durable_calls.rulesets)) > 4_096
    assert max(map(len, durable_calls.rulesets)) < 4_096


@pytest.mark.parametrize("count", usual_cases([170, 171, 400], 170, 171))
def test_any_number_of_distinct_conditions(count: int) -> None:
    release = program_of(*(f"n.a in [{3 * n}, {3 * n + 1}, {3 * n + 2}]" for n in range(count)))  # three to a rule
    assert agree(release, {"n.a": 0}, {"n.a": 3 * count - 1}, {"n.a": 3 * count}, {}) == [1, 1, 0, 0]


@pytest.mark.parametrize("count", usual_cases([13, 14, 15, 30], 14, 15))
@pytest.mark.parametrize(("outer", "inner"), [("and", "or"), ("or", "and")])
def test_any_number_of_groups(count: int, outer: str, inner: str) -> None:
    when = f" {outer} ".join(f"(n.a > {n} {inner} n.b > {n})" for n in range(count))
    people: list[Values] = [{"n.a": a, "n.b": b} for a, b in product((None, 0, 12, count), repeat=2)]
    agree(program_of(when, f"not ({when})"), *people)


@pytest.mark.parametrize("count", usual_cases([240, 252, 300], 252, 300))
@pytest.mark.parametrize(("join", "met"), [("or", 1), ("and", 0)])
def test_any_number_of_features(count: int, join: str, met: int, durable_calls: DurableCalls) -> None:
    names = [f"c.f{n}" for n in range(count)]
    schema = {name: Attribute(name, Type("bool")) for name in names}
    eights = {f"d{n}": f" {join} ".join(names[n : n + 8]) for n in range(0, count, 8)}
    define = "define:\n" + "".join(f"  {name}: {whole}\n" for name, whole in eights.items())
    release = release_of(files_of(*eights, f" {join} ".join(eights), define=define), schema).at(small_rules.DAY)
    people: list[Values] = [dict.fromkeys(names, True), {**dict.fromkeys(names, False), names[-1]: True}, {}]
    assert agree(release, *people) == [len(eights) + 1, 2 * met, 0]
    assert max(map(len, durable_calls.facts)) <= 252


def test_one_sid_serves_everyone(durable_calls: DurableCalls) -> None:
    with open_evaluator(program_of("n.a > 1_000".replace("_", ""))) as evaluator:
        assert sum(evaluator.statuses(SCORE, {"n.a": n})["r0"] is True for n in range(3_000)) == 1_999
    assert {fact["sid"] for fact in durable_calls.facts} == {"1"}


def test_an_engine_closes_after_a_person_without_values() -> None:
    for _ in range(3):
        with open_evaluator(program_of("n.a > 0", "n.b > 0")) as evaluator:
            assert evaluator.statuses(SCORE, {})["r0"] is None


def test_the_library_starts_no_thread() -> None:
    before = threading.active_count()
    with open_evaluator(small_rules.release()) as evaluator:
        assess(evaluator, small_rules.PERSON, small_rules.DAY)
        assert threading.active_count() == before
    script = "import sys, engine.lang.engines.durable; print('durable' in sys.modules, 'durable.engine' in sys.modules)"
    completed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240, check=True)
    assert completed.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, rete.error])
@pytest.mark.parametrize("call", ["start_action_for_state", "complete_and_start_action", "retract_fact"])
def test_an_interrupted_agenda_gives_no_decision_and_the_next_one_is_right(
    call: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    values: dict[str, Value | None] = {"n.a": 5, "n.b": 5}
    with open_evaluator(program_of("n.a > 0", "n.b > 9", "n.a > n.b")) as evaluator:
        right = evaluator.statuses(SCORE, values)
        for _ in range(3):
            with monkeypatch.context() as broken:
                broken.setattr(rete, call, raiser_of(error))
                with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else EngineError):
                    evaluator.statuses(SCORE, values)
            assert evaluator.statuses(SCORE, values) == right


def raiser_of(error: type[BaseException]) -> Any:
    def stop(*_: object) -> None:
        raise error

    return stop


def test_an_agenda_started_elsewhere_gives_no_decision_and_the_next_one_is_right() -> None:
    values: Values = {"n.a": 5}
    with open_evaluator(program_of("n.a > 0")) as evaluator:
        right = evaluator.statuses(SCORE, values)
        part = evaluator._plans[SCORE].passes[-1].met[0]
        _, offset = rete.assert_fact(part.handle, '{"id":"9","sid":"1","part":1}')
        rete.start_action_for_state(part.handle, offset)
        with pytest.raises(EngineError, match="durable-rules failed"):
            evaluator.statuses(SCORE, values)
        assert evaluator.statuses(SCORE, values) == right


def test_an_or_with_many_true_branches_counts_once() -> None:
    three = " or ".join
    when = " and ".join(
        f"({three(f'{name} > {n}' for n in range(3))})" for name in ("n.a", "n.b", "n.c", "n.huge", "liquid")
    )
    values = dict.fromkeys(("n.a", "n.b", "n.c", "n.huge", "liquid"), 9)
    release = program_of(when, f"not ({when})", f"{when} or n.a > 100")
    assert agree(release, values, {**values, "n.b": 0}, {**values, "n.b": None}) == [2, 1, 0]


def test_every_test_named_in_the_table_exists() -> None:
    names = set(re.findall(r"test_\w+", __doc__))
    assert names <= {*globals(), *vars(test_durable)}
    assert len(names) > 20
