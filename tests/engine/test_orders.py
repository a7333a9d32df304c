"""Orders: every state and event by hand, durable-rules against the reference, and that no story leaves the table."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.catalogue import kinds, schema
from api.releases.rules_folder import rule_files
from engine.decide import Reference
from engine.errors import EngineError
from engine.lang.check import release_of
from engine.lang.online import Online
from engine.lang.program import NONE, ORDERS, Orders, Program
from engine.lang.types import Value
from engine.orders import WRONG_STATE, Moved, asked_of, move
from tests.effort import pairs
from tests.engine.random_orders import LENGTH, NOW, drawn, orders_file, program_of, values
from tests.engine.small import DAY, KINDS, SCHEMA, base, release

NOTHING = Moved("", "", "", WRONG_STATE)


@contextmanager
def opened(program: Program) -> Iterator[Online]:
    engine = Online(program)
    try:
        yield engine
    finally:
        engine.close()


@cache
def shipped() -> Program:
    files, _ = rule_files(Path(__file__).parents[2] / "rules")
    return release_of(files, schema(), kinds()).at(DAY)


def orders(program: Program) -> Orders:
    assert program.orders
    return program.orders


def made(program: Program, state: str, event: str, given: Mapping[str, Value | None]) -> Moved:
    """The move, by the reference and by durable-rules."""
    asked = {**given, **asked_of(state, event)}
    expected = move(Reference(program), asked, DAY)
    with opened(program) as engine:
        assert move(engine, asked, DAY) == expected
    return expected


SMALL: dict[tuple[str, str], str] = {
    (NONE, "create"): "open",
    ("open", "use"): "used",
    ("open", "cancel"): "off",
    ("used", "pay"): "paid",
}
GOOD: dict[str, Value | None] = {"person.unpaid": 0, "event.total": 100, "order.waived": 100}


@pytest.mark.parametrize("event", ["create", "use", "pay", "cancel"])
@pytest.mark.parametrize("state", [NONE, "open", "used", "paid", "off"])
def test_every_state_and_event_of_the_small_orders(state: str, event: str) -> None:
    to = SMALL.get((state, event))
    assert made(release(), state, event, GOOD) == (Moved(event, to, "", "") if to else NOTHING)


@pytest.mark.parametrize(
    ("state", "event", "changed", "expected"),
    [
        (NONE, "create", {"person.unpaid": 1}, Moved("", "", "too_many", "overdue")),
        (NONE, "create", {"person.unpaid": None}, Moved("", "", "too_many", "overdue")),  # unknown: refuse
        ("open", "create", {"person.unpaid": 1}, Moved("", "", "too_many", "overdue")),  # whatever the state
        ("open", "cancel", {"person.unpaid": 1}, Moved("cancel", "off", "", "")),  # it is of creating only
        ("open", "use", {"event.total": 101}, NOTHING),
        ("open", "use", {"event.total": None}, NOTHING),  # unknown is not met
        ("open", "use", {"order.waived": None}, NOTHING),
        (
            "used",
            "pay",
            {"event.total": None, "order.waived": None, "person.unpaid": None},
            Moved("pay", "paid", "", ""),
        ),
    ],
)
def test_conditions_of_the_small_orders(
    state: str, event: str, changed: dict[str, Value | None], expected: Moved
) -> None:
    assert made(release(), state, event, GOOD | changed) == expected


SHIPPED: dict[tuple[str, str], str] = {
    (NONE, "create"): "created",
    ("created", "confirm"): "in_service",
    ("created", "cancel"): "cancelled",
    ("in_service", "cancel"): "cancelled",
    ("in_service", "complete"): "due",
    ("due", "modify"): "due",
    ("due", "pay"): "settled",
    ("overdue", "pay"): "settled",
    ("created", "clock"): "expired",
    ("due", "clock"): "overdue",
}
# An order of 1,000 created thirty days ago, used for a week, and due now; the person owes nothing and has two in service.
ORDER: dict[str, Value | None] = {
    **{"order.mode": "waive_first", "order.waived": 1_000, "order.ceiling": 1_000, "order.total": 1_000},
    **{"order.created": NOW - 30 * LENGTH, "order.due": NOW, "event.at": NOW, "event.total": 999, "event.damage": 0},
    **{
        "event.starts": NOW - 7 * LENGTH,
        "event.ends": NOW,
        "person.in_service": 2,
        "person.unpaid": 0,
        "person.overdue": 0,
    },
}


@pytest.mark.parametrize("event", ["create", "confirm", "cancel", "complete", "modify", "pay", "clock"])
@pytest.mark.parametrize("state", [NONE, "created", "in_service", "due", "overdue", "settled", "cancelled", "expired"])
def test_every_state_and_event_of_the_shipped_orders(state: str, event: str) -> None:
    found, to = made(shipped(), state, event, ORDER), SHIPPED.get((state, event))
    assert (found.to, found.code) == ((to, "") if to else ("", WRONG_STATE))


@pytest.mark.parametrize(
    ("event", "changed", "code"),
    [
        ("create", {"person.unpaid": 1}, "due_outstanding"),
        ("create", {"person.unpaid": 1, "person.overdue": 1}, "overdue_outstanding"),
        ("create", {"person.unpaid": None}, "due_outstanding"),
        ("create", {"person.overdue": None}, "overdue_outstanding"),
        ("create", {"person.in_service": 3}, "too_many_open"),
        ("create", {"person.in_service": None}, "too_many_open"),
        ("create", {"person.in_service": 3, "person.unpaid": 1}, "due_outstanding"),  # the first in the file
        ("complete", {"event.starts": NOW + 1}, "bad_time_range"),
        ("complete", {"event.ends": NOW + 1, "event.starts": NOW}, "bad_time_range"),  # after the moment it is told
        ("complete", {"event.starts": None}, "bad_time_range"),
        ("complete", {"event.starts": NOW, "event.ends": NOW}, ""),
        ("complete", {"event.total": 1_000}, ""),
        ("complete", {"event.total": 1_001}, "over_ceiling"),
        ("complete", {"event.total": 1_001, "order.mode": "enjoy_first"}, "over_ceiling"),
        ("complete", {"event.total": 1_001, "order.mode": "enjoy_first", "order.ceiling": 1_001}, ""),
        ("complete", {"order.mode": None, "event.total": 1_000}, ""),  # within both: whichever it is
        ("complete", {"order.mode": None, "event.total": 1_001}, "over_ceiling"),
        ("complete", {"event.damage": 1_001}, "over_ceiling"),
        ("complete", {"event.damage": None}, ""),  # unknown: pass
        ("modify", {"event.total": 1_000}, "only_downwards"),
        ("modify", {"event.total": None}, "only_downwards"),
    ],
)
def test_what_the_shipped_orders_refuse(event: str, changed: dict[str, Value | None], code: str) -> None:
    state = {"create": NONE, "complete": "in_service", "modify": "due"}[event]
    found = made(shipped(), state, event, ORDER | changed)
    assert found.code == code
    assert bool(found.refusal) == bool(code)
    assert bool(found.to) != bool(code)


@pytest.mark.parametrize(
    ("state", "changed", "to"),
    [
        ("created", {"order.created": NOW - 30 * LENGTH + 1}, ""),
        ("created", {"order.created": None}, ""),
        ("due", {"order.due": NOW + 1}, ""),
        ("due", {"order.due": NOW - 1}, "overdue"),
        ("due", {"order.due": None}, ""),
        ("overdue", {"order.due": NOW - 1}, ""),
    ],
)
def test_the_clock_moves_orders_to_the_microsecond(state: str, changed: dict[str, Value | None], to: str) -> None:
    assert made(shipped(), state, "clock", ORDER | changed).to == to


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order.wavied", 100),
        ("order.waived", -1),
        ("order.waived", 1.5),
        ("order.waived", True),
        ("order.waived", "100"),
        ("order.mode", "later"),
        ("order.state", "lost"),
        ("order.state", 0),
        ("event.kind", "steal"),
        ("event.at", "2024-03-01T00:00:00Z"),
        ("person.unpaid", 10**6 + 1),
        ("x" * 1_000, 1),
    ],
)
def test_a_value_that_orders_have_not_makes_no_move(name: str, value: Any) -> None:
    asked = {**GOOD, **asked_of("open", "use"), name: value}
    with pytest.raises(EngineError, match=f"the value of `{name[:60]}` is not one of an order"):
        move(Reference(release()), asked, DAY)


def test_rules_without_orders_say_so() -> None:
    files = {name: text for name, text in base().items() if name != "orders.yaml"}
    with pytest.raises(EngineError, match="say nothing of orders"):
        move(Reference(release_of(files, SCHEMA, KINDS).at(DAY)), asked_of("open", "use"), DAY)


@settings(
    max_examples=pairs(25, 400),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
@given(seed=st.integers(0, 2**64))
def test_durable_rules_moves_as_the_reference_does(seed: int) -> None:
    chooser = Random(seed)
    program = drawn(chooser)
    reference = Reference(program)
    with opened(program) as engine:
        for _ in range(60):
            asked = values(chooser, orders(program))
            day = DAY + chooser.choice([-1, 0, 1])
            dated = {**asked, "as_of": day}
            assert engine.statuses(ORDERS, dated) == reference.statuses(ORDERS, dated), (asked, program.orders)
            assert move(engine, asked, day) == move(reference, asked, day), (asked, program.orders)


@settings(
    max_examples=pairs(25, 400),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
@given(seed=st.integers(0, 2**64))
def test_no_story_leaves_the_table_or_what_is_final(seed: int) -> None:
    chooser = Random(seed)
    program = drawn(chooser)
    life, engine = orders(program), Reference(program)
    for _ in range(20):
        state = NONE
        for _ in range(30):
            found = move(engine, values(chooser, life, state), DAY)
            assert bool(found.to) != bool(found.code), "a move or a refusal, never both, never neither"
            if not found.to:
                continue
            assert found.to in life.states
            assert state not in life.final or found.to == state
            assert state != NONE or found.to == life.initial
            state = found.to


def test_random_orders_reach_their_ends() -> None:
    """Otherwise the property above would be of no worth."""
    ended = 0
    for seed in range(20):
        chooser = Random(seed)
        program = drawn(chooser)
        life, state = orders(program), NONE
        for _ in range(200):
            state = move(Reference(program), values(chooser, life, state), DAY).to or state
        ended += state in life.final
    assert ended >= 10


def test_a_refusal_that_begins_on_a_day_stands_from_it_on() -> None:
    file = {
        **{"kind": "orders", "states": ["s0", "s1"], "initial": "s0", "final": ["s1"], "events": ["e0", "e1"]},
        "refusals": [{"id": "r", "on": ["e0"], "when": "true", "unknown": "pass", "code": "no", "from": "2024-03-01"}],
        "moves": [
            {"id": "a", "on": "e0", "from": ["none"], "to": "s0"},
            {"id": "b", "on": "e1", "from": ["s0"], "to": "s1"},
        ],
    }
    found = {day: program_of(file, day) for day in (DAY - 1, DAY)}
    codes = {day: move(Reference(p), asked_of(NONE, "e0"), day).code for day, p in found.items() if p}
    assert codes == {DAY - 1: "", DAY: "no"}


def test_orders_that_are_drawn_again_differ() -> None:
    assert len({json.dumps(orders_file(Random(seed))) for seed in range(50)}) == 50
