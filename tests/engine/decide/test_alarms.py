"""Check that alarms decline only together with a ground of another kind, and change no score."""

import pytest

from engine.decide.decide import ReferenceEvaluator, decide
from engine.lang.check.release import check, release_of
from engine.lang.model.types import Attribute, Type
from tests.engine.small_rules import DAY, KINDS, PERSON, SCHEMA, base, base_with, make_question

SCHEMA_WITH_ALARMS = SCHEMA | {
    "fraud.rings": Attribute("fraud.rings", Type("int", 0, (), 0, 1_000), "behaviour", "rings")
}
BAD_KNOCKOUT = "bad: credit.missed >= 3"
ALARMS = {"policy.yaml": base()["policy.yaml"].replace("alarms: []", "alarms: [fraud]")}


@pytest.mark.parametrize(
    ("rings", "paused", "outcome"),
    [(1, True, "DECLINE"), (1, False, "PARTIAL"), (0, True, "PARTIAL"), (1, None, "PARTIAL"), (None, True, "PARTIAL")],
)
def test_a_knock_out_may_join_an_alarm_to_something_else_and_then_needs_both(rings, paused, outcome):
    files = base_with("perks.yaml", BAD_KNOCKOUT, "bad: fraud.rings >= 1 and money.paused") | ALARMS
    values = PERSON | {"fraud.rings": rings, "money.paused": paused}
    rules = ReferenceEvaluator(release_of(files, SCHEMA_WITH_ALARMS, KINDS).at(DAY))
    assert decide(rules, make_question("room", 1_000, "CNY", values)).outcome == outcome


@pytest.mark.parametrize(
    "bad",
    [
        "fraud.rings >= 1",
        "credit.missed >= 3 or fraud.rings >= 1",
        "not (fraud.rings < 1 and credit.missed < 3)",
        "fraud.rings >= 1 and missing(credit.missed)",  # missing other features are not another ground
        "fraud.rings >= 1 and fraud.rings < 5",
    ],
)
def test_a_knock_out_that_an_alarm_alone_can_bring_about_is_refused(bad):
    assert problem_codes("perks.yaml", BAD_KNOCKOUT, f"bad: {bad}") == {"R408"}


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("perks.yaml", "when: score >= 700", "when: score >= 700 and fraud.rings < 1", "R408"),
        ("perks.yaml", "granted: score >= 640", "granted: score >= 640 and fraud.rings < 1", "R408"),
        ("trust.yaml", "when: identity.level >= 1", "when: identity.level >= 1 and fraud.rings < 1", "R408"),
        ("trust.yaml", "when: recent,", "when: recent or fraud.rings > 0,", "R407"),
        ("trust.yaml", "feature: credit.missed", "feature: fraud.rings", "R407"),
    ],
)
def test_nothing_else_reads_an_alarm(file, old, new, code):
    assert problem_codes(file, old, new) == {code}


def problem_codes(file: str, old: str, new: str) -> set[str]:
    return {p.code for p in check(base_with(file, old, new) | ALARMS, SCHEMA_WITH_ALARMS, KINDS)[1]}
