"""Patterns ask lists and the day that is looked from, as every other condition does."""

import pytest

from engine.lang.check import release_of
from engine.watch import Event, flags
from engine.watchers import Watchers
from tests.engine.small import DAY, KINDS, SCHEMA, base

DAY_LENGTH = 86_400_000_000  # microseconds
READ = ("trust.yaml", "when: recent, points", "when: watch.thrice, points")


def raised(where: str, day: int) -> tuple[bool, bool]:
    """Whether one missed bill from Cairo, due on 2024-02-10 and missed on 2024-02-20, raises the flag: twice told."""
    files = base()
    for file, replace, by in (
        READ,
        ("watch.yaml", "{event: bill.missed, times: 3}", f"{{event: bill.missed, {where}}}"),
    ):
        assert files[file].count(replace) == 1
        files[file] = files[file].replace(replace, by)
    program = release_of(files, SCHEMA, KINDS).at(day)
    event = Event("bill.missed", "subject", (DAY - 10) * DAY_LENGTH, {"bill": "Cairo", "amount": 5, "due": DAY - 20})
    watchers = Watchers(program)
    try:
        asked = ([event], day * DAY_LENGTH, {"credit"})
        return bool(flags(program, *asked)["watch.thrice"]), bool(watchers.flags(*asked)["watch.thrice"])
    finally:
        watchers.close()


@pytest.mark.parametrize(("day", "expected"), [(DAY - 1, True), (DAY, False)])
def test_an_entry_of_a_list_holds_in_a_pattern_until_the_day_it_ends(day: int, expected: bool) -> None:
    """`small` lists Cairo until 2024-03-01, which is DAY."""
    assert raised("where: bill in lists.towns", day) == (expected, expected)


@pytest.mark.parametrize(("day", "expected"), [(DAY - 10, True), (DAY, False)])
def test_a_pattern_may_ask_for_the_day_that_is_looked_from(day: int, expected: bool) -> None:
    """Ten days after DAY - 20 is DAY - 10."""
    assert raised("where: as_of - due <= 10d", day) == (expected, expected)
