"""Flags: patterns worked out by hand, and durable-rules against two meanings of them that owe it nothing."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine import watch
from engine.errors import EngineError
from engine.lang.program import Pattern, Program
from engine.lang.types import Value
from engine.watch import Event
from engine.watchers import Watchers
from tests.effort import pairs
from tests.engine.lang.test_online import MEGABYTE, needs_proc, resident
from tests.engine.random_events import (
    DAYS,
    START,
    as_ofs,
    crowd_of,
    flag,
    flag_files,
    greedy,
    happened,
    visible,
    watching,
)

CLASSES = ("credit", "behaviour", "relationship", "restricted")
MISSED = {"event": "bill.missed"}
THRICE = flag("thrice", {"event": "bill.missed", "times": 3}, within="30d")
MONTH = 30 * DAYS


@contextmanager
def opened(program: Program) -> Iterator[Watchers]:
    watchers = Watchers(program)
    try:
        yield watchers
    finally:
        watchers.close()


def raised(
    of: dict[str, Any], events: list[Event], as_of: int = 400 * DAYS, consented: tuple[str, ...] = CLASSES, **file: Any
) -> Value | None:
    """Whether the flag is raised; the reference, durable-rules and the greedy meaning agree on it."""
    program = watching(of, **file)
    with opened(program) as watchers:
        found = watchers.flags(events, START + as_of, consented)
    assert found == watch.flags(program, events, START + as_of, consented)
    assert list(found) == [f"watch.{of['id']}"]
    pattern, value = program.watch[0], found[f"watch.{of['id']}"]
    assert value in (None, greedy(pattern, sorted(events, key=lambda e: e.at), START + as_of))
    return value


def misses(*at: int, **fields: Value) -> list[Event]:
    return [happened("bill.missed", a, **fields) for a in at]


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
def test_three_missed_within_thirty_days(at: tuple[int, ...], up: bool) -> None:
    assert raised(THRICE, misses(*at)) is up
    assert raised(THRICE, misses(*reversed(at))) is up, "in whatever order they became known"


def test_what_is_not_yet_there_does_not_raise_it() -> None:
    events = misses(0, 1, 2)
    assert raised(THRICE, visible(events, START + 1), 1) is False
    assert raised(THRICE, visible(events, START + 2), 2) is True


def test_a_pattern_of_one_event() -> None:
    once = flag("once", MISSED, within="1s")
    assert raised(once, misses(0)) is True
    assert raised(once, []) is False
    assert raised(once, [happened("payment", 0, other="bob", amount=5)]) is False


@pytest.mark.parametrize(("as_of", "up"), [(0, True), (MONTH - 1, True), (MONTH, False), (MONTH + 1, False)])
def test_a_flag_lasts_from_the_last_of_its_events(as_of: int, up: bool) -> None:
    lasting = flag("thrice", {**MISSED, "times": 3}, within="30d", lasts="30d")
    assert raised(lasting, misses(-20 * DAYS, -10 * DAYS, 0), as_of) is up


def test_a_flag_that_lasts_is_raised_by_the_latest_match() -> None:
    lasting = flag("twice", {**MISSED, "times": 2}, within="1d", lasts="1d")
    assert raised(lasting, misses(0, 1, 50 * DAYS), 50 * DAYS) is False  # the match is long ago, the last event is none
    assert raised(lasting, misses(0, 1, 50 * DAYS, 50 * DAYS + 1), 50 * DAYS + 2) is True


def test_without_lasts_it_stays_for_as_long_as_its_events_are_seen() -> None:
    assert raised(THRICE, misses(0, 1, 2), 20_000 * DAYS) is True


def test_events_of_a_match_are_alike_in_the_fields_that_must_be_the_same() -> None:
    same = flag("same", {**MISSED, "times": 2}, same=["bill"])
    assert raised(same, misses(0, 1, bill="b1")) is True
    assert raised(same, [*misses(0, bill="b1"), *misses(1, bill="b2")]) is False
    assert raised(same, [*misses(0, bill="b1"), *misses(1, bill="b2"), *misses(2, bill="b1")]) is True
    both = flag("both", {**MISSED, "times": 2}, same=["bill", "amount"])
    assert raised(both, [*misses(0, bill="b1", amount=5), *misses(1, bill="b1", amount=6)]) is False


def test_an_event_that_lacks_such_a_field_matches_nothing() -> None:
    same = flag("same", {**MISSED, "times": 2}, same=["bill"])
    assert raised(same, misses(0, 1)) is False
    assert raised(flag("one", MISSED, same=["bill"]), misses(0)) is False
    assert raised(flag("one", MISSED), misses(0)) is True


def test_an_unknown_condition_is_not_met() -> None:
    large = flag("large", {**MISSED, "where": "amount >= 100"})
    assert raised(large, misses(0)) is False
    assert raised(flag("small", {**MISSED, "where": "not amount >= 100"}), misses(0)) is False
    assert raised(flag("none", {**MISSED, "where": "missing(amount)"}), misses(0)) is True
    assert raised(large, misses(0, amount=100)) is True


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
def test_a_step_says_on_which_side_the_person_is(role: str, sides: tuple[str, ...], up: bool) -> None:
    paid = flag("paid", {"event": "payment", "role": role, "times": 2})
    assert raised(paid, [happened("payment", n, side, other="bob") for n, side in enumerate(sides)]) is up


PAID = {"event": "payment", "where": "amount >= 100"}
FRIEND = flag("friend", PAID, {"event": "tie", "role": "either"}, within="1d", same=["other"])


@pytest.mark.parametrize(
    ("events", "up"),
    [
        ([("payment", 0, "bob"), ("tie", DAYS, "bob")], True),
        ([("payment", 0, "bob"), ("tie", DAYS + 1, "bob")], False),
        ([("payment", 0, "bob"), ("tie", 5, "cy")], False),  # to someone else
        ([("tie", 0, "bob"), ("payment", 5, "bob")], False),  # the other way round
        ([("payment", 0, "bob"), ("tie", 0, "bob")], True),  # at one moment: as they became known
        ([("tie", 0, "bob"), ("payment", 0, "bob")], False),
        ([("payment", 0, "bob"), ("payment", 9, "cy"), ("tie", DAYS + 1, "cy"), ("tie", DAYS + 2, "bob")], True),
    ],
)
def test_a_payment_to_someone_and_within_a_day_a_tie_to_them(events: list[tuple[str, int, str]], up: bool) -> None:
    told = [happened(k, at, other=who, **({"amount": 100} if k == "payment" else {})) for k, at, who in events]
    assert raised(FRIEND, told) is up


def test_one_event_is_one_step_only() -> None:
    twice = flag("twice", {"event": "payment"}, {"event": "payment", "where": "amount >= 100"})
    assert raised(twice, [happened("payment", 0, amount=500)]) is False
    assert raised(twice, [happened("payment", 0, amount=500), happened("payment", 0, amount=500)]) is True
    assert raised(twice, [happened("payment", 0, amount=500), happened("payment", 1, amount=5)]) is False
    assert raised(twice, [happened("payment", 0, amount=5), happened("payment", 1, amount=500)]) is True


def test_a_later_beginning_is_not_lost_to_an_earlier_one() -> None:
    """A, A, B: from the second A it is near enough."""
    ab = flag("ab", {"event": "payment"}, MISSED, within="1d")
    pays = [happened("payment", 0), happened("payment", 3 * DAYS)]
    assert raised(ab, [*pays, *misses(4 * DAYS)]) is True
    assert raised(ab, [pays[0], *misses(4 * DAYS)]) is False


@pytest.mark.parametrize("class_", ["behaviour", "relationship"])
def test_a_flag_is_missing_unless_every_class_of_its_events_is_consented_to(class_: str) -> None:
    events = [happened("payment", 0, other="bob", amount=100), happened("tie", 1, other="bob")]
    others = tuple(c for c in CLASSES if c != class_)
    assert raised(FRIEND, events) is True
    assert raised(FRIEND, events, consented=others) is None
    assert raised(FRIEND, [], consented=others) is None
    assert raised(FRIEND, events, consented=("behaviour", "relationship")) is True


def test_only_flags_that_rules_read_are_raised() -> None:
    program = watching(THRICE)
    unread = watching()
    assert [p.flag for p in program.flags] == ["watch.thrice"]
    with opened(unread) as watchers:
        assert watchers.flags(misses(0, 1, 2), START, CLASSES) == {}


def test_whoever_asks_for_them_is_told_of_the_flags_that_no_rule_reads_too() -> None:
    program = watching(THRICE, flags=[THRICE, flag("once", MISSED, within="1d")])
    assert watch.flags(program, misses(0), START, CLASSES) == {"watch.thrice": False}
    everything = watch.flags(program, misses(0), START, CLASSES, unread=True)
    assert everything == {"watch.thrice": False, "watch.once": True}


@pytest.mark.parametrize("name", ["b", "b" * 5_000, "\0", '"}]', "é\ud800", "日本 \n\t", "', '--", "1", "true", ""])
def test_ids_hold_any_characters(name: str) -> None:
    """None of them is handed to durable-rules, which matches by hashes and cuts words."""
    same = flag("same", {**MISSED, "times": 2}, same=["bill"])
    assert raised(same, misses(0, 1, bill=name)) is True
    assert raised(same, [*misses(0, bill=name), *misses(1, bill=name + "x")]) is False


def test_an_event_with_forty_fields() -> None:
    fields: dict[str, Value] = {f"field_{n}": n for n in range(40)}
    wide = [Event("bill.missed", "subject", START + n, {**fields, "bill": "b1", "amount": 500}) for n in range(3)]
    assert raised(flag("wide", {**MISSED, "times": 3, "where": "amount == 500"}, same=["bill"]), wide) is True


def test_the_longest_pattern_over_the_longest_time() -> None:
    """Eight events, and a deadline far beyond 2^53 microseconds."""
    long = flag("long", {**MISSED, "times": 8}, within="999999d")
    times = [n * 3_000 * DAYS for n in range(8)]
    assert raised(long, misses(*times), 30_000 * DAYS) is True
    assert raised(long, misses(*times[:7]), 30_000 * DAYS) is False
    assert raised(flag("near", {**MISSED, "times": 8}, within="1s"), misses(*range(8))) is True


def test_moments_before_1970() -> None:
    before = -START - 10 * DAYS
    assert raised(THRICE, misses(before, before + 1, before + MONTH)) is True
    assert raised(THRICE, misses(before, before + 1, before + MONTH + 1)) is False


class Answers(Counter[bool]):
    """How often random stories raised a flag, and did not; shown in a few words."""

    def __repr__(self) -> str:
        return f"{self[True]} raised, {self[False]} not"


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    counted = Answers()
    yield counted
    assert 0.2 < counted[True] / counted.total() < 0.8, counted


@settings(
    max_examples=pairs(100, 1_000),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
@given(flags=flag_files(3), seed=st.integers(0, 2**32))
def test_durable_rules_raises_what_the_reference_raises(flags: list[Any], seed: int, answers: Answers) -> None:
    """Every choice of up to nine events is tried by the reference; four crowds a pattern."""
    chooser, program = Random(seed), watching(*flags)
    with opened(program) as watchers:
        for pattern in program.watch:
            for count in (0, 3, 6, 9):
                answers.update(_agreed(watchers, pattern, chooser, crowd_of(chooser, pattern, count), slow=True))


@settings(
    max_examples=pairs(12, 120),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
@given(flags=flag_files(2), seed=st.integers(0, 2**32))
def test_long_stories_are_read_as_they_are_from_each_beginning(flags: list[Any], seed: int) -> None:
    chooser, program = Random(seed), watching(*flags)
    with opened(program) as watchers:
        for pattern in program.watch:
            list(_agreed(watchers, pattern, chooser, crowd_of(chooser, pattern, 200), slow=False))


def _agreed(
    watchers: Watchers, pattern: Pattern, chooser: Random, events: list[Event], *, slow: bool
) -> Iterator[bool]:
    assert all(a.at <= b.at for a, b in pairwise(events))
    for as_of in as_ofs(chooser, pattern, events):
        came = watchers.raised(pattern, events, as_of)
        assert came == greedy(pattern, events, as_of), (pattern, events, as_of)
        assert not slow or came == watch.reference(pattern, events, as_of), (pattern, events, as_of)
        yield came


def test_watchers_that_are_closed_say_so() -> None:
    watchers = Watchers(watching(THRICE))
    assert watchers.flags(misses(0, 1, 2), START + 9, CLASSES) == {"watch.thrice": True}
    watchers.close()
    watchers.close()
    with pytest.raises(EngineError, match="closed"):
        watchers.flags(misses(0, 1, 2), START + 9, CLASSES)


def test_eight_threads_may_use_the_same_watchers() -> None:
    program = watching(THRICE, FRIEND)
    stories = [misses(*(n % 3 * 11 * DAYS * k for k in range(3))) for n in range(200)]
    wanted = [watch.flags(program, s, START + MONTH, CLASSES) for s in stories]
    with opened(program) as watchers, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda s: watchers.flags(s, START + MONTH, CLASSES), stories)) == wanted
    assert {w["watch.thrice"] for w in wanted} == {True, False}


@needs_proc
def test_watching_does_not_grow() -> None:
    program = watching(flag("five", {"event": "payment", "times": 5}, within="30d", same=["other"]))
    events = crowd_of(Random(1), program.watch[0], 100)
    with opened(program) as watchers:

        def watched(times: int) -> None:
            for _ in range(times):
                watchers.raised(program.watch[0], events, events[-1].at)

        watched(20)
        before = resident()
        watched(180)
        assert resident() - before < 10 * MEGABYTE


@needs_proc
def test_opening_and_closing_does_not_grow() -> None:
    program = watching(THRICE, FRIEND)

    def cycle(times: int) -> None:
        for _ in range(times):
            with opened(program) as watchers:
                watchers.flags(misses(0, 1, 2), START + 9, CLASSES)

    cycle(50)
    before = resident()
    cycle(450)
    assert resident() - before < 10 * MEGABYTE
