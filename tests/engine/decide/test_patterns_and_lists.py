"""Check that patterns read lists and the day of the decision as every other condition does."""

import pytest

from engine.decide.pattern_evaluators import PatternEvaluators
from engine.decide.patterns import PatternEvent, flags
from engine.lang.check.release import release_of
from tests.engine.small_rules import DAY, KINDS, SCHEMA, base

DAY_LENGTH = 86_400_000_000  # microseconds
READ_CHANGE = ("trust.yaml", "when: recent, points", "when: watch.thrice, points")


def flag_values(where: str, day: int) -> tuple[bool, bool]:
    """Whether one missed bill from Cairo, due on 2024-02-10 and missed on 2024-02-20, raises the flag, by two engines."""
    files = base()
    for file, replace, by in (
        READ_CHANGE,
        ("watch.yaml", "{event: bill.missed, times: 3}", f"{{event: bill.missed, {where}}}"),
    ):
        assert files[file].count(replace) == 1
        files[file] = files[file].replace(replace, by)
    program = release_of(files, SCHEMA, KINDS).at(day)
    event = PatternEvent(
        "bill.missed", "subject", (DAY - 10) * DAY_LENGTH, {"bill": "Cairo", "amount": 5, "due": DAY - 20}
    )
    pattern_evaluators = PatternEvaluators(program)
    try:
        arguments = ([event], day * DAY_LENGTH, {"credit"})
        return bool(flags(program, *arguments)["watch.thrice"]), bool(
            pattern_evaluators.flags(*arguments)["watch.thrice"]
        )
    finally:
        pattern_evaluators.close()


@pytest.mark.parametrize(("day", "expected"), [(DAY - 1, True), (DAY, False)])
def test_an_entry_of_a_list_applies_in_a_pattern_until_its_last_day(day: int, expected: bool) -> None:
    """`small` lists Cairo until 2024-03-01, which is DAY."""
    assert flag_values("where: bill in lists.towns", day) == (expected, expected)


@pytest.mark.parametrize(("day", "expected"), [(DAY - 10, True), (DAY, False)])
def test_a_pattern_may_compare_with_as_of(day: int, expected: bool) -> None:
    """Ten days after DAY - 20 is DAY - 10."""
    assert flag_values("where: as_of - due <= 10d", day) == (expected, expected)
