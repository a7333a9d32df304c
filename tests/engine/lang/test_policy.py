"""A change of policy is told line by line, and nothing else is."""

import pytest

from engine.lang.policy import changes, policy_in
from tests.engine import small


def said(replace: str, by: str) -> tuple[str, ...]:
    return changes(policy_in(small.base()), policy_in(small.changed("policy.yaml", replace, by)))


@pytest.mark.parametrize(
    ("replace", "by", "lines"),
    [
        ("share: 5", "share: 10", ("relationships_share 5 -> 10",)),
        ("[age]", "[]", ("forbidden_names without `age`",)),
        ("[age]", "[age, sex]", ("forbidden_names with `sex`",)),
        ("[age]", "[sex]", ("forbidden_names without `age`", "forbidden_names with `sex`")),
        ("restricted: [restricted]", "restricted: []", ("restricted without `restricted`",)),
        ("[health]", "[health, religion]", ("forbidden_classes with `religion`",)),
        ("relationships: [relationship]", "relationships: []", ("relationships without `relationship`",)),
    ],
)
def test_what_changed_is_told(replace: str, by: str, lines: tuple[str, ...]) -> None:
    assert said(replace, by) == lines


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        ("kind: policy", "kind: policy # of the house"),
        ("forbidden_names: [age]", "forbidden_names:\n  - age"),
        ("relationships_share: 5", "\nrelationships_share:   5"),
    ],
)
def test_comments_and_layout_say_nothing(replace: str, by: str) -> None:
    assert said(replace, by) == ()


def test_the_order_of_a_list_says_nothing() -> None:
    first, second = (small.changed("policy.yaml", "[age]", names) for names in ("[age, sex]", "[sex, age]"))
    assert changes(policy_in(first), policy_in(second)) == ()


def test_other_files_say_nothing() -> None:
    other = small.changed("trust.yaml", "base: 500", "base: 600")
    assert changes(policy_in(small.base()), policy_in(other)) == ()


def test_a_policy_that_can_no_longer_be_read_is_told_too() -> None:
    old = policy_in({"policy.yaml": "kind: policy\n"})
    assert old is None
    assert changes(old, policy_in(small.base())) == (
        "the policy before cannot be read, so that nothing can be compared",
    )
