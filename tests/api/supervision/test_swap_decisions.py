"""Recorded decisions, decided again under two releases: the columns agree with the reference, decision by decision."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from api.store.clock import micros
from api.store.database import writing
from api.store.tables import DECISION_SUBJECTS, DECISIONS
from api.supervision.decision_records import question_texts
from api.supervision.swap_decisions import compare_decisions
from api.supervision.swap_sets import SwapQuestion
from engine.changes.swap_report import SwapReport
from engine.decide.caps import PriorWaiver
from engine.decide.decide import DecisionInputs, ReferenceEvaluator, as_json, decide, question_from_record
from engine.lang.check.release import release_of
from engine.lang.model.program import Release
from iftah.catalogue import kinds, schema
from tests.api.town import shipped_release
from tests.engine import random_people, random_releases
from tests.engine.small_rules import DAY

AT = datetime(2024, 3, 1, tzinfo=UTC)
CAR = "when: score >= 650, waive: {up_to: 8000 CNY}"


def store(database: Engine, release: Release, questions: Sequence[DecisionInputs]) -> list[dict[str, Any]]:
    """Record decisions under a release, as a server would. Returns the records of the decisions."""
    entries, subjects, records = [], [], []
    for seq, question in enumerate(questions, 1):
        decision = decide(ReferenceEvaluator(release.at(question.day)), question)
        record = as_json({"decision": decision.as_dict()})
        at = micros(AT) + seq
        entry = {"seq": seq, "id": f"d-{seq:04}", "merchant": ("inn", "shop")[seq % 2], "perk": question.perk}
        entry |= {
            "amount": question.amount,
            "currency": question.currency,
            "outcome": decision.outcome,
            "decided_at": at,
        }
        entry |= {
            "waived": decision.answer.waived,
            "deposit": decision.answer.deposit,
            "valid_until": at,
            "release": release.id,
        }
        entries.append(entry | {"commitment": "", "previous_hash": "", "hash": f"h-{seq}"})
        subjects.append(
            {"seq": seq, "merchant": entry["merchant"], "subject": question.subject, "salt": "", "record": record}
        )
        records.append(decision.record())
    with writing(database) as connection:
        connection.execute(insert(DECISIONS), entries)
        connection.execute(insert(DECISION_SUBJECTS), subjects)
    return records


def compare(database: Engine, old: Release, new: Release, **options: Any) -> SwapReport:
    question = SwapQuestion(old, new, **options)
    return compare_decisions(database, question, AT, AT + timedelta(days=1), lambda _count, _total: None)


def expected(release: Release, records: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    """The outcome and waived amount of each record, by the reference."""
    questions = [question_from_record(record) for record in records]
    decisions = [decide(ReferenceEvaluator(release.at(q.day)), q) for q in questions]
    return [(d.outcome, d.answer.waived) for d in decisions]


def check_counts(report: SwapReport, old: Release, new: Release, records: Sequence[dict[str, Any]]) -> None:
    before, after = expected(old, records), expected(new, records)
    by_perk = [record["question"]["perk"] for record in records]
    for counts in report.perks:
        pairs = [(o, n) for o, n, perk in zip(before, after, by_perk, strict=True) if perk == counts.name]
        assert counts.matrix == Counter((o[0], n[0]) for o, n in pairs)
        assert (counts.waived_before, counts.waived_after) == (sum(o[1] for o, _ in pairs), sum(n[1] for _, n in pairs))
        assert counts.moved_total == sum(o != n for o, n in pairs) == sum(counts.by_account.values())
    assert sum(counts.total for counts in report.perks) == len(records)


@pytest.mark.parametrize("seed", range(4))
def test_random_decisions_with_waivers_holds_and_fields_of_requests(sqlite_database: Engine, seed: int) -> None:
    old, new = (random_releases.release(Random(n)) for n in (seed, seed + 100))
    chooser = Random(seed)
    batches = [random_people.question_batch(chooser, day, 30) for day in (DAY, DAY + 200)]
    questions = [replace(q, timezone=old.timezone) for batch in batches for q in batch.questions]
    records = store(sqlite_database, old, questions)
    check_counts(compare(sqlite_database, old, new), old, new, records)


def shipped_questions(count: int) -> list[DecisionInputs]:
    """Questions about a person near the tiers of a car, with other orders of the person."""
    chooser, moment = Random(3), AT.isoformat()
    program = shipped_release().at(DAY)
    values = {"identity.level": 2, "identity.tenure_days": 800, "credit.kept": 14, "credit.missed_12m": 0}
    values |= {"credit.written_off_5y": 0, "watch.missed_thrice": False, "watch.overdue_twice": False}
    values |= {"behaviour.payments": 200, "behaviour.active_months": 24, "credit.missed": 0}
    questions = []
    for number in range(count):
        own = {
            **values,
            "capacity.income_months": chooser.choice([0, 8, 20]),
            "behaviour.payees": chooser.choice([1, 8, 30]),
        }
        orders = dict(
            zip(
                ("in_service", "unpaid", "overdue"),
                chooser.choice([(0, 0, 0), (3, 0, 0), (1, 1, 0), (None,) * 3]),
                strict=True,
            )
        )
        perk = chooser.choice(program.perks)
        used = [
            PriorWaiver(
                perk.id, "CNY", chooser.choice([99, 900_000, 5_900_000]), (AT - timedelta(days=3)).isoformat(), True
            )
        ]
        question = DecisionInputs(
            f"p-{number}", perk.id, chooser.choice([9_900, perk.most]), "CNY", moment, moment, moment, "perks", own,
            context={}, used=tuple(used[: chooser.randrange(2)]), timezone="Asia/Shanghai", **orders,
        )  # fmt: skip
        questions.append(question)
    return questions


def changed(file: str, replace_: str, by: str) -> Release:
    files = dict(shipped_release().files)
    assert files[file].count(replace_) == 1
    return release_of({**files, file: files[file].replace(replace_, by)}, schema(), kinds())


@pytest.mark.parametrize(
    ("file", "before", "after", "name"),
    [
        ("trust.yaml", "base: 480", "base: 530", "base"),
        (
            "perks.yaml",
            "{waived: 60000 CNY, reason: waived_enough}",
            "{waived: 1000 CNY, reason: waived_enough}",
            "shared of",
        ),
        ("orders.yaml", "person.in_service >= 3", "person.in_service >= 4", "refusal too_many"),
    ],
)
def test_shipped_decisions_with_caps_and_limits_of_orders(
    database: Engine, file: str, before: str, after: str, name: str
) -> None:
    old, new = shipped_release(), changed(file, before, after)
    records = store(database, old, shipped_questions(60))
    report = compare(database, old, new, sample=5)
    check_counts(report, old, new, records)
    accounts = {account for counts in report.perks for account, _ in counts.by_account}
    assert accounts
    assert all(account.startswith(name) for account in accounts)
    assert all(p.person.startswith("d-") for counts in report.perks for p in counts.sample)  # decisions, not people
    merchants = {m: n for counts in report.perks for m, n in counts.group_sizes["merchant"].items()}
    assert set(merchants) == {"inn", "shop"}


def test_only_the_decisions_of_the_period_count(sqlite_database: Engine) -> None:
    old, new = shipped_release(), changed("trust.yaml", "base: 480", "base: 530")
    store(sqlite_database, old, shipped_questions(20))
    end = AT + timedelta(microseconds=11)  # decision n is of microsecond n
    question = SwapQuestion(old, new)
    start = AT + timedelta(microseconds=3)
    report = compare_decisions(sqlite_database, question, start, end, lambda _count, _total: None)
    assert sum(counts.total for counts in report.perks) == 8


def test_the_report_does_not_depend_on_how_many_decisions_wait(sqlite_database: Engine) -> None:
    old, new = shipped_release(), changed("trust.yaml", "base: 480", "base: 530")
    records = store(sqlite_database, old, shipped_questions(150))
    steps = list[tuple[int, int | None]]()
    question, end = SwapQuestion(old, new, sample=5), AT + timedelta(days=1)
    report = compare_decisions(sqlite_database, question, AT, end, lambda *step: steps.append(step), most_waiting=50)
    check_counts(report, old, new, records)
    assert report.as_dict() == compare(sqlite_database, old, new, sample=5).as_dict()
    assert steps == [(50, 150), (100, 150), (150, 150)]


def test_a_perk_without_a_move_has_its_groups_in_json_too(sqlite_database: Engine) -> None:
    old = shipped_release()
    store(sqlite_database, old, shipped_questions(100))
    report = compare(sqlite_database, old, changed("perks.yaml", CAR, CAR.replace("650", "640"))).as_dict()
    unmoved = [perk for perk in report["perks"] if not perk["moved"]]
    assert unmoved
    assert all(sum(row["people"] for row in perk["by_group"]["merchant"].values()) > 0 for perk in unmoved)


def test_moments_count_in_whatever_form_of_iso_8601_they_are_recorded(sqlite_database: Engine) -> None:
    old, new = (
        shipped_release(),
        changed(
            "perks.yaml", "{waived: 60000 CNY, reason: waived_enough}", "{waived: 1000 CNY, reason: waived_enough}"
        ),
    )
    forms = ("2024-03-01T00:00:00Z", "2024-03-01 00:00:00.250+00:00", "20240301T053000+0530", "2024-03-01T08:00+08:00")
    questions = [
        replace(q, asked_at=forms[n % 4], as_of=forms[n // 4 % 4], in_service=None, unpaid=None, overdue=None)
        for n, q in enumerate(shipped_questions(80))
    ]
    records = store(sqlite_database, old, questions)
    check_counts(compare(sqlite_database, old, new), old, new, records)


MARKS = '"question":{"amount":1,"used":[],"values":{},"rates":{},"reasons":["'


@pytest.mark.parametrize("rates", [None, {"rate": "1 EUR = 7.80 CNY"}])
@pytest.mark.parametrize("is_canonical", [True, False])
def test_the_parts_of_a_question_are_those_of_the_record_whatever_its_texts_say(
    rates: dict[str, str] | None, is_canonical: bool
) -> None:
    release = random_releases.release(Random(1))
    for question in random_people.question_batch(Random(2), DAY, 30).questions:
        hostile = replace(question, subject=MARKS)
        decision = replace(decide(ReferenceEvaluator(release.at(hostile.day)), hostile), rates=rates)
        record = {"context": {"words": MARKS}, "decision": decision.as_dict(), "subject": MARKS}
        text = as_json(record)
        expected = json.loads(text)["decision"]["question"]
        head, used, values = question_texts(text if is_canonical else json.dumps(json.loads(text), indent=1))
        assert json.loads(used) == expected.pop("used")
        assert json.loads(values) == expected.pop("values")
        assert json.loads(head) == expected
        assert "\n" not in head + used + values
