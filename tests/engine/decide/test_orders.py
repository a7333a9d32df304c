"""Check orders: every state and event by hand, durable-rules against the reference, and random sequences of events."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.releases.catalogue import kinds, schema
from api.releases.rules_folder import rule_files
from engine.decide.decide import ReferenceEvaluator
from engine.decide.orders import WRONG_STATE, Transition, move, state_and_event
from engine.errors import EngineError
from engine.lang.check.release import release_of
from engine.lang.engines.durable import DurableEvaluator
from engine.lang.model.program import NO_ORDER, ORDERS_STAGE, OrderLifecycle, Program
from engine.lang.model.types import Value
from tests.effort import by_effort
from tests.engine.random_orders import DAY_MICROSECONDS, NOW, order_values, orders_file, program_of, random_program
from tests.engine.small_rules import DAY, KINDS, SCHEMA, base, release
from tests.paths import RULES

NO_TRANSITION = Transition("", "", "", WRONG_STATE)


@contextmanager
def open_evaluator(program: Program) -> Iterator[DurableEvaluator]:
    evaluator = DurableEvaluator(program)
    try:
        yield evaluator
    finally:
        evaluator.close()


@cache
def shipped() -> Program:
    files, _ = rule_files(RULES)
    return release_of(files, schema(), kinds()).at(DAY)


def orders(program: Program) -> OrderLifecycle:
    assert program.orders
    return program.orders


def transition_of(program: Program, state: str, event: str, values: Mapping[str, Value | None]) -> Transition:
    """The transition, by the reference and by durable-rules."""
    order = {**values, **state_and_event(state, event)}
    expected = move(ReferenceEvaluator(program), order, DAY)
    with open_evaluator(program) as evaluator:
        assert move(evaluator, order, DAY) == expected
    return expected


SMALL: dict[tuple[str, str], str] = {
    (NO_ORDER, "create"): "open",
    ("open", "use"): "used",
    ("open", "cancel"): "off",
    ("used", "pay"): "paid",
}
GOOD: dict[str, Value | None] = {"person.unpaid": 0, "event.total": 100, "order.waived": 100}


@pytest.mark.parametrize("event", ["create", "use", "pay", "cancel"])
@pytest.mark.parametrize("state", [NO_ORDER, "open", "used", "paid", "off"])
def test_every_state_and_event_of_the_small_orders(state: str, event: str) -> None:
    to = SMALL.get((state, event))
    assert transition_of(release(), state, event, GOOD) == (Transition(event, to, "", "") if to else NO_TRANSITION)


@pytest.mark.parametrize(
    ("state", "event", "changed", "expected"),
    [
        (NO_ORDER, "create", {"person.unpaid": 1}, Transition("", "", "too_many", "overdue")),
        (NO_ORDER, "create", {"person.unpaid": None}, Transition("", "", "too_many", "overdue")),  # unknown: refuse
        ("open", "create", {"person.unpaid": 1}, Transition("", "", "too_many", "overdue")),  # in any state
        (
            "open",
            "cancel",
            {"person.unpaid": 1},
            Transition("cancel", "off", "", ""),
        ),  # this refusal is only for `create`
        ("open", "use", {"event.total": 101}, NO_TRANSITION),
        ("open", "use", {"event.total": None}, NO_TRANSITION),  # unknown is not met
        ("open", "use", {"order.waived": None}, NO_TRANSITION),
        (
            "used",
            "pay",
            {"event.total": None, "order.waived": None, "person.unpaid": None},
            Transition("pay", "paid", "", ""),
        ),
    ],
)
def test_conditions_of_the_small_orders(
    state: str, event: str, changed: dict[str, Value | None], expected: Transition
) -> None:
    assert transition_of(release(), state, event, GOOD | changed) == expected


SHIPPED: dict[tuple[str, str], str] = {
    (NO_ORDER, "create"): "created",
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
    **{
        "order.created": NOW - 30 * DAY_MICROSECONDS,
        "order.due": NOW,
        "event.at": NOW,
        "event.total": 999,
        "event.damage": 0,
    },
    **{
        "event.starts": NOW - 7 * DAY_MICROSECONDS,
        "event.ends": NOW,
        "person.in_service": 2,
        "person.unpaid": 0,
        "person.overdue": 0,
    },
}


@pytest.mark.parametrize("event", ["create", "confirm", "cancel", "complete", "modify", "pay", "clock"])
@pytest.mark.parametrize(
    "state", [NO_ORDER, "created", "in_service", "due", "overdue", "settled", "cancelled", "expired"]
)
def test_every_state_and_event_of_the_shipped_orders(state: str, event: str) -> None:
    transition, to = transition_of(shipped(), state, event, ORDER), SHIPPED.get((state, event))
    assert (transition.to, transition.code) == ((to, "") if to else ("", WRONG_STATE))


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
        ("complete", {"event.ends": NOW + 1, "event.starts": NOW}, "bad_time_range"),  # after the time limit
        ("complete", {"event.starts": None}, "bad_time_range"),
        ("complete", {"event.starts": NOW, "event.ends": NOW}, ""),
        ("complete", {"event.total": 1_000}, ""),
        ("complete", {"event.total": 1_001}, "over_ceiling"),
        ("complete", {"event.total": 1_001, "order.mode": "enjoy_first"}, "over_ceiling"),
        ("complete", {"event.total": 1_001, "order.mode": "enjoy_first", "order.ceiling": 1_001}, ""),
        ("complete", {"order.mode": None, "event.total": 1_000}, ""),  # within both limits, so either applies
        ("complete", {"order.mode": None, "event.total": 1_001}, "over_ceiling"),
        ("complete", {"event.damage": 1_001}, "over_ceiling"),
        ("complete", {"event.damage": None}, ""),  # unknown: pass
        ("modify", {"event.total": 1_000}, "total_may_only_decrease"),
        ("modify", {"event.total": None}, "total_may_only_decrease"),
    ],
)
def test_the_shipped_orders_refuse_invalid_moves(event: str, changed: dict[str, Value | None], code: str) -> None:
    state = {"create": NO_ORDER, "complete": "in_service", "modify": "due"}[event]
    transition = transition_of(shipped(), state, event, ORDER | changed)
    assert transition.code == code
    assert bool(transition.refusal) == bool(code)
    assert bool(transition.to) != bool(code)


@pytest.mark.parametrize(
    ("state", "changed", "to"),
    [
        ("created", {"order.created": NOW - 30 * DAY_MICROSECONDS + 1}, ""),
        ("created", {"order.created": None}, ""),
        ("due", {"order.due": NOW + 1}, ""),
        ("due", {"order.due": NOW - 1}, "overdue"),
        ("due", {"order.due": None}, ""),
        ("overdue", {"order.due": NOW - 1}, ""),
    ],
)
def test_the_clock_moves_orders_to_the_microsecond(state: str, changed: dict[str, Value | None], to: str) -> None:
    assert transition_of(shipped(), state, "clock", ORDER | changed).to == to


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
def test_an_unknown_value_gives_no_move(name: str, value: Any) -> None:
    order = {**GOOD, **state_and_event("open", "use"), name: value}
    with pytest.raises(EngineError, match=f"the value of `{name[:60]}` is not one of an order"):
        move(ReferenceEvaluator(release()), order, DAY)


def test_moving_an_order_without_order_rules_raises_an_error() -> None:
    files = {name: text for name, text in base().items() if name != "orders.yaml"}
    with pytest.raises(EngineError, match="say nothing of orders"):
        move(ReferenceEvaluator(release_of(files, SCHEMA, KINDS).at(DAY)), state_and_event("open", "use"), DAY)


@settings(
    max_examples=by_effort(10, 400),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
@given(seed=st.integers(0, 2**64))
def test_durable_rules_moves_as_the_reference_does(seed: int) -> None:
    chooser = Random(seed)
    program = random_program(chooser)
    reference = ReferenceEvaluator(program)
    with open_evaluator(program) as evaluator:
        for _ in range(60):
            order = order_values(chooser, orders(program))
            day = DAY + chooser.choice([-1, 0, 1])
            dated = {**order, "as_of": day}
            assert evaluator.statuses(ORDERS_STAGE, dated) == reference.statuses(ORDERS_STAGE, dated), (
                order,
                program.orders,
            )
            assert move(evaluator, order, day) == move(reference, order, day), (order, program.orders)


@settings(
    max_examples=by_effort(10, 400),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
@given(seed=st.integers(0, 2**64))
def test_no_sequence_of_events_leaves_the_table_or_a_final_state(seed: int) -> None:
    chooser = Random(seed)
    program = random_program(chooser)
    lifecycle, evaluator = orders(program), ReferenceEvaluator(program)
    for _ in range(20):
        state = NO_ORDER
        for _ in range(30):
            transition = move(evaluator, order_values(chooser, lifecycle, state), DAY)
            assert bool(transition.to) != bool(transition.code), "a move or a refusal, never both, never neither"
            if not transition.to:
                continue
            assert transition.to in lifecycle.states
            assert state not in lifecycle.final or transition.to == state
            assert state != NO_ORDER or transition.to == lifecycle.initial
            state = transition.to


def test_random_orders_reach_their_ends() -> None:
    """Otherwise the property above would prove little."""
    final_count = 0
    for seed in range(20):
        chooser = Random(seed)
        program = random_program(chooser)
        lifecycle, state = orders(program), NO_ORDER
        for _ in range(200):
            state = move(ReferenceEvaluator(program), order_values(chooser, lifecycle, state), DAY).to or state
        final_count += state in lifecycle.final
    assert final_count >= 10


def test_a_refusal_applies_from_its_first_day() -> None:
    file = {
        **{"kind": "orders", "states": ["s0", "s1"], "initial": "s0", "final": ["s1"], "events": ["e0", "e1"]},
        "refusals": [{"id": "r", "on": ["e0"], "when": "true", "unknown": "pass", "code": "no", "from": "2024-03-01"}],
        "moves": [
            {"id": "a", "on": "e0", "from": ["none"], "to": "s0"},
            {"id": "b", "on": "e1", "from": ["s0"], "to": "s1"},
        ],
    }
    programs = {day: program_of(file, day) for day in (DAY - 1, DAY)}
    codes = {
        day: move(ReferenceEvaluator(p), state_and_event(NO_ORDER, "e0"), day).code for day, p in programs.items() if p
    }
    assert codes == {DAY - 1: "", DAY: "no"}


def test_random_orders_of_different_seeds_differ() -> None:
    assert len({json.dumps(orders_file(Random(seed))) for seed in range(50)}) == 50
