"""The scorecard as PMML: an evaluator that is not ours gives the same scores and the same reasons.

PMML4S (Apache-2.0) runs in a JVM of its own, through PyPMML; everyone is scored in one call. Where two reasons cost the
same, the standard names the one that stands first in the file, and PMML4S the last by alphabet: so each document is
scored twice, as it is, and with its codes named so that the two orders are the same.
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

from engine.decide import Reference, assess
from engine.errors import Refused
from engine.lang.check import release_of
from engine.lang.program import SCORE, Program, score_stage
from engine.lang.truths import Cmp, Int, Truth, names
from engine.lang.types import LARGEST, Attribute, Schema, Type, Value
from engine.pmml import NAMESPACE, document
from engine.scorecard import Scored
from tests.effort import pairs
from tests.engine import small
from tests.engine.random_rules import POLICY, REASONS, SCHEMA, Trial, conditions, crowd, trials
from tests.engine.small import DAY
from tests.engine.test_rules import release

PEOPLE = 1_000
# What each element may hold, in the order of the standard's schema (pmml-4-4.xsd), and the attributes it must have.
EXPRESSION = ("Constant", "FieldRef", "Apply")
PREDICATE = ("SimplePredicate", "CompoundPredicate")
MODEL = ("MiningSchema", "Output", "ModelStats", "ModelExplanation", "Targets", "LocalTransformations")
HOLDS: dict[str, tuple[tuple[str, ...], ...]] = {
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
NEEDS = {
    "PMML": {"version"},
    "Application": {"name"},
    "DataField": {"name", "optype", "dataType"},
    "Interval": {"closure"},
    "Value": {"value"},
    "MiningField": {"name"},
    "OutputField": {"name", "dataType"},
    "DerivedField": {"name", "optype", "dataType"},
    "Scorecard": {"functionName"},
    "Characteristic": {"reasonCode", "baselineScore"},  # since the scorecard uses reason codes and has no baseline
    "Attribute": {"partialScore"},
    "SimplePredicate": {"field", "operator"},
    "CompoundPredicate": {"booleanOperator"},
    "Apply": {"function"},
    "FieldRef": {"field"},
}
ASKING = """kind: scorecard
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
  - {id: p, about: a room, currency: CNY, most: 9, valid_hours: 1, tiers: [{id: t, when: true, waive: {share: 1}}]}
"""
Person = dict[str, Value | None]
Evaluate = Callable[[str, list[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def evaluate() -> Iterator[Evaluate]:
    """Scores rows (values by field) under a document; what comes out, by output field."""
    home = os.environ.get("JAVA_HOME")
    if not shutil.which("java", path=str(Path(home, "bin")) if home else None):
        absent = "PMML is not scored by PMML4S: no Java is in $JAVA_HOME or on PATH (Debian: default-jre-headless)"
        if os.environ.get("CI") == "true":
            pytest.fail(absent)
        pytest.skip(absent)
    from pypmml import Model

    def scored(text: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        # A missing value is an absent key: PMML4S reads `null` of a boolean field as false.
        known = [{name: value for name, value in row.items() if value is not None} for row in rows]
        found: list[dict[str, Any]] = json.loads(Model.fromString(text).predict(json.dumps(known)))
        return found

    yield scored
    Model.close()


def test_pmml4s_gives_a_thousand_people_our_scores_and_reasons(evaluate: Evaluate) -> None:
    crowd = people(release(), PEOPLE)
    expected = [assess(Reference(release()), person, DAY) for person in crowd]
    assert agree(release(), crowd, expected, evaluate) == PEOPLE
    scorable = [found for found in expected if found.score is not None]
    assert 300 < len(scorable) < 900  # of both kinds, in every band, and often with a tie
    assert {found.band for found in scorable} == {band.name for band in release().scorecard.bands}
    assert sum(len(set(lost(found).values())) < len(lost(found)) for found in scorable) > 100


def test_pmml4s_gives_a_person_the_score_worked_out_by_hand(evaluate: Evaluate) -> None:
    found = evaluate(document(small.release(), DAY), natural(small.release(), [small.PERSON]))
    reasons = {"reason_1": "cover", "reason_2": "balance", "reason_3": "ties", "reason_4": None}  # 30, 30 and 20 points
    # by alphabet backwards `cover` comes before `balance`; in the file too
    assert found == [{"scorable": True, "score": 670, "band": "good"} | reasons]


@pytest.mark.parametrize(("baseline", "costs"), [(20, None), (21, "ties")])
def test_pmml4s_gives_a_reason_that_cost_a_point_and_none_that_cost_nothing(
    baseline: int, costs: str | None, evaluate: Evaluate
) -> None:
    line = "points: [0, 20], missing: 0, reason: ties"
    found = small.release("trust.yaml", line, f"{line}, baseline: {baseline}")
    tied = small.PERSON | {"ties.degree": 1}
    theirs = evaluate(document(found, DAY), natural(found, [tied]))[0]
    assert (theirs["score"], theirs["reason_2"], theirs["reason_3"]) == (690, "balance", costs)


def test_pmml4s_gives_no_score_to_a_value_out_of_bounds(evaluate: Evaluate) -> None:
    beyond = small.PERSON | {"money.months": 26}
    assert evaluate(document(small.release(), DAY), natural(small.release(), [beyond]))[0]["score"] is None


few = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # shrinking whole rule files takes longer than reading one
)


@settings(few, max_examples=pairs(900, 9_000) // 60)
@given(trial=trials(60))
def test_pmml4s_gives_our_scores_and_reasons_under_random_rules(trial: Trial, evaluate: Evaluate) -> None:
    rows = trial.people.rows
    expected = [assess(Reference(trial.program), row, DAY) for row in rows]
    assert agree(trial.program, rows, expected, evaluate) == len(rows)


@settings(few, max_examples=pairs(5_000, 50_000) // (5 * 50))
@example(texts=["1 + 1 > 0.5 * 2", "a.huge < a.other", "c.since == c.since", "true", "d.flag"], seed=1)
@given(texts=st.lists(conditions(), min_size=5, max_size=5), seed=st.integers(0, 2**32))
def test_pmml4s_says_of_random_conditions_what_the_reference_says(
    texts: list[str], seed: int, evaluate: Evaluate
) -> None:
    """Five rules to a scorecard, which give 2, 1 or 0 of a digit of their own: the score says all five statuses."""
    rules = "".join(RULE.format(n=n, when=text, met=2 * 3**n, unknown=3**n) for n, text in enumerate(texts))
    found = release_of(
        {"trust.yaml": ASKING + rules, "perks.yaml": PERKS, "reasons.yaml": REASONS, "policy.yaml": POLICY}, SCHEMA
    ).at(DAY)
    rows, engine = crowd(seed, 50).rows, Reference(found)
    for row, theirs in zip(rows, evaluate(document(found, DAY), natural(found, rows)), strict=True):
        statuses = engine.statuses(SCORE, row)
        digits = [int(theirs["score"] - 500) // 3**n % 3 for n in range(5)]
        assert digits == [{True: 2, None: 1, False: 0}[statuses[f"r{n}"]] for n in range(5)], (texts, row)


@pytest.mark.parametrize("named", ["shipped", "small"])
def test_elements_stand_in_the_order_of_the_schema_and_have_what_they_need(named: str) -> None:
    root = ElementTree.fromstring(document({"shipped": release, "small": small.release}[named](), DAY))
    for element in root.iter():
        tag, inside = _tag(element), [_tag(e) for e in element]
        places = [next(n for n, group in enumerate(HOLDS[tag]) if i in group) for i in inside]
        assert places == sorted(places), tag
        assert set(element.attrib) >= NEEDS.get(tag, set()), tag
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
    found = {c.attrib["name"]: c for c in root.iter(f"{{{NAMESPACE}}}Characteristic")}
    assert list(found) == [item.id for item in release().scorecard.items]
    points = [e.attrib["partialScore"] for e in found["missed"] if _tag(e) == "Attribute"]
    assert points == ["0", "10", "-10", "-25", "-40"]  # missing, then the bins, as rules/trust.yaml has them
    assert found["missed"].attrib["reasonCode"] == "promises_missed"
    points = [e.attrib["partialScore"] for e in found["missed_lately"] if _tag(e) == "Attribute"]
    assert points == ["-10", "0", "0"]  # met, not met, unknown


def test_bounds_that_doubles_cannot_tell_apart_are_refused() -> None:
    wide = Attribute("money.cover", Type("decimal", 2, (), 0, LARGEST), "behaviour", "ratio")
    schema: Schema = small.SCHEMA | {"money.cover": wide}
    with pytest.raises(Refused, match=r"do not tell `90071992547409.91` from its neighbours") as refused:
        document(release_of(small.base(), schema, small.KINDS).at(DAY), DAY)
    assert (refused.value.code, refused.value.where) == ("not_in_pmml", "money.cover")


def test_a_sum_that_doubles_would_round_is_refused() -> None:
    files = small.changed("trust.yaml", "when: steady", "when: money.huge + money.months > 5")
    with pytest.raises(Refused, match="a sum can grow beyond 2\\^53") as refused:
        document(release_of(files, small.SCHEMA, small.KINDS).at(DAY), DAY)
    assert refused.value.where == "money.huge, money.months"


def agree(release: Program, crowd: list[Person], expected: list[Scored], evaluate: Evaluate) -> int:
    """How many people come out the same: asserts that all do."""
    text = document(release, DAY)
    rows = natural(release, crowd)
    renamed, codes = with_sorted_codes(release, text)
    for ours, theirs, ranked in zip(expected, evaluate(text, rows), evaluate(renamed, rows), strict=True):
        assert (theirs["score"], theirs["band"], theirs["scorable"]) == (ours.score, ours.band, ours.score is not None)
        cost = lost(ours)
        assert [cost.get(c) for c in reasons(theirs)] == [cost.get(c) for c in ours.reasons]
        assert tuple(codes.get(c, c) for c in reasons(ranked)) == ours.reasons
    return len(expected)


def natural(release: Program, crowd: list[Person]) -> list[dict[str, Any]]:
    """The values that the scorecard reads, as a bank would have them: decimals in their own unit."""
    root = ElementTree.fromstring(document(release, DAY))
    read = [field.attrib["name"] for field in root.iter(f"{{{NAMESPACE}}}DataField")]

    def value(name: str, found: Value | None) -> Any:
        whole = found is None or isinstance(found, bool | str)
        return found if whole else float(Decimal(found).scaleb(-release.schema[name].type.digits))

    return [{name: value(name, person.get(name)) for name in read} for person in crowd]


def with_sorted_codes(release: Program, text: str) -> tuple[str, dict[str, str]]:
    """The document with its codes named backwards by alphabet, and what they were."""
    codes = list(dict.fromkeys(item.reason for item in release.scorecard.items))
    named = {code: f"{999 - n}" for n, code in enumerate(codes)}
    changed = re.sub(r'reasonCode="(\w+)"', lambda found: f'reasonCode="{named[found[1]]}"', text)
    return changed, {new: old for old, new in named.items()}


def reasons(row: dict[str, Any]) -> list[str]:
    return [row[f"reason_{n}"] for n in range(1, 5) if row[f"reason_{n}"] is not None]


def lost(found: Scored) -> dict[str, int]:
    """What each code cost, where it cost anything."""
    cost: dict[str, int] = {}
    for part in found.parts:
        cost[part.reason] = cost.get(part.reason, 0) + part.baseline - part.points
    return {code: points for code, points in cost.items() if points > 0}


def people(release: Program, count: int) -> list[Person]:
    """People whose values lie at what the scorecard compares them with, beside it, at the bounds, or are missing."""
    near: dict[str, set[int]] = {}
    for truth in score_stage(release.scorecard, frozenset()).values():
        for name, constant in compared(truth):
            near.setdefault(name, set()).update((constant - 1, constant, constant + 1))
    choices: dict[str, list[int | None]] = {}
    for name in sorted(near):
        type_ = release.schema[name].type
        within = sorted(v for v in near[name] | {type_.low, type_.high} if type_.low <= v <= type_.high)
        choices[name] = [None, *within]
    chooser = Random(4)
    return [{name: chooser.choice(values) for name, values in choices.items()} for _ in range(count)]


def compared(truth: Truth) -> Iterator[tuple[str, int]]:
    match truth:
        case Cmp(_, left, Int(value)):
            yield from ((name, value) for name in names(left))
        case _:
            for part in getattr(truth, "parts", ()) or filter(None, [getattr(truth, "part", None)]):
                yield from compared(part)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.removeprefix(f"{{{NAMESPACE}}}")
