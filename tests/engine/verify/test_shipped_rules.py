"""Check the shipped rules: they are valid, their cases pass, and they match the README."""

from functools import cache

import pytest

from api.releases.catalogue import kinds, schema
from api.releases.feature_cases import case_features
from engine.decide.decide import ReferenceEvaluator, decide
from engine.decide.scorecard import score
from engine.lang.check.release import cases_in, check
from engine.lang.check.scorecard import possible_points, reads
from engine.lang.engines.durable import DurableEvaluator
from engine.lang.model.conditions import names
from engine.lang.model.program import Program, Release, perk_stage
from engine.lang.model.types import Value, value_of
from engine.lang.syntax.source import Scalar
from engine.verify import cases
from engine.verify.cases import CaseOutcome
from engine.verify.coverage import coverage
from tests.engine.small_rules import make_question
from tests.paths import RULES

FOLDER = RULES
FILES = {p.relative_to(FOLDER).as_posix(): p.read_text(encoding="utf-8") for p in sorted(FOLDER.rglob("*.yaml"))}
DAY = 20_454  # 2026-01-01
PERKS = {"hotel", "car", "bicycle", "power_bank", "apartment"}


@cache
def shipped_release() -> Release:
    result, problems = check(FILES, schema(), kinds())
    assert result is not None, "\n".join(map(str, problems))
    return result


def release() -> Program:
    return shipped_release().at(DAY)


@cache
def outcomes() -> tuple[CaseOutcome, ...]:
    return tuple(cases.run(shipped_release(), FILES, schema(), kinds(), case_features))


def test_the_shipped_rules_check() -> None:
    assert check(FILES, schema(), kinds())[1] == ()


@pytest.mark.parametrize("file", sorted(name for name in FILES if name.endswith(".cases.yaml")))
def test_the_cases_beside_the_rules_pass(file: str) -> None:
    file_outcomes = [outcome for outcome in outcomes() if outcome.at.file == file]
    assert file_outcomes
    assert {f"{o.at.line}: {o.name}": o.failures for o in file_outcomes if o.failures} == {}


def test_every_rule_file_has_cases_beside_it() -> None:
    rule_files = {
        n for n in FILES if not n.endswith(".cases.yaml") and "/" not in n
    }  # we test lists with the conditions that read them
    rule_files.remove("evidence.yaml")  # it declares, and computes nothing
    assert set(cases_in(FILES)) == {n.replace(".yaml", ".cases.yaml") for n in rule_files}


def test_the_cases_try_every_bin_and_every_result_of_each_condition() -> None:
    assert [item.text for item in coverage(shipped_release(), outcomes()) if not item.is_tried] == []


def test_every_feature_has_a_case() -> None:
    names = {branch.id for outcome in outcomes() for branch in outcome.branches if branch.kind == "feature"}
    assert {name for name, feature in release().declarations.items() if not feature.is_internal} - names == set()


def test_every_reason_is_used_and_has_its_words_in_two_languages() -> None:
    program = release()
    codes = {i.reason for i in program.scorecard.items} | {k.reason for p in program.perks for k in p.knockouts}
    codes |= {cap.reason for p in program.perks for cap in (*p.caps, *p.shared)}
    assert program.orders
    codes |= {limit.code for limit in program.orders.limits}
    assert codes | {program.scorecard.unscorable} == set(program.reasons)
    for code, words in program.reasons.items():
        assert set(words) == {"en", "zh"}, code
        assert words["en"].isascii(), code
        assert any("\u4e00" <= c <= "\u9fff" for c in words["zh"]), code


def test_the_scorecard_is_of_five_dimensions_and_many_lines() -> None:
    card = release().scorecard
    assert dict(card.weights) == {"credit": 35, "capacity": 25, "behaviour": 20, "identity": 15, "relationships": 5}
    assert (card.lowest, card.highest) == (350, 950)
    assert [(b.name, b.lowest) for b in card.bands] == [
        ("poor", 350),
        ("fair", 550),
        ("good", 600),
        ("excellent", 650),
        ("outstanding", 700),
    ]
    assert len(card.items) >= 20
    assert {i.dimension for i in card.items} == {name for name, _ in card.weights}


def test_the_score_reads_no_feature_of_fraud() -> None:
    assert [i.id for i in release().scorecard.items if any(name.startswith("fraud.") for name in reads(i))] == []


def test_points_stay_within_the_range_and_relationships_within_their_share() -> None:
    card, related = release().scorecard, release().relationships
    spread = {i.id: max(possible_points(i)) - min(possible_points(i)) for i in card.items}
    assert sum(spread.values()) <= 600
    for name, weight in card.weights:
        assert sum(spread[i.id] for i in card.items if i.dimension == name) <= weight * 600 // 100
    ties = [i for i in card.items if reads(i) & related]
    assert ties
    assert sum(max(possible_points(i)) for i in ties) <= 600 * 5 // 100
    assert min(min(possible_points(i)) for i in ties) >= 0


def test_the_shipped_perks_are_these() -> None:
    perks = {p.id: p for p in release().perks}
    assert set(perks) == PERKS
    assert [t.up_to for t in perks["car"].tiers] == [2_500_000, 1_500_000, 1_200_000, 800_000, 300_000, 100_000]
    assert not perks["bicycle"].partial
    assert not perks["power_bank"].partial
    for perk in perks.values():
        assert not {n for t in perk_stage(perk).values() for n in names(t)} & release().relationships


def people() -> list[dict[str, Value | None]]:
    """The people of every case."""
    rows: list[dict[str, Value | None]] = []
    for file in cases_in(FILES).values():
        for case in file.cases:
            texts = {k.text: v.text for k, v in (*file.base, *case.given) if isinstance(v, Scalar)}
            features = {n: v for n, v in texts.items() if v != "missing" and n in release().schema}
            rows.append({n: value_of(v, release().schema[n].type) for n, v in features.items()})
    return rows


BETTER_DIRECTION = {"credit.kept": 1, "credit.orders_kept": 1, "credit.history_days": 1}  # all others by falling
CREDIT = ("kept", "missed", "missed_12m", "longest_delay_days", "written_off_5y", "open", "history_days", "orders_kept")


@pytest.mark.parametrize("feature", [f"credit.{name}" for name in (*CREDIT, "orders_late")])
def test_better_credit_never_costs_points_or_the_score(feature: str) -> None:
    """So the properties of features under retention and disputes also hold for the score."""
    program, values = release(), [0, 1, 2, 3, 4, 5, 6, 12, 24, 30, 90, 400]
    reference, scale = ReferenceEvaluator(program), BETTER_DIRECTION.get(feature, -1)
    for person in people()[::12]:
        scores = []
        for value in sorted(values, key=lambda v: v * scale):
            statuses = reference.statuses("score", {**person, feature: value})
            scores.append(score(program.scorecard, statuses, program.relationships).score or 0)
        assert scores == sorted(scores)


def test_the_online_engine_agrees_with_the_reference_on_every_case() -> None:
    reference, evaluator = ReferenceEvaluator(release()), DurableEvaluator(release())
    try:
        for values in people():
            for perk in release().perks:
                for amount in (1, perk.most // 2, perk.most):
                    question = make_question(perk.id, amount, perk.currency, values)
                    assert decide(evaluator, question).canonical() == decide(reference, question).canonical()
    finally:
        evaluator.close()
