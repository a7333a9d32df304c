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
def test_what_changed_is_told(replace: str, by: str, lines: tuple[str, ...]) -> None:
    assert policy_changes(replace, by) == lines


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        ("kind: policy", "kind: policy # of the house"),
        ("forbidden_names: [age]", "forbidden_names:\n  - age"),
        ("relationships_share: 5", "\nrelationships_share:   5"),
    ],
)
def test_comments_and_layout_say_nothing(replace: str, by: str) -> None:
    assert policy_changes(replace, by) == ()


def test_the_order_of_a_list_says_nothing() -> None:
    first, second = (small_rules.base_with("policy.yaml", "[age]", names) for names in ("[age, sex]", "[sex, age]"))
    assert changes(policies(first), policies(second)) == ()


def test_other_files_say_nothing() -> None:
    other = small_rules.base_with("trust.yaml", "base: 500", "base: 600")
    assert changes(policies(small_rules.base()), policies(other)) == ()


def test_a_policy_that_can_no_longer_be_read_is_told_too() -> None:
    old = policies({"policy.yaml": "kind: policy\n"})
    assert old == {}
    assert changes(old, policies(small_rules.base())) == ("the policy before cannot be read, so we cannot compare it",)


def test_what_will_hold_from_a_day_on_is_told_with_the_day() -> None:
    now = small_rules.base()["policy.yaml"]
    today = {"policy.yaml": now.replace("kind: policy", "kind: policy\nuntil: 2027-01-01")}
    later = now.replace("kind: policy", "kind: policy\nfrom: 2027-01-01").replace("share: 5", "share: 20")
    before, after = policies(small_rules.base()), policies(today | {"policy-2027.yaml": later})
    assert changes(before, after) == ("from 2027-01-01 on: relationships_share 5 -> 20",)
    assert changes(after, before) == ("from 2027-01-01 on: relationships_share 20 -> 5",)
    assert changes(after, after) == ()


def test_what_changes_now_is_not_told_again_for_a_later_day() -> None:
    def of(share: int) -> dict[str, str]:
        now = small_rules.base()["policy.yaml"].replace("share: 5", f"share: {share}")
        later = now.replace("kind: policy", "kind: policy\nfrom: 2027-01-01")
        return {"policy.yaml": now.replace("kind: policy", "kind: policy\nuntil: 2027-01-01"), "later.yaml": later}

    assert changes(policies(of(5)), policies(of(7))) == ("relationships_share 5 -> 7",)
