"""Declared features: their types, bounds, classes and versions."""

import pytest

from engine.lang.check.release import check
from engine.lang.model.features import DeclaredFeature
from engine.lang.model.types import Type
from tests.engine.small_rules import KINDS, SCHEMA, base, base_with


def declared(*lines: str) -> dict[str, DeclaredFeature]:
    """The features of a file with these lines, beside the small rules."""
    text = "".join(f"  - {{{line}}}\n" for line in lines)
    release, problems = check({**base(), "features.yaml": f"kind: features\nfeatures:\n{text}"}, SCHEMA, KINDS)
    assert release is not None, "\n".join(map(str, problems))
    return dict(release.programs[0].declarations)


def feature(line: str) -> DeclaredFeature:
    return declared(f"id: a.one, about: a, {line}")["a.one"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("of: payment, measure: count", Type("int", 0, (), 0, 10**9)),
        ("of: payment, measure: distinct, value: other", Type("int", 0, (), 0, 10**9)),
        ("of: payment, measure: days_since", Type("duration", 0, (), 0, 110_000)),
        ("of: payment, measure: months_with, window: {months: 24}", Type("int", 0, (), 0, 25)),
        ("of: payment, measure: months_with, window: {full_months: 12}", Type("int", 0, (), 0, 12)),
        ("of: payment, measure: share, where: amount > 5", Type("decimal", 2, (), 0, 100)),
        ("of: payment, measure: share, where: amount > 5, digits: 0", Type("int", 0, (), 0, 1)),
        ("of: payment, measure: sum, value: amount", Type("int", 0, (), -9 * 10**15, 9 * 10**15)),
        ("of: payment, measure: sum, value: amount, low: 0", Type("int", 0, (), 0, 9 * 10**15)),
        ("of: payment, measure: mean, value: amount, digits: 1", Type("decimal", 1, (), -(10**10), 10**10)),
        ("of: payment, measure: max, value: amount", Type("int", 0, (), -(10**9), 10**9)),
        ("of: payment, measure: range, value: amount", Type("int", 0, (), 0, 2 * 10**9)),
        ("of: tie.formed, measure: min, value: strength, high: 5", Type("int", 0, (), 1, 5)),
        ("of: bill.missed, measure: latest, value: due", Type("date", 0, (), -200_000, 3_000_000)),
    ],
)
def test_the_type_of_a_value_follows_from_measure_field_and_window(line: str, expected: Type) -> None:
    assert feature(line).type == expected


def test_a_formula_is_bounded_by_its_parts() -> None:
    lines = ("id: a.one, about: a, of: payment, measure: count", "id: a.two, about: a, formula: 3 * a.one - 2")
    assert declared(*lines)["a.two"].type == Type("int", 0, (), -2, 3 * 10**9 - 2)
    quotient = declared(*lines, "id: a.three, about: a, formula: a.one, divided_by: a.one + 1")["a.three"]
    assert quotient.type == Type("decimal", 2, (), 0, 999_999)


def test_the_classes_are_those_of_all_evidence_the_strictest_first() -> None:
    features = declared(
        "id: a.bills, about: a, of: [bill.missed, payment], measure: count",
        "id: a.low, about: a, of: balance, measure: min, value: amount",
        "id: a.both, about: a, formula: a.low + a.bills",
        "id: a.paid, about: a, of: payment, measure: count",
        "id: a.near, about: a, of: neighbours, measure: mean, value: a.paid",
    )
    assert features["a.bills"].classes == ("behaviour", "credit")
    assert features["a.both"].classes == ("restricted", "behaviour", "credit")
    assert features["a.near"].classes == ("relationship", "behaviour")
    assert features["a.both"].attribute.data_class == "restricted"


def test_a_declaration_takes_no_class() -> None:
    text = "kind: features\nfeatures:\n  - {id: a.one, about: a, of: balance, measure: count, data_class: behaviour}\n"
    problems = check({**base(), "features.yaml": text}, SCHEMA, KINDS)[1]
    assert [(p.code, p.at.line) for p in problems] == [("R010", 3)]


def test_rules_read_a_declared_feature_and_no_internal_one() -> None:
    lines = "  - {id: shop.paid, about: a, of: payment, measure: count, INTERNAL}\n"
    trust = base()["trust.yaml"].replace("when: credit.last", "when: shop.paid > 3 or credit.last")
    trust = trust.replace("recent: credit", "recent: shop.paid > 3 or credit")
    for word, codes in (("internal: false", []), ("internal: true", ["R101"])):
        features = f"kind: features\nfeatures:\n{lines.replace('INTERNAL', word)}"
        problems = check({**base(), "trust.yaml": trust, "features.yaml": features}, SCHEMA, KINDS)[1]
        assert [p.code for p in problems] == codes


def test_relationships_stay_within_their_share_whoever_declares_them() -> None:
    lines = "  - {id: shop.near, about: a, of: neighbours, measure: count}\n"
    features = f"kind: features\nfeatures:\n{lines}"
    trust = base()["trust.yaml"].replace("feature: money.cover", "feature: shop.near").replace("[0.80, 1.25]", "[1, 2]")
    problems = check({**base(), "trust.yaml": trust, "features.yaml": features}, SCHEMA, KINDS)[1]
    assert {p.code for p in problems} == {"R403", "R404"}


def test_what_is_computed_from_an_alarm_is_an_alarm() -> None:
    lines = (
        "  - {id: alarm.fan, about: a, of: payment, measure: count}\n"
        "  - {id: alarm.twice, about: a, formula: 2 * alarm.fan}\n"
        "  - {id: shop.fan, about: a, formula: alarm.fan + 1}\n"
    )
    files = {
        **base_with("policy.yaml", "alarms: []", "alarms: [alarm]"),
        "features.yaml": f"kind: features\nfeatures:\n{lines}",
    }
    assert [(p.code, p.at.line) for p in check(files, SCHEMA, KINDS)[1]] == [("R407", 5)]


def versions(*lines: str) -> dict[str, str]:
    return {name: f.version for name, f in declared(*lines).items()}


BASE_LINE = "id: a.one, about: a, of: payment, where: amount > 5, window: 90d, measure: count"
USER = "id: a.two, about: a, formula: a.one + 1"


@pytest.mark.parametrize(
    "line",
    [
        "id: a.one, about: Another text, of: payment, where: amount > 5, window: 90d, measure: count",
        "id: a.one, about: {en: a, zh: 甲}, effort: 3, of: [payment], where: (amount > 5), window: 90d, measure: count",
        "id: a.one, measure: count, as: subject, window: 2160h, where: 5 < amount, of: payment, about: a",
    ],
)
def test_words_effort_and_layout_keep_the_version(line: str) -> None:
    assert versions(line, USER) == versions(BASE_LINE, USER)


@pytest.mark.parametrize(
    "line",
    [
        "id: a.one, about: a, of: payment, where: amount > 6, window: 90d, measure: count",
        "id: a.one, about: a, of: payment, where: amount > 5, window: 91d, measure: count",
        "id: a.one, about: a, of: payment, where: amount > 5, window: 90d, measure: count, missing: zero",
        "id: a.one, about: a, of: payment, as: other, where: amount > 5, window: 90d, measure: count",
        "id: a.one, about: a, of: payment, where: amount > 5, window: 90d, measure: months_with",
        "id: a.one, about: a, of: payment, where: amount > 5, window: 90d, measure: count, high: 9",
    ],
)
def test_another_meaning_changes_the_version_of_the_feature_and_of_those_that_use_it(line: str) -> None:
    before, after = versions(BASE_LINE, USER), versions(line, USER)
    assert before["a.one"] != after["a.one"]
    assert before["a.two"] != after["a.two"]
