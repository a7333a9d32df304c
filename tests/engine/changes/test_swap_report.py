"""The counts of a swap set add up, and small groups stay hidden."""

from collections import Counter

from engine.changes.swap_report import LESS, MIN_GROUP, MORE, OTHER, SMALL_GROUPS, SwapCounts, plain_rows


def counts_of(group: str, people: int, more: int) -> SwapCounts:
    return SwapCounts(
        "room",
        matrix=Counter({("DECLINE", "ADMIT"): more}),
        by_group={"merchant": Counter({(group, MORE): more})},
        group_sizes={"merchant": Counter({group: people})},
    )


def test_counts_of_other_people_are_added_group_by_group() -> None:
    total = counts_of("inn", 20, 3)
    total.add(counts_of("inn", 10, 2))
    total.add(counts_of("lodge", 12, 1))
    rows = {"inn": {"people": 30, MORE: 5, LESS: 0, OTHER: 0}, "lodge": {"people": 12, MORE: 1, LESS: 0, OTHER: 0}}
    assert total.groups("merchant") == rows
    assert total.total == 6


def test_a_group_of_ten_people_is_large_enough_to_be_shown() -> None:
    assert list(counts_of("inn", 10, 1).groups("merchant")) == ["inn"]
    assert counts_of("inn", 9, 1).groups("merchant") == {}


def test_small_groups_that_are_ten_people_together_are_one_row() -> None:
    total = counts_of("inn", MIN_GROUP - 1, 2)
    total.add(counts_of("lodge", 1, 1))
    assert total.groups("merchant") == {SMALL_GROUPS: {"people": MIN_GROUP, MORE: 3, LESS: 0, OTHER: 0}}


def test_a_row_has_each_direction_and_the_largest_is_first() -> None:
    rows = plain_rows(Counter({("b", MORE): 1, ("a", LESS): 1, ("c", OTHER): 1, ("c", MORE): 1}))
    assert rows == [
        {"name": "c", MORE: 1, LESS: 0, OTHER: 1},
        {"name": "a", MORE: 0, LESS: 1, OTHER: 0},
        {"name": "b", MORE: 1, LESS: 0, OTHER: 0},
    ]
