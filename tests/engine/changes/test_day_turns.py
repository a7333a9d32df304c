"""Days of one group decide alike."""

from engine.changes.day_turns import day_group
from engine.lang.check.release import release_of
from engine.lang.model.program import Program
from tests.engine.small_rules import DAY, KINDS, SCHEMA, base, base_with

ENDS = {"Cairo": 19_783, "Aden": 19_900}  # 2024-03-01 and 2024-06-26: Cairo's entry ends in the list of towns


def program(**change: str) -> Program:
    files = base_with(change["file"], change["old"], change["new"]) if change else base()
    return release_of(files, SCHEMA, KINDS).at(DAY)


def test_an_entry_of_a_list_that_ends_parts_the_days_there() -> None:
    rules = [program()]
    groups = [day_group(rules, ENDS["Cairo"] + shift) for shift in (-900, -1, 0, 1, 900)]
    assert groups[0] == groups[1]
    assert groups[2] == groups[3] == groups[4]
    assert groups[1] != groups[2]


def test_the_lists_of_all_programs_count() -> None:
    other = program(file="lists/towns.yaml", old="{value: Basra}", new="{value: Basra, until: 2024-06-26}")
    days = (ENDS["Cairo"] - 1, ENDS["Cairo"], ENDS["Aden"] - 1, ENDS["Aden"])
    assert len({day_group([program(), other], day) for day in days}) == 3
    assert len({day_group([other, other], day) for day in days}) == 3


def test_a_condition_on_the_day_makes_each_day_a_group_of_its_own() -> None:
    dated = program(file="perks.yaml", old="bad: credit.missed >= 3", new="bad: credit.last_missed > as_of - 9d")
    assert {day_group([program(), dated], day) for day in range(10)} == set(range(10))


def test_a_group_of_days_is_no_day() -> None:
    """The groups of two days are compared: one of them could be a day of its own."""
    assert all(day_group([program()], day) < 0 for day in (0, ENDS["Cairo"], 30_000))
