"""The rules that are shipped: they check, their cases pass, and they are what the README says they are."""

from functools import cache
from pathlib import Path

import pytest

from api.catalogue import kinds, schema
from engine import cases
from engine.cases import Outcome
from engine.decide import Reference, decide
from engine.lang.check import cases_in, check
from engine.lang.check_scorecard import possible, reads
from engine.lang.online import Online
from engine.lang.program import Program, Release, perk_stage
from engine.lang.source import Scalar
from engine.lang.truths import names
from engine.lang.types import Value, value_of
from engine.scorecard import score
from tests.engine.small import asked

FOLDER = Path(__file__).parents[2] / "rules"
FILES = {p.relative_to(FOLDER).as_posix(): p.read_text(encoding="utf-8") for p in sorted(FOLDER.rglob("*.yaml"))}
DAY = 20_454  # 2026-01-01
PERKS = {"hotel", "car", "bicycle", "power_bank", "apartment"}


@cache
def whole() -> Release:
    found, problems = check(FILES, schema(), kinds())
    assert found is not None, "\n".join(map(str, problems))
    return found


def release() -> Program:
    return whole().at(DAY)


@cache
def outcomes() -> tuple[Outcome, ...]:
    return tuple(cases.run(whole(), FILES, schema(), kinds()))


def test_the_shipped_rules_check() -> None:
    assert check(FILES, schema(), kinds())[1] == ()


@pytest.mark.parametrize("file", sorted(name for name in FILES if name.endswith(".cases.yaml")))
def test_the_cases_beside_the_rules_come_out(file: str) -> None:
    found = [outcome for outcome in outcomes() if outcome.at.file == file]
    assert found
    assert {f"{o.at.line}: {o.name}": o.failures for o in found if o.failures} == {}


def test_every_rule_file_has_cases_beside_it() -> None:
    named = {n for n in FILES if not n.endswith(".cases.yaml") and "/" not in n}  # lists are tried by who asks them
    assert set(cases_in(FILES)) == {n.replace(".yaml", ".cases.yaml") for n in named}


def test_every_rule_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    assert cases.untried(release(), list(outcomes())) == ()


def test_every_reason_is_used_and_has_its_words_in_two_languages() -> None:
    found = release()
    used = {i.reason for i in found.scorecard.items} | {k.reason for p in found.perks for k in p.knockouts}
    used |= {cap.reason for p in found.perks for cap in (*p.caps, *p.shared)}
    assert found.orders
    used |= {limit.code for limit in found.orders.limits}
    assert used | {found.scorecard.unscorable} == set(found.reasons)
    for code, words in found.reasons.items():
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
    spread = {i.id: max(possible(i)) - min(possible(i)) for i in card.items}
    assert sum(spread.values()) <= 600
    for name, weight in card.weights:
        assert sum(spread[i.id] for i in card.items if i.dimension == name) <= weight * 600 // 100
    ties = [i for i in card.items if reads(i) & related]
    assert ties
    assert sum(max(possible(i)) for i in ties) <= 600 * 5 // 100
    assert min(min(possible(i)) for i in ties) >= 0


def test_the_perks_are_those_of_the_field() -> None:
    found = {p.id: p for p in release().perks}
    assert set(found) == PERKS
    assert [t.up_to for t in found["car"].tiers] == [2_500_000, 1_500_000, 1_200_000, 800_000, 300_000, 100_000]
    assert not found["bicycle"].partial
    assert not found["power_bank"].partial
    for perk in found.values():
        assert not {n for t in perk_stage(perk).values() for n in names(t)} & release().relationships


def people() -> list[dict[str, Value | None]]:
    """The people of every case."""
    found: list[dict[str, Value | None]] = []
    for file in cases_in(FILES).values():
        for case in file.cases:
            given = {k.text: v.text for k, v in (*file.base, *case.given) if isinstance(v, Scalar)}
            known = {n: v for n, v in given.items() if v != "missing" and n in release().schema}
            found.append({n: value_of(v, release().schema[n].type) for n, v in known.items()})
    return found


CREDIT_GETS_BETTER = {"credit.kept": 1, "credit.orders_kept": 1, "credit.history_days": 1}  # all else by falling
CREDIT = ("kept", "missed", "missed_12m", "longest_delay_days", "written_off_5y", "open", "history_days", "orders_kept")


@pytest.mark.parametrize("feature", [f"credit.{name}" for name in (*CREDIT, "orders_late")])
def test_credit_that_gets_better_never_costs_points_or_the_score(feature: str) -> None:
    """So what holds of the features as evidence leaves, or is disputed, holds of the score."""
    found, values = release(), [0, 1, 2, 3, 4, 5, 6, 12, 24, 30, 90, 400]
    reference, scale = Reference(found), CREDIT_GETS_BETTER.get(feature, -1)
    for person in people()[::12]:
        scores = []
        for value in sorted(values, key=lambda v: v * scale):
            statuses = reference.statuses("score", {**person, feature: value})
            scores.append(score(found.scorecard, statuses, found.relationships).score or 0)
        assert scores == sorted(scores)


def test_the_online_engine_says_of_everyone_in_the_cases_what_the_reference_says() -> None:
    reference, engine = Reference(release()), Online(release())
    try:
        for values in people():
            for perk in release().perks:
                for amount in (1, perk.most // 2, perk.most):
                    question = asked(perk.id, amount, perk.currency, values)
                    assert decide(engine, question).canonical() == decide(reference, question).canonical()
    finally:
        engine.close()
