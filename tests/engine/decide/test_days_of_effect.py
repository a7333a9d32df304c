"""Check that a release has one program for each period, that we check each by itself, and that we read no clock."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from engine.decide.decide import ReferenceEvaluator, assess, decide
from engine.decide.evaluators import Evaluators
from engine.errors import EngineError
from engine.lang.check.release import check, release_of
from engine.lang.model.program import Release
from engine.lang.model.types import day_of
from tests.effort import by_effort
from tests.engine.random_releases import random_files, rule_text
from tests.engine.random_values import ON_DAYS
from tests.engine.random_values import SCHEMA as RANDOM
from tests.engine.small_rules import KINDS, PERSON, SCHEMA, base, make_question
from tests.paths import ROOT

LATE = "{id: late, dimension: credit, when: recent, points: -60, unknown: -10, reason: late"


def release(**files: str) -> Release:
    return release_of(
        {**base(), **{n.replace("_", ".") if n.endswith("_yaml") else n: t for n, t in files.items()}}, SCHEMA, KINDS
    )


def revised_release(old: str, new: str, file: str = "trust.yaml") -> Release:
    text = base()[file]
    assert text.count(old) == 1
    return release_of({**base(), file: text.replace(old, new)}, SCHEMA, KINDS)


def day(text: str) -> int:
    number = day_of(text)
    assert number is not None
    return number


def score(release: Release, on: str) -> int | None:
    program = release.at(day(on))
    return assess(ReferenceEvaluator(program), PERSON, day(on)).score


def test_without_days_a_release_is_one_program() -> None:
    assert [p.since for p in release().programs] == [None]


def test_a_rule_is_in_force_from_its_first_day_until_its_end() -> None:
    revised = revised_release(
        "points: 40, unknown: 10, reason: cover}",
        "points: 40, unknown: 10, reason: cover, from: 2024-03-01, until: 2024-03-03}",
    )
    assert [p.since for p in revised.programs] == [None, day("2024-03-01"), day("2024-03-03")]
    days = ("2024-02-29", "2024-03-01", "2024-03-02", "2024-03-03")
    assert [score(revised, on) for on in days] == [630, 670, 670, 630]


def test_days_are_in_the_time_zone_of_the_policy() -> None:
    """Midnight of 1 March in Shanghai is 16:00 of 29 February, UTC."""
    shanghai_policy = base()["policy.yaml"].replace("timezone: UTC", "timezone: Asia/Shanghai")
    shanghai_release, early = release(policy_yaml=shanghai_policy), datetime(2024, 2, 29, 15, 59, 59, 999999, UTC)
    assert [shanghai_release.day(early), shanghai_release.day(early + timedelta(microseconds=1))] == [
        day("2024-02-29"),
        day("2024-03-01"),
    ]
    assert release().day(early + timedelta(hours=8)) == day("2024-02-29")
    question = make_question("room", 1, "EUR", {}, as_of="2024-02-29T16:00:00Z")
    assert question.day == day("2024-02-29")
    assert replace(question, timezone="Asia/Shanghai").day == day("2024-03-01")


@pytest.mark.parametrize("name", ["Asia/Beijing", "asia/shanghai", "CST-8", "../UTC", "Asia", "+08:00"])
def test_time_zones_have_iana_names(name: str) -> None:
    _, problems = check({**base(), "policy.yaml": base()["policy.yaml"].replace("UTC", name)}, SCHEMA, KINDS)
    assert [(p.at.file, p.at.line, p.at.column) for p in problems] == [("policy.yaml", 8, 11)]


def test_successive_policies_have_one_time_zone() -> None:
    first = base()["policy.yaml"].replace("kind: policy", "kind: policy\nuntil: 2025-01-01")
    second = (
        base()["policy.yaml"].replace("kind: policy", "kind: policy\nfrom: 2025-01-01").replace("UTC", "Asia/Tokyo")
    )
    _, problems = check({**base(), "policy.yaml": first, "policy2.yaml": second}, SCHEMA, KINDS)
    (problem,) = problems
    assert (problem.code, problem.at.file) == ("R013", "policy2.yaml")
    assert problem.message == "`Asia/Tokyo` is not the time zone of policy.yaml"


def test_a_rule_may_replace_another_of_the_same_id_within_one_budget() -> None:
    rule = "{id: steady, dimension: money, when: steady, points: 40, unknown: 10, reason: cover"
    text = base()["trust.yaml"].replace(
        f"{rule}}}", f"{rule}, until: 2024-07-01}}\n  - {rule.replace('40', '30')}, from: 2024-07-01}}"
    )
    revised = release_of({**base(), "trust.yaml": text}, SCHEMA, KINDS)
    assert [score(revised, on) for on in ("2024-06-30", "2024-07-01")] == [670, 660]


def test_a_file_may_replace_another() -> None:
    old = base()["trust.yaml"].replace("kind: scorecard", "kind: scorecard\nuntil: 2025-01-01")
    new = (
        base()["trust.yaml"]
        .replace("kind: scorecard", "kind: scorecard\nfrom: 2025-01-01")
        .replace("base: 500", "base: 510")
    )
    revised = release_of({**base(), "trust.yaml": old, "trust-2025.yaml": new}, SCHEMA, KINDS)
    assert [score(revised, on) for on in ("2024-12-31", "2025-01-01")] == [670, 680]


def test_every_day_needs_a_scorecard() -> None:
    text = base()["trust.yaml"].replace("kind: scorecard", "kind: scorecard\nuntil: 2025-01-01")
    result, problems = check({**base(), "trust.yaml": text}, SCHEMA, KINDS)
    assert result is None
    assert [p.code for p in problems] == ["R014"]


def test_budgets_apply_on_each_day_and_the_problem_names_the_day() -> None:
    text = base()["trust.yaml"].replace(
        "rules:\n", f"rules:\n  - {LATE.replace('id: late', 'id: more')}, from: 2026-07-01}}\n".replace("-60", "-400")
    )
    result, problems = check({**base(), "trust.yaml": text}, SCHEMA, KINDS)
    assert result is None
    assert [p.code for p in problems] == ["R203"]
    assert "from 2026-07-01 on" in problems[0].message


def test_a_decision_as_of_a_past_day_is_the_one_of_that_day() -> None:
    revised = revised_release(
        "- {id: room.700, when: score >= 700", "- {id: room.700, from: 2024-03-02, when: score >= 650", "perks.yaml"
    )
    evaluators = Evaluators(revised)
    try:
        for on, waived in (("2024-03-01", 13_200), ("2024-03-02", 40_000)):
            question = make_question("room", 40_000, "CNY", PERSON, as_of=f"{on}T23:59:59Z")
            decision = decide(evaluators.at(question.day), question)
            assert decision.answer.waived == waived  # 33 % of it, then all of it
            assert decision.canonical() == decide(ReferenceEvaluator(revised.at(question.day)), question).canonical()
    finally:
        evaluators.close()


def test_an_entry_of_a_list_ends_without_a_program_of_its_own() -> None:
    assert [p.since for p in release().programs] == [None]
    good = {**PERSON, "money.cover": 125}
    for on, waived in (("2024-02-29", 80_000), ("2024-03-01", 0)):
        question = make_question("villa", 100_000, "CNY", good, as_of=f"{on}T00:00:00Z", context={"town": "Cairo"})
        assert decide(ReferenceEvaluator(release().at(question.day)), question).answer.waived == waived


def in_force(lines: list[dict[str, Any]], on: int) -> set[str]:
    """The ids of the lines in force on a day, read from the text."""
    return {
        line["id"]
        for line in lines
        if ("from" not in line or day(line["from"]) <= on) and ("until" not in line or on < day(line["until"]))
    }


@pytest.mark.parametrize("seed", range(by_effort(25, 250)))
def test_a_random_release_has_on_each_day_the_items_in_force(seed: int) -> None:
    files = random_files(Random(seed))
    result, problems = check({n: rule_text(f) for n, f in files.items()}, RANDOM, KINDS)
    assert result or {p.code for p in problems} <= {"R301", "R303"}
    if not result:
        return
    card, perk = files["trust.yaml"], files["perks.yaml"]["perks"][0]
    for on in sorted({d + n for d in ON_DAYS for n in (-1, 0, 1)} | {-9_000, 60_000}):
        program = result.at(on)
        assert {i.id for i in program.scorecard.items} == in_force(card["characteristics"] + card["rules"], on)
        assert {k.id for k in program.perks[0].knockouts} == in_force(perk["knockouts"], on)
        assert {t.id for t in program.perks[0].tiers} == in_force(perk["tiers"], on)
        assert program.since is None or program.since <= on
    assert [p.since for p in result.programs[1:]] == sorted(
        {
            day(d)
            for d in re.findall(
                r'"(?:from|until)": "(\d{4}-\d\d-\d\d)"', rule_text(card) + rule_text(files["perks.yaml"])
            )
        }
    )


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("from: 2024-03-02, until: 2024-03-01", ["R016"]),
        ("from: 2024-03-01, until: 2024-03-01", ["R016"]),
        ("from: 2024-02-30", ["R013"]),
        ("until: 2024-W01-1", ["R013"]),
        ("from: 2024-03-01T00:00:00Z", ["R013"]),
    ],
)
def test_invalid_or_descending_days_are_reported(line: str, codes: list[str]) -> None:
    text = base()["trust.yaml"].replace("unknown: 10, reason: cover}", f"unknown: 10, reason: cover, {line}}}")
    result, problems = check({**base(), "trust.yaml": text}, SCHEMA, KINDS)
    assert result is None
    assert [p.code for p in problems] == codes


def test_too_many_days_of_change_are_reported() -> None:
    lines = "".join(
        f"  - {{id: r{n}, dimension: ties, when: steady, points: 0, reason: ties, from: 2024-01-{n + 1:02d}}}\n"
        for n in range(31)
    )
    one, two = (
        f"  - {{id: s{n}, dimension: ties, when: steady, points: 0, reason: ties, until: 2025-01-0{n}}}\n"
        for n in (1, 2)
    )
    for more, codes in ((one, []), (one + two, ["R017"])):
        text = base()["trust.yaml"].replace("rules:\n", f"rules:\n{lines}{more}")
        result, problems = check({**base(), "trust.yaml": text}, SCHEMA, KINDS)
        assert [p.code for p in problems] == codes
        assert (len(result.programs) if result else 0) == (0 if codes else 33)


def test_programs_of_a_release_have_its_name_and_engines_of_their_own() -> None:
    revised = revised_release("unknown: 10, reason: cover}", "unknown: 10, reason: cover, until: 2024-03-01}")
    assert {p.release for p in revised.programs} == {revised.id}
    evaluators = Evaluators(revised)
    before, after = evaluators.at(day("2024-02-29")), evaluators.at(day("2024-03-01"))
    assert before is not after
    assert before is evaluators.at(day("1970-01-01"))
    evaluators.close()
    with pytest.raises(EngineError, match="closed"):
        evaluators.at(day("2024-03-01"))


@pytest.mark.parametrize("core", ["engine", "graph"])
def test_the_cores_read_no_clock(core: str) -> None:
    for path in (ROOT / core).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"^(import|from) time\b|\.now\(|\.today\(|\.utcnow\(|perf_counter|monotonic\b", text, re.M
        ), path
