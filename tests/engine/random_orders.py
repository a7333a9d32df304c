"""Generate random valid life cycles, and random orders in them, from a seed."""

import json
from random import Random
from typing import Any

from engine.lang.check.orders import FIELDS, MODES, schema_of
from engine.lang.check.release import check
from engine.lang.model.program import NO_ORDER, OrderLifecycle, Program
from engine.lang.model.types import DAY as SECONDS
from engine.lang.model.types import PRECISE_MOMENT, Value
from tests.engine.small_rules import DAY, KINDS, SCHEMA, base

DAY_MICROSECONDS = SECONDS * 10**6  # of a day, in microseconds, the unit of orders
NOW = DAY * DAY_MICROSECONDS
EVENTS = ("e0", "e1", "e2", "e3")
LEAVES = (
    *(
        "event.total <= order.waived",
        "order.total == event.total",
        "event.total * 2 < order.ceiling",
        "order.total - event.total > 50 JPY",
    ),
    *(
        "event.at - order.created >= 30d",
        "order.due - event.at < 1d",
        "event.at >= order.due",
        "event.starts > event.ends",
    ),
    *(
        "event.at < 2024-03-01T12:00:00Z",
        "order.starts >= 2024-03-01",
        "as_of >= 2024-03-01",
        "as_of - order.ends > 7d",
    ),
    *("order.mode == 'waive_first'", "order.mode in ['enjoy_first']", "order.mode != 'enjoy_first'", "true", "false"),
    *("person.unpaid >= 1", "person.in_service + person.unpaid < 3", "person.in_service in [0, 2]", "late"),
    *("known(order.due)", "missing(event.damage)", "event.damage > order.waived", "known(as_of)"),
    *("order.state in ['s0', 's1']", "order.state != 'none'", "event.kind != 'e1'"),
)


def condition(chooser: Random, max_leaves: int = 5) -> str:
    if max_leaves == 1 or chooser.random() < 0.4:
        return chooser.choice(LEAVES)
    if chooser.random() < 0.25:
        return f"not ({condition(chooser, max_leaves - 1)})"
    count = chooser.randint(2, min(3, max_leaves))
    parts = [condition(chooser, max(1, max_leaves // count)) for _ in range(count)]
    return f"({chooser.choice([' and ', ' or ']).join(parts)})"


def orders_file(chooser: Random) -> dict[str, Any]:
    """Every state is reachable from an earlier one, and has a way out unless it is final."""
    states = [f"s{n}" for n in range(chooser.randint(2, 6))]
    final = states[-chooser.randint(1, max(1, len(states) - 2)) :]
    moves = [_move(chooser, [NO_ORDER], states[0])]
    open_ = [s for s in states if s not in final]
    moves += [_move(chooser, [chooser.choice(open_[: max(1, n)])], s) for n, s in enumerate(states) if n]
    moves += [_move(chooser, [s], chooser.choice([t for t in states if t != s])) for s in open_]
    for _ in range(chooser.randint(0, 5)):
        moves.append(_move(chooser, chooser.sample(open_, chooser.randint(1, len(open_))), chooser.choice(states)))
    moves += [
        _move(chooser, [s], s) for s in final if chooser.random() < 0.3
    ]  # a finished order can get events, but stays
    chooser.shuffle(moves)
    return {
        **{"kind": "orders", "states": states, "initial": states[0], "final": final, "events": list(EVENTS)},
        "define": {"late": "event.at > order.due or event.damage > 0 CNY or order.total == 1 CNY"},
        "refusals": [_refusal(chooser, n) for n in range(chooser.randint(0, 4))],
        "moves": [{"id": f"m{n}", **move} for n, move in enumerate(moves)],
    }


def _move(chooser: Random, states: list[str], to: str) -> dict[str, Any]:
    when = {"when": condition(chooser)} if chooser.random() < 0.6 else {}
    return {"on": chooser.choice(EVENTS), "from": states, **when, "to": to}


def _refusal(chooser: Random, n: int) -> dict[str, Any]:
    on, unknown = chooser.sample(EVENTS, chooser.randint(1, 3)), chooser.choice(["refuse", "pass"])
    line = {"id": f"r{n}", "on": on, "when": condition(chooser), "unknown": unknown, "code": f"c{n % 2}"}
    return line | chooser.choice([{}, {}, {"from": "2024-03-01"}, {"until": "2024-03-01"}])


def program_of(file: dict[str, Any], day: int = DAY) -> Program | None:
    """The small rules with these orders; None if a move in them never happens."""
    release, problems = check(base() | {"orders.yaml": json.dumps(file)}, SCHEMA, KINDS)
    assert {p.code for p in problems} <= {"R603"}, "\n".join(map(str, problems))
    return release.at(day) if release else None


def random_program(chooser: Random) -> Program:
    """The small rules with random orders."""
    while True:
        program = program_of(orders_file(chooser), DAY - chooser.choice([0, 1]))
        if program:
            return program


def order_values(chooser: Random, orders: OrderLifecycle, state: str | None = None) -> dict[str, Value | None]:
    """Values of an order and an event, near the constants of the conditions; one in six is missing."""
    schema = schema_of(orders.states, orders.events)
    result: dict[str, Value | None] = {}
    for name, type_ in FIELDS:
        if type_ == PRECISE_MOMENT:
            choices: list[Value] = [NOW + d * DAY_MICROSECONDS + s for d in (-31, -30, -29, 0, 1) for s in (-1, 0, 1)]
        elif type_.numeric:
            choices = [0, 1, 2, 3, 50, 99, 100, 101, type_.high]
        else:
            choices = list(MODES) if name == "order.mode" else ["CNY", "JPY", "EUR"]
        result[name] = None if chooser.random() < 1 / 6 else chooser.choice(choices)
    states = [*schema["order.state"].type.values, None]
    result["order.state"] = chooser.choice(states) if state is None else state
    result["event.kind"] = chooser.choice([*EVENTS, *([None] if state is None else [])])
    return result
