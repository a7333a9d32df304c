"""Check the PMML export: an independent evaluator gives the same scores and the same reasons.

PMML4S (Apache-2.0) runs in a JVM of its own, through PyPMML. We score everyone in one call. For two reasons of equal
cost, the standard takes the first one in the file, but PMML4S the last one in the alphabet. So we score each document
twice: unchanged, and with codes renamed so that both orders are the same.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from engine.decide.decide import ReferenceEvaluator, assess
from engine.decide.scorecard import ScoreResult
from engine.errors import Rejected
from engine.lang.check.release import release_of
from engine.lang.model.conditions import Cmp, Int, Truth, names
from engine.lang.model.program import SCORE, Program, score_stage
from engine.lang.model.types import MAX_INTEGER, Attribute, Schema, Type, Value
from engine.verify.pmml import NAMESPACE, document
from tests.effort import by_effort
from tests.engine import small_rules
from tests.engine.random_rules import POLICY, REASONS, SCHEMA, ProgramTrial, conditions, sample_people, trials
from tests.engine.small_rules import DAY
from tests.engine.verify.test_shipped_rules import release

PEOPLE = 1_000
# The children of each element, in the order of the standard's schema (pmml-4-4.xsd), and its required attributes.
EXPRESSION = ("Constant", "FieldRef", "Apply")
PREDICATE = ("SimplePredicate", "CompoundPredicate")
MODEL = ("MiningSchema", "Output", "ModelStats", "ModelExplanation", "Targets", "LocalTransformations")
CHILD_ORDER: dict[str, tuple[tuple[str, ...], ...]] = {
    "PMML": (("Header",), ("MiningBuildTask",), ("DataDictionary",), ("TransformationDictionary",), ("Scorecard",)),
    "Header": (("Extension",), ("Application",), ("Annotation",), ("Timestamp",)),
    "DataDictionary": (("Extension",), ("DataField",), ("Taxonomy",)),
    "DataField": (("Extension",), ("Interval",), ("Value",)),
    "Scorecard": (("Extension",), *((name,) for name in MODEL), ("Characteristics",), ("ModelVerification",)),
    "MiningSchema": (("Extension",), ("MiningField",)),
    "Output": (("Extension",), ("OutputField",)),
    "OutputField": (("Extension",), ("Decisions",), EXPRESSION, ("Value",)),
    "LocalTransformations": (("Extension",), ("DerivedField",)),
    "DerivedField": (("Extension",), EXPRESSION, ("Interval",), ("Value",)),
    "Apply": (("Extension",), EXPRESSION),
    "Characteristics": (("Extension",), ("Characteristic",)),
    "Characteristic": (("Extension",), ("Attribute",)),
    "Attribute": (("Extension",), PREDICATE, ("ComplexPartialScore",)),
    "CompoundPredicate": (("Extension",), PREDICATE),
}
REQUIRED_ATTRIBUTES = {
    "PMML": {"version"},
    "Application": {"name"},
    "DataField": {"name", "optype", "dataType"},
    "Interval": {"closure"},
    "Value": {"value"},
    "MiningField": {"name"},
    "OutputField": {"name", "dataType"},
    "DerivedField": {"name", "optype", "dataType"},
    "Scorecard": {"functionName"},
    "Characteristic": {"reasonCode", "baselineScore"},  # because the scorecard uses reason codes and has no baseline
    "Attribute": {"partialScore"},
    "SimplePredicate": {"field", "operator"},
    "CompoundPredicate": {"booleanOperator"},
    "Apply": {"function"},
    "FieldRef": {"field"},
}
SCORECARD_HEAD = """kind: scorecard
score: {lowest: 350, highest: 950, base: 500}
scorable: {when: true, reason: thin}
bands: [{name: all, from: 350}]
dimensions: {all: 100}
characteristics: []
rules:
"""
RULE = '  - {{id: r{n}, dimension: all, when: "{when}", points: {met}, unknown: {unknown}, reason: ra}}\n'
PERKS = """kind: perks
perks:
  - {id: p, about: a room, currency: CNY, most: 9 CNY, valid_hours: 1, tiers: [{id: t, when: true, waive: {share: 1}}]}
"""
Person = dict[str, Value | None]
Evaluate = Callable[[str, list[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def evaluate() -> Iterator[Evaluate]:
    """Score rows (values by field) with a document; returns the outputs by field."""
    home = os.environ.get("JAVA_HOME")
    if not shutil.which("java", path=str(Path(home, "bin")) if home else None):
        message = "PMML is not scored by PMML4S: no Java is in $JAVA_HOME or on PATH (Debian: default-jre-headless)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from pypmml import Model

    def score_rows(text: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        # A missing value is an absent key: PMML4S reads `null` of a boolean field as false.
        present_rows = [{name: value for name, value in row.items() if value is not None} for row in rows]
        results: list[dict[str, Any]] = json.loads(Model.fromString(text).predict(json.dumps(present_rows)))
        return results

    yield score_rows
    Model.close()


def test_pmml4s_gives_a_thousand_people_our_scores_and_reasons(evaluate: Evaluate) -> None:
    persons = people(release(), PEOPLE)
    expected = [assess(ReferenceEvaluator(release()), person, DAY) for person in persons]
    assert agree(release(), persons, expected, evaluate) == PEOPLE
    scorable = [result for result in expected if result.score is not None]
    assert 300 < len(scorable) < 900  # of both kinds, in every band, and often with a tie
    assert {result.band for result in scorable} == {band.name for band in release().scorecard.bands}
    assert sum(len(set(points_lost(result).values())) < len(points_lost(result)) for result in scorable) > 100


def test_pmml4s_gives_a_person_the_score_worked_out_by_hand(evaluate: Evaluate) -> None:
    outputs = evaluate(document(small_rules.release(), DAY), natural_rows(small_rules.release(), [small_rules.PERSON]))
    reasons = {"reason_1": "cover", "reason_2": "balance", "reason_3": "ties", "reason_4": None}  # 30, 30 and 20 points
    # in reverse alphabetical order `cover` precedes `balance`; in the file too
    assert outputs == [{"scorable": True, "score": 670, "band": "good"} | reasons]


@pytest.mark.parametrize(("baseline", "costs"), [(20, None), (21, "ties")])
def test_pmml4s_gives_a_reason_that_cost_a_point_and_none_that_cost_nothing(
    baseline: int, costs: str | None, evaluate: Evaluate
) -> None:
    line = "points: [0, 20], missing: 0, reason: ties"
    program = small_rules.release("trust.yaml", line, f"{line}, baseline: {baseline}")
    person = small_rules.PERSON | {"ties.degree": 1}
    output = evaluate(document(program, DAY), natural_rows(program, [person]))[0]
    assert (output["score"], output["reason_2"], output["reason_3"]) == (690, "balance", costs)


def test_pmml4s_gives_no_score_to_a_value_out_of_bounds(evaluate: Evaluate) -> None:
    beyond = small_rules.PERSON | {"money.months": 26}
    assert (
        evaluate(document(small_rules.release(), DAY), natural_rows(small_rules.release(), [beyond]))[0]["score"]
        is None
    )


pmml_settings = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # shrinking whole rule files takes longer than reading one
)


@settings(pmml_settings, max_examples=by_effort(480, 9_000) // 60)
@given(trial=trials(60))
def test_pmml4s_gives_our_scores_and_reasons_under_random_rules(trial: ProgramTrial, evaluate: Evaluate) -> None:
    rows = trial.people.rows
    expected = [assess(ReferenceEvaluator(trial.program), row, DAY) for row in rows]
    assert agree(trial.program, rows, expected, evaluate) == len(rows)


@settings(pmml_settings, max_examples=by_effort(2_500, 50_000) // (5 * 50))
@example(texts=["1 + 1 > 0.5 * 2", "a.huge < a.other", "c.since == c.since", "true", "d.flag"], seed=1)
@given(texts=st.lists(conditions(), min_size=5, max_size=5), seed=st.integers(0, 2**32))
def test_pmml4s_agrees_with_the_reference_on_random_conditions(texts: list[str], seed: int, evaluate: Evaluate) -> None:
    """Each scorecard has five rules. Each gives 2, 1 or 0 in a digit of its own, so the score shows all five statuses."""
    rules = "".join(RULE.format(n=n, when=text, met=2 * 3**n, unknown=3**n) for n, text in enumerate(texts))
    program = release_of(
        {"trust.yaml": SCORECARD_HEAD + rules, "perks.yaml": PERKS, "reasons.yaml": REASONS, "policy.yaml": POLICY},
        SCHEMA,
    ).at(DAY)
    rows, evaluator = sample_people(seed, 50).rows, ReferenceEvaluator(program)
    for row, output in zip(rows, evaluate(document(program, DAY), natural_rows(program, rows)), strict=True):
        statuses = evaluator.statuses(SCORE, row)
        digits = [int(output["score"] - 500) // 3**n % 3 for n in range(5)]
        assert digits == [{True: 2, None: 1, False: 0}[statuses[f"r{n}"]] for n in range(5)], (texts, row)


@pytest.mark.parametrize("rules", ["shipped", "small"])
def test_elements_follow_the_schema_order_with_required_children(rules: str) -> None:
    root = ElementTree.fromstring(document({"shipped": release, "small": small_rules.release}[rules](), DAY))
    for element in root.iter():
        tag, inside = _tag(element), [_tag(e) for e in element]
        places = [next(n for n, group in enumerate(CHILD_ORDER[tag]) if i in group) for i in inside]
        assert places == sorted(places), tag
        assert set(element.attrib) >= REQUIRED_ATTRIBUTES.get(tag, set()), tag
    assert all(element.tag.startswith(f"{{{NAMESPACE}}}") for element in root.iter())


def test_the_document_names_its_version_and_its_release_and_is_always_the_same() -> None:
    text = document(release(), DAY)
    root = ElementTree.fromstring(text)
    assert text.startswith(
        '<?xml version="1.0" encoding="UTF-8"?>\n<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">'
    )
    assert root[0].attrib["modelVersion"] == release().release
    assert text == document(release(), DAY)


def test_each_characteristic_reads_one_field_which_is_defined() -> None:
    root = ElementTree.fromstring(document(release(), DAY))
    fields = [e.attrib["name"] for e in root.iter() if _tag(e) in ("DataField", "DerivedField", "OutputField")]
    assert len(set(fields)) == len(fields)
    assert {e.attrib["field"] for e in root.iter() if "field" in e.attrib} <= set(fields)
    for characteristic in root.iter(f"{{{NAMESPACE}}}Characteristic"):
        assert len({e.attrib["field"] for e in characteristic.iter() if "field" in e.attrib}) == 1


def test_every_item_of_the_scorecard_is_a_characteristic_with_its_points_and_reason() -> None:
    root = ElementTree.fromstring(document(release(), DAY))
    elements = {c.attrib["name"]: c for c in root.iter(f"{{{NAMESPACE}}}Characteristic")}
    assert list(elements) == [item.id for item in release().scorecard.items]
    points = [e.attrib["partialScore"] for e in elements["missed"] if _tag(e) == "Attribute"]
    assert points == ["0", "10", "-10", "-25", "-40"]  # missing, then the bins, as rules/trust.yaml has them
    assert elements["missed"].attrib["reasonCode"] == "promises_missed"
    points = [e.attrib["partialScore"] for e in elements["missed_lately"] if _tag(e) == "Attribute"]
    assert points == ["-10", "0", "0"]  # met, not met, unknown


def test_bounds_equal_as_doubles_are_refused() -> None:
    wide = Attribute("money.cover", Type("decimal", 2, (), 0, MAX_INTEGER), "behaviour", "ratio")
    schema: Schema = small_rules.SCHEMA | {"money.cover": wide}
    with pytest.raises(Rejected, match=r"do not tell `90071992547409.91` from its neighbours") as error:
        document(release_of(small_rules.base(), schema, small_rules.KINDS).at(DAY), DAY)
    assert (error.value.code, error.value.where) == ("not_in_pmml", "money.cover")


def test_a_sum_that_doubles_would_round_is_refused() -> None:
    files = small_rules.base_with("trust.yaml", "when: steady", "when: money.huge + money.months > 5")
    with pytest.raises(Rejected, match="a sum can grow beyond 2\\^53") as error:
        document(release_of(files, small_rules.SCHEMA, small_rules.KINDS).at(DAY), DAY)
    assert error.value.where == "money.huge, money.months"


def agree(release: Program, persons: list[Person], expected: list[ScoreResult], evaluate: Evaluate) -> int:
    """Check that all people have the same results; returns their number."""
    text = document(release, DAY)
    rows = natural_rows(release, persons)
    renamed, codes = with_sorted_codes(release, text)
    for result, output, ranked in zip(expected, evaluate(text, rows), evaluate(renamed, rows), strict=True):
        assert (output["score"], output["band"], output["scorable"]) == (
            result.score,
            result.band,
            result.score is not None,
        )
        cost = points_lost(result)
        assert [cost.get(c) for c in reasons(output)] == [cost.get(c) for c in result.reasons]
        assert tuple(codes.get(c, c) for c in reasons(ranked)) == result.reasons
    return len(expected)


def natural_rows(release: Program, persons: list[Person]) -> list[dict[str, Any]]:
    """The values that the scorecard reads, in a bank's form: decimals in their own unit."""
    root = ElementTree.fromstring(document(release, DAY))
    read = [field.attrib["name"] for field in root.iter(f"{{{NAMESPACE}}}DataField")]

    def value(name: str, held_value: Value | None) -> Any:
        whole = held_value is None or isinstance(held_value, bool | str)
        return held_value if whole else float(Decimal(held_value).scaleb(-release.schema[name].type.digits))

    return [{name: value(name, person.get(name)) for name in read} for person in persons]


def with_sorted_codes(release: Program, text: str) -> tuple[str, dict[str, str]]:
    """The document with codes renamed to reverse alphabetical order, and the original codes."""
    codes = list(dict.fromkeys(item.reason for item in release.scorecard.items))
    new_codes = {code: f"{999 - n}" for n, code in enumerate(codes)}
    changed = re.sub(r'reasonCode="(\w+)"', lambda match: f'reasonCode="{new_codes[match[1]]}"', text)
    return changed, {new: old for old, new in new_codes.items()}


def reasons(row: dict[str, Any]) -> list[str]:
    return [row[f"reason_{n}"] for n in range(1, 5) if row[f"reason_{n}"] is not None]


def points_lost(result: ScoreResult) -> dict[str, int]:
    """The points that each code cost, if any."""
    cost: dict[str, int] = {}
    for part in result.parts:
        cost[part.reason] = cost.get(part.reason, 0) + part.baseline - part.points
    return {code: points for code, points in cost.items() if points > 0}


def people(release: Program, count: int) -> list[Person]:
    """People with values at the constants of the scorecard, beside them, at the bounds, or missing."""
    near: dict[str, set[int]] = {}
    for truth in score_stage(release.scorecard, frozenset()).values():
        for name, constant in compared_constants(truth):
            near.setdefault(name, set()).update((constant - 1, constant, constant + 1))
    choices: dict[str, list[int | None]] = {}
    for name in sorted(near):
        type_ = release.schema[name].type
        within = sorted(v for v in near[name] | {type_.low, type_.high} if type_.low <= v <= type_.high)
        choices[name] = [None, *within]
    chooser = Random(4)
    return [{name: chooser.choice(values) for name, values in choices.items()} for _ in range(count)]


def compared_constants(truth: Truth) -> Iterator[tuple[str, int]]:
    match truth:
        case Cmp(_, left, Int(value)):
            yield from ((name, value) for name in names(left))
        case _:
            for part in getattr(truth, "parts", ()) or filter(None, [getattr(truth, "part", None)]):
                yield from compared_constants(part)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.removeprefix(f"{{{NAMESPACE}}}")
