"""Check flags: patterns worked out by hand, and durable-rules against two independent implementations."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as fixed_seed
from hypothesis import strategies as st

from engine.decide import patterns
from engine.decide.pattern_evaluators import PatternEvaluators
from engine.decide.patterns import PatternEvent
from engine.errors import EngineError
from engine.lang.model.patterns import Pattern
from engine.lang.model.program import Program
from engine.lang.model.types import Value
from tests.effort import by_effort
from tests.engine.lang.engines.test_durable import MEGABYTE, needs_proc, resident
from tests.engine.random_events import (
    DAYS,
    START,
    as_ofs,
    event_at,
    flag,
    flag_files,
    greedy_match,
    program_with_flags,
    random_events,
    visible,
)

CLASSES = ("credit", "behaviour", "relationship", "restricted")
MISSED = {"event": "bill.missed"}
THRICE = flag("thrice", {"event": "bill.missed", "times": 3}, within="30d")
MONTH = 30 * DAYS


@contextmanager
def open_evaluators(program: Program) -> Iterator[PatternEvaluators]:
    pattern_evaluators = PatternEvaluators(program)
    try:
        yield pattern_evaluators
    finally:
        pattern_evaluators.close()


def flag_value(
    pattern_spec: dict[str, Any],
    events: list[PatternEvent],
    as_of: int = 400 * DAYS,
    consented: tuple[str, ...] = CLASSES,
    **file: Any,
) -> Value | None:
    """Whether the flag is raised; the reference, durable-rules and the greedy implementation agree."""
    program = program_with_flags(pattern_spec, **file)
    with open_evaluators(program) as pattern_evaluators:
        flags = pattern_evaluators.flags(events, START + as_of, consented)
    assert flags == patterns.flags(program, events, START + as_of, consented)
    assert list(flags) == [f"watch.{pattern_spec['id']}"]
    pattern, value = program.watch[0], flags[f"watch.{pattern_spec['id']}"]
    assert value in (None, greedy_match(pattern, sorted(events, key=lambda e: e.at), START + as_of))
    return value


def misses(*at: int, **fields: Value) -> list[PatternEvent]:
    return [event_at("bill.missed", a, **fields) for a in at]


@pytest.mark.parametrize(
    ("at", "up"),
    [
        ((0, 10 * DAYS, 20 * DAYS), True),
        ((0, 10 * DAYS, MONTH), True),  # thirty days to the microsecond are within
        ((0, 10 * DAYS, MONTH + 1), False),
        ((0, MONTH, MONTH), True),
        ((0, 0, 0), True),  # three at one moment are three
        ((0, MONTH), False),
        ((), False),
        ((0, MONTH + 1, MONTH + 2, 2 * MONTH + 1), True),  # the last three are within thirty days
        ((0, 20 * DAYS, 40 * DAYS, 60 * DAYS), False),
        ((0, 1, 40 * DAYS, 40 * DAYS + 1, 80 * DAYS, 80 * DAYS + 1), False),  # pairs, never three
    ],
)
def test_three_misses_within_thirty_days_raise_a_flag(at: tuple[int, ...], up: bool) -> None:
    assert flag_value(THRICE, misses(*at)) is up
    assert flag_value(THRICE, misses(*reversed(at))) is up, "in whatever order they became known"


def test_events_that_are_not_yet_visible_do_not_raise_a_flag() -> None:
    events = misses(0, 1, 2)
    assert flag_value(THRICE, visible(events, START + 1), 1) is False
    assert flag_value(THRICE, visible(events, START + 2), 2) is True


def test_a_pattern_of_one_event() -> None:
    pattern = flag("once", MISSED, within="1s")
    assert flag_value(pattern, misses(0)) is True
    assert flag_value(pattern, []) is False
    assert flag_value(pattern, [event_at("payment", 0, other="bob", amount=5)]) is False


@pytest.mark.parametrize(("as_of", "up"), [(0, True), (MONTH - 1, True), (MONTH, False), (MONTH + 1, False)])
def test_a_flag_lasts_from_the_last_of_its_events(as_of: int, up: bool) -> None:
    lasting = flag("thrice", {**MISSED, "times": 3}, within="30d", lasts="30d")
    assert flag_value(lasting, misses(-20 * DAYS, -10 * DAYS, 0), as_of) is up


def test_a_flag_that_lasts_is_raised_by_the_latest_match() -> None:
    lasting = flag("twice", {**MISSED, "times": 2}, within="1d", lasts="1d")
    assert (
        flag_value(lasting, misses(0, 1, 50 * DAYS), 50 * DAYS) is False
    )  # the match was long ago, and the last event is not part of one
    assert flag_value(lasting, misses(0, 1, 50 * DAYS, 50 * DAYS + 1), 50 * DAYS + 2) is True


def test_without_lasts_a_flag_stays_while_its_events_are_visible() -> None:
    assert flag_value(THRICE, misses(0, 1, 2), 20_000 * DAYS) is True


def test_events_of_a_match_agree_in_the_same_fields() -> None:
    same = flag("same", {**MISSED, "times": 2}, same=["bill"])
    assert flag_value(same, misses(0, 1, bill="b1")) is True
    assert flag_value(same, [*misses(0, bill="b1"), *misses(1, bill="b2")]) is False
    assert flag_value(same, [*misses(0, bill="b1"), *misses(1, bill="b2"), *misses(2, bill="b1")]) is True
    both = flag("both", {**MISSED, "times": 2}, same=["bill", "amount"])
    assert flag_value(both, [*misses(0, bill="b1", amount=5), *misses(1, bill="b1", amount=6)]) is False


def test_an_event_that_lacks_such_a_field_matches_nothing() -> None:
    same = flag("same", {**MISSED, "times": 2}, same=["bill"])
    assert flag_value(same, misses(0, 1)) is False
    assert flag_value(flag("one", MISSED, same=["bill"]), misses(0)) is False
    assert flag_value(flag("one", MISSED), misses(0)) is True


def test_an_unknown_condition_is_not_met() -> None:
    large = flag("large", {**MISSED, "where": "amount >= 100"})
    assert flag_value(large, misses(0)) is False
    assert flag_value(flag("small", {**MISSED, "where": "not amount >= 100"}), misses(0)) is False
    assert flag_value(flag("none", {**MISSED, "where": "missing(amount)"}), misses(0)) is True
    assert flag_value(large, misses(0, amount=100)) is True


@pytest.mark.parametrize(
    ("role", "sides", "up"),
    [
        ("subject", ("subject", "subject"), True),
        ("subject", ("subject", "other"), False),
        ("other", ("other", "other"), True),
        ("other", ("subject", "other"), False),
        ("either", ("subject", "other"), True),
    ],
)
def test_a_step_matches_the_role_of_the_person(role: str, sides: tuple[str, ...], up: bool) -> None:
    paid = flag("paid", {"event": "payment", "role": role, "times": 2})
    assert flag_value(paid, [event_at("payment", n, side, other="bob") for n, side in enumerate(sides)]) is up


PAID = {"event": "payment", "where": "amount >= 100"}
FRIEND = flag("friend", PAID, {"event": "tie", "role": "either"}, within="1d", same=["other"])


@pytest.mark.parametrize(
    ("events", "up"),
    [
        ([("payment", 0, "bob"), ("tie", DAYS, "bob")], True),
        ([("payment", 0, "bob"), ("tie", DAYS + 1, "bob")], False),
        ([("payment", 0, "bob"), ("tie", 5, "cy")], False),  # to someone else
        ([("tie", 0, "bob"), ("payment", 5, "bob")], False),  # in the other direction
        (
            [("payment", 0, "bob"), ("tie", 0, "bob")],
            True,
        ),  # at the same moment: in the order in which they became known
        ([("tie", 0, "bob"), ("payment", 0, "bob")], False),
        ([("payment", 0, "bob"), ("payment", 9, "cy"), ("tie", DAYS + 1, "cy"), ("tie", DAYS + 2, "bob")], True),
    ],
)
def test_a_payment_to_someone_and_within_a_day_a_tie_to_them(events: list[tuple[str, int, str]], up: bool) -> None:
    history = [event_at(k, at, other=party, **({"amount": 100} if k == "payment" else {})) for k, at, party in events]
    assert flag_value(FRIEND, history) is up


def test_one_event_matches_only_one_step() -> None:
    twice = flag("twice", {"event": "payment"}, {"event": "payment", "where": "amount >= 100"})
    assert flag_value(twice, [event_at("payment", 0, amount=500)]) is False
    assert flag_value(twice, [event_at("payment", 0, amount=500), event_at("payment", 0, amount=500)]) is True
    assert flag_value(twice, [event_at("payment", 0, amount=500), event_at("payment", 1, amount=5)]) is False
    assert flag_value(twice, [event_at("payment", 0, amount=5), event_at("payment", 1, amount=500)]) is True


def test_a_later_start_of_a_match_is_not_lost() -> None:
    """A, A, B: only the second A is near enough to B."""
    ab = flag("ab", {"event": "payment"}, MISSED, within="1d")
    pays = [event_at("payment", 0), event_at("payment", 3 * DAYS)]
    assert flag_value(ab, [*pays, *misses(4 * DAYS)]) is True
    assert flag_value(ab, [pays[0], *misses(4 * DAYS)]) is False


@pytest.mark.parametrize("class_", ["behaviour", "relationship"])
def test_a_flag_is_missing_unless_every_class_of_its_events_is_consented_to(class_: str) -> None:
    events = [event_at("payment", 0, other="bob", amount=100), event_at("tie", 1, other="bob")]
    other_classes = tuple(c for c in CLASSES if c != class_)
    assert flag_value(FRIEND, events) is True
    assert flag_value(FRIEND, events, consented=other_classes) is None
    assert flag_value(FRIEND, [], consented=other_classes) is None
    assert flag_value(FRIEND, events, consented=("behaviour", "relationship")) is True


def test_only_flags_that_rules_read_are_raised() -> None:
    program = program_with_flags(THRICE)
    unread = program_with_flags()
    assert [p.flag for p in program.flags] == ["watch.thrice"]
    with open_evaluators(unread) as pattern_evaluators:
        assert pattern_evaluators.flags(misses(0, 1, 2), START, CLASSES) == {}


def test_unread_flags_are_raised_on_request() -> None:
    program = program_with_flags(THRICE, flags=[THRICE, flag("once", MISSED, within="1d")])
    assert patterns.flags(program, misses(0), START, CLASSES) == {"watch.thrice": False}
    all_flags = patterns.flags(program, misses(0), START, CLASSES, unread=True)
    assert all_flags == {"watch.thrice": False, "watch.once": True}


@pytest.mark.parametrize("name", ["b", "b" * 5_000, "\0", '"}]', "é\ud800", "日本 \n\t", "', '--", "1", "true", ""])
def test_ids_hold_any_characters(name: str) -> None:
    """We never pass ids to durable-rules, which compares names by hashes and cuts strings."""
    same = flag("same", {**MISSED, "times": 2}, same=["bill"])
    assert flag_value(same, misses(0, 1, bill=name)) is True
    assert flag_value(same, [*misses(0, bill=name), *misses(1, bill=name + "x")]) is False


def test_an_event_with_forty_fields() -> None:
    fields: dict[str, Value] = {f"field_{n}": n for n in range(40)}
    wide = [
        PatternEvent("bill.missed", "subject", START + n, {**fields, "bill": "b1", "amount": 500}) for n in range(3)
    ]
    assert flag_value(flag("wide", {**MISSED, "times": 3, "where": "amount == 500"}, same=["bill"]), wide) is True


def test_the_longest_pattern_over_the_longest_time() -> None:
    """Eight events, and a deadline far beyond 2^53 microseconds."""
    long = flag("long", {**MISSED, "times": 8}, within="999999d")
    times = [n * 3_000 * DAYS for n in range(8)]
    assert flag_value(long, misses(*times), 30_000 * DAYS) is True
    assert flag_value(long, misses(*times[:7]), 30_000 * DAYS) is False
    assert flag_value(flag("near", {**MISSED, "times": 8}, within="1s"), misses(*range(8))) is True


def test_moments_before_1970() -> None:
    before = -START - 10 * DAYS
    assert flag_value(THRICE, misses(before, before + 1, before + MONTH)) is True
    assert flag_value(THRICE, misses(before, before + 1, before + MONTH + 1)) is False


class FlagCounts(Counter[bool]):
    """How often random histories raised a flag, and how often not."""

    def __repr__(self) -> str:
        return f"{self[True]} raised, {self[False]} not"


@pytest.fixture(scope="module")
def flag_counts() -> Iterator[FlagCounts]:
    counts = FlagCounts()
    yield counts
    assert 0.2 < counts[True] / counts.total() < 0.8, counts


@settings(
    max_examples=by_effort(35, 1_000),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
@fixed_seed(3)  # of histories that raise a flag, and of those that do not, there are many
@given(flags=flag_files(3), seed=st.integers(0, 2**32))
def test_durable_rules_raises_the_same_flags_as_the_reference(
    flags: list[Any], seed: int, flag_counts: FlagCounts
) -> None:
    """The reference tries every choice among up to nine events."""
    chooser, program = Random(seed), program_with_flags(*flags)
    with open_evaluators(program) as pattern_evaluators:
        for pattern in program.watch:
            for count in (0, 3, 6, 9):
                flag_counts.update(
                    _assert_agreement(
                        pattern_evaluators, pattern, chooser, random_events(chooser, pattern, count), slow=True
                    )
                )


@settings(
    max_examples=by_effort(6, 120),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
@given(flags=flag_files(2), seed=st.integers(0, 2**32))
def test_long_event_lists_match_the_reference(flags: list[Any], seed: int) -> None:
    chooser, program = Random(seed), program_with_flags(*flags)
    with open_evaluators(program) as pattern_evaluators:
        for pattern in program.watch:
            list(
                _assert_agreement(
                    pattern_evaluators, pattern, chooser, random_events(chooser, pattern, 200), slow=False
                )
            )


def _assert_agreement(
    pattern_evaluators: PatternEvaluators, pattern: Pattern, chooser: Random, events: list[PatternEvent], *, slow: bool
) -> Iterator[bool]:
    assert all(a.at <= b.at for a, b in pairwise(events))
    for as_of in as_ofs(chooser, pattern, events):
        actual = pattern_evaluators.is_raised(pattern, events, as_of)
        assert actual == greedy_match(pattern, events, as_of), (pattern, events, as_of)
        assert not slow or actual == patterns.reference_match(pattern, events, as_of), (pattern, events, as_of)
        yield actual


def test_closed_evaluators_raise_an_error() -> None:
    pattern_evaluators = PatternEvaluators(program_with_flags(THRICE))
    assert pattern_evaluators.flags(misses(0, 1, 2), START + 9, CLASSES) == {"watch.thrice": True}
    pattern_evaluators.close()
    pattern_evaluators.close()
    with pytest.raises(EngineError, match="closed"):
        pattern_evaluators.flags(misses(0, 1, 2), START + 9, CLASSES)


def test_eight_threads_may_share_the_evaluators() -> None:
    program = program_with_flags(THRICE, FRIEND)
    stories = [misses(*(n % 3 * 11 * DAYS * k for k in range(3))) for n in range(200)]
    expected = [patterns.flags(program, s, START + MONTH, CLASSES) for s in stories]
    with open_evaluators(program) as pattern_evaluators, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda s: pattern_evaluators.flags(s, START + MONTH, CLASSES), stories)) == expected
    assert {w["watch.thrice"] for w in expected} == {True, False}


@needs_proc
def test_evaluation_does_not_leak_memory() -> None:
    program = program_with_flags(flag("five", {"event": "payment", "times": 5}, within="30d", same=["other"]))
    events = random_events(Random(1), program.watch[0], 100)
    with open_evaluators(program) as pattern_evaluators:

        def watch(times: int) -> None:
            for _ in range(times):
                pattern_evaluators.is_raised(program.watch[0], events, events[-1].at)

        watch(20)
        before = resident()
        watch(180)
        assert resident() - before < 10 * MEGABYTE


@needs_proc
def test_opening_and_closing_does_not_leak_memory() -> None:
    program = program_with_flags(THRICE, FRIEND)

    def cycle(times: int) -> None:
        for _ in range(times):
            with open_evaluators(program) as pattern_evaluators:
                pattern_evaluators.flags(misses(0, 1, 2), START + 9, CLASSES)

    cycle(50)
    before = resident()
    cycle(450)
    assert resident() - before < 10 * MEGABYTE
