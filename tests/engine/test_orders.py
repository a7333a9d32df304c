"""The life of an order: every state and event of the shipped table, and durable-rules against the reference."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.catalogue import kinds, schema
from api.releases import load
from engine.decide import Reference
from engine.errors import EngineError
from engine.lang.check import release_of
from engine.lang.check_orders import FIELDS, NONE, schema_of
from engine.lang.online import Online
from engine.lang.program import ASKED, ORDERS, STATE, Orders, Program
from engine.lang.types import Type, Value
from engine.orders import WRONG_STATE, Moved, asked_of, move
from tests.engine import small
from tests.engine.effort import pairs
from tests.engine.small import DAY

RULES = Path(__file__).parents[2] / "rules"
CREATED, NOW = 1_700_000_000, 1_700_500_000
# An order that nothing stands against: what is asked of it is decided by its state alone.
EASY: dict[str, Value | None] = {
    "order.mode": "waive_first",
    "order.waived": 50_000,
    "order.ceiling": 50_000,
    "order.total": 40_000,
    "order.created": CREATED,
    "order.due": NOW - 1,
    "event.at": CREATED + 30 * 86_400,
    "event.total": 30_000,
    "event.starts": CREATED,
    "event.ends": CREATED + 86_400,
    "person.in_service": 0,
    "person.unpaid": 0,
}
# By hand from the table of merchants' services: which event leads where from which state; all else is refused.
LEADS = {
    ("none", "create"): "created",
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


@cache
def shipped() -> Program:
    return load(RULES).at(DAY)


def life() -> Orders:
    found = shipped().orders
    assert found
    return found


def every_pair() -> list[tuple[str, str]]:
    return [(state, event) for state in (NONE, *life().states) for event in life().events]


@pytest.mark.parametrize(("state", "event"), every_pair())
def test_an_event_leads_where_the_table_says_or_nowhere(state: str, event: str) -> None:
    came = move(Reference(shipped()), {**EASY, **asked_of(state, event)}, DAY)
    expected = LEADS.get((state, event))
    assert (came.to, came.code) == ((expected, "") if expected else ("", WRONG_STATE))


def test_rules_without_orders_say_so() -> None:
    files = {n: t for n, t in small.base().items() if n != "orders.yaml"}
    with pytest.raises(EngineError, match="say nothing of orders"):
        move(Reference(release_of(files, small.SCHEMA, small.KINDS).at(DAY)), EASY, DAY)


def value(chooser: Random, name: str, type_: Type) -> Value | None:
    if chooser.random() < 0.15:
        return None
    if type_.kind == "enum":
        return chooser.choice(type_.values)
    near = EASY.get(name) or 3
    assert isinstance(near, int)
    return max(0, chooser.choice([0, 1, near - 1, near, near + 1, 30_000, CREATED + 30 * 86_400, NOW, type_.low]))


def orders(seed: int, count: int, of: Orders) -> Iterator[dict[str, Value | None]]:
    chooser, known = Random(seed), schema_of(of.states, of.events)
    names = [*(name for name, _ in FIELDS), STATE, ASKED]
    for _ in range(count):
        yield {name: value(chooser, name, known[name].type) for name in names}


def test_durable_rules_makes_the_moves_of_the_reference() -> None:
    count, seen = pairs(5_000, 50_000), set[str]()
    engine, sure = Online(shipped()), Reference(shipped())
    try:
        for n, order in enumerate(orders(7, count, life())):
            assert engine.statuses(ORDERS, order) == sure.statuses(ORDERS, order), order
            if n % 10 == 0:
                came = move(sure, order, DAY)
                assert move(engine, order, DAY) == came
                seen |= {came.to, came.code}
    finally:
        engine.close()
    assert seen >= {
        *LEADS.values(),
        WRONG_STATE,
        "over_ceiling",
        "bad_time_range",
        "too_many_open",
        "overdue_outstanding",
    }


LEAVES = st.sampled_from(
    [
        *("order.total > event.total", "event.total <= order.waived", "person.unpaid >= 1"),
        *("order.mode == 'enjoy_first'", "event.at - order.created >= 30d", "event.at >= order.due"),
        *("known(event.damage)", "order.state in ['a', 'b']"),
    ]
)
WHENS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).map(lambda p: f"({' and '.join(p)})")
        | st.lists(inner, min_size=2, max_size=3).map(lambda p: f"({' or '.join(p)})")
        | inner.map(lambda e: f"not ({e})")
    ),
    max_leaves=6,
)


@st.composite
def tables(draw: st.DrawFn) -> Program:
    """Three states in a ring with conditions of every sort, and one that ends it."""
    refusals = "".join(
        f'  - {{id: r{n}, on: [go, stop], when: "{draw(WHENS)}", unknown: {draw(st.sampled_from(["refuse", "pass"]))}, code: c{n}}}\n'
        for n in range(draw(st.integers(0, 3)))
    )
    moves = "".join(
        f"  - {{id: m{n}, on: go, from: [{draw(st.sampled_from(['a', 'b', 'c', 'a, b', 'b, c']))}], "
        f'when: "{draw(WHENS)}", to: {draw(st.sampled_from("abc"))}}}\n'
        for n in range(draw(st.integers(1, 6)))
    )
    text = (
        "kind: orders\nstates: [a, b, c, end]\ninitial: a\nfinal: [end]\nevents: [begin, go, stop]\n"
        f"refusals:{' []' if not refusals else ''}\n{refusals}moves:\n"
        "  - {id: begin, on: begin, from: [none], to: a}\n"
        "  - {id: ab, on: go, from: [a], when: order.total == 1, to: b}\n"
        "  - {id: bc, on: go, from: [b], when: order.total == 1, to: c}\n"
        f"{moves}  - {{id: stop, on: stop, from: [a, b, c], to: end}}\n"
    )
    return release_of({**small.base(), "orders.yaml": text}, small.SCHEMA, small.KINDS).at(DAY)


@settings(max_examples=25, deadline=None)
@given(tables(), st.integers(0, 2**32))
def test_random_tables_too_and_no_event_leads_out_of_the_table_or_from_its_end(program: Program, seed: int) -> None:
    assert program.orders
    engine, sure = Online(program), Reference(program)
    try:
        state = NONE
        for order in orders(seed, 60, program.orders):
            asked = {**order, STATE: state}
            assert engine.statuses(ORDERS, asked) == sure.statuses(ORDERS, asked), asked
            came = move(sure, asked, DAY)
            assert bool(came.to) != bool(came.code)
            if came.to:
                assert state != "end"
                state = came.to
            assert state in {NONE, *program.orders.states}
    finally:
        engine.close()


def test_a_refusal_comes_before_a_move_and_says_its_code() -> None:
    full = {**EASY, **asked_of(NONE, "create"), "person.in_service": 3}
    assert move(Reference(shipped()), full, DAY) == Moved("", "", "too_many", "too_many_open")


def test_the_catalogue_of_orders_is_not_that_of_people() -> None:
    assert not set(schema_of(life().states, life().events)) & set(schema())
    assert kinds()["order.overdue"].fields
