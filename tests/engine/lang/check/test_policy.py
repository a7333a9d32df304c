"""Check that we list every change of a policy in one line, and nothing else."""

import pytest

from engine.lang.check.policy_changes import changes, policies
from tests.engine import small_rules


def policy_changes(replace: str, by: str) -> tuple[str, ...]:
    return changes(policies(small_rules.base()), policies(small_rules.base_with("policy.yaml", replace, by)))


@pytest.mark.parametrize(
    ("replace", "by", "lines"),
    [
        ("share: 5", "share: 10", ("relationships_share 5 -> 10",)),
        ("[age]", "[]", ("forbidden_names without `age`",)),
        ("[age]", "[age, sex]", ("forbidden_names with `sex`",)),
        ("[age]", "[sex]", ("forbidden_names without `age`", "forbidden_names with `sex`")),
        ("restricted: [restricted]", "restricted: []", ("restricted without `restricted`",)),
        ("[health]", "[health, religion]", ("forbidden_classes with `religion`",)),
        ("timezone: UTC", "timezone: Asia/Shanghai", ("timezone UTC -> Asia/Shanghai",)),
        ("relationships: [relationship]", "relationships: []", ("relationships without `relationship`",)),
    ],
)
def test_changes_of_policy_are_listed(replace: str, by: str, lines: tuple[str, ...]) -> None:
    assert policy_changes(replace, by) == lines


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        ("kind: policy", "kind: policy # of the house"),
        ("forbidden_names: [age]", "forbidden_names:\n  - age"),
        ("relationships_share: 5", "\nrelationships_share:   5"),
    ],
)
def test_comments_and_layout_are_no_changes(replace: str, by: str) -> None:
    assert policy_changes(replace, by) == ()


def test_the_order_of_a_list_is_no_change() -> None:
    first, second = (small_rules.base_with("policy.yaml", "[age]", names) for names in ("[age, sex]", "[sex, age]"))
    assert changes(policies(first), policies(second)) == ()


def test_other_files_are_no_change_of_policy() -> None:
    other = small_rules.base_with("trust.yaml", "base: 500", "base: 600")
    assert changes(policies(small_rules.base()), policies(other)) == ()


def test_an_unreadable_policy_is_reported() -> None:
    old = policies({"policy.yaml": "kind: policy\n"})
    assert old == {}
    assert changes(old, policies(small_rules.base())) == ("the policy before cannot be read, so we cannot compare it",)


def test_a_later_change_is_listed_with_its_day() -> None:
    now = small_rules.base()["policy.yaml"]
    today = {"policy.yaml": now.replace("kind: policy", "kind: policy\nuntil: 2027-01-01")}
    later = now.replace("kind: policy", "kind: policy\nfrom: 2027-01-01").replace("share: 5", "share: 20")
    before, after = policies(small_rules.base()), policies(today | {"policy-2027.yaml": later})
    assert changes(before, after) == ("from 2027-01-01 on: relationships_share 5 -> 20",)
    assert changes(after, before) == ("from 2027-01-01 on: relationships_share 20 -> 5",)
    assert changes(after, after) == ()


def test_a_change_of_today_is_not_repeated_for_a_later_day() -> None:
    def of(share: int) -> dict[str, str]:
        now = small_rules.base()["policy.yaml"].replace("share: 5", f"share: {share}")
        later = now.replace("kind: policy", "kind: policy\nfrom: 2027-01-01")
        return {"policy.yaml": now.replace("kind: policy", "kind: policy\nuntil: 2027-01-01"), "later.yaml": later}

    assert changes(policies(of(5)), policies(of(7))) == ("relationships_share 5 -> 7",)
