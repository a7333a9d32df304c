"""Reference: what a condition means, as plainly as it can be said. The oracle of every other engine."""

import operator
from typing import Final

from engine.lang.timezones import start_second
from engine.lang.truths import (
    AS_OF,
    Alike,
    And,
    Attr,
    Cmp,
    Const,
    DayStart,
    Flag,
    InList,
    Int,
    Known,
    Not,
    Num,
    Op,
    Or,
    Same,
    Stage,
    Statuses,
    Truth,
    Values,
)

OPERATORS: Final = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def evaluate(stage: Stage, values: Values) -> Statuses:
    """Each condition's status: True met, False not met, None unknown. An absent value is a missing one."""
    return {id_: truth(condition, values) for id_, condition in stage.items()}


def truth(node: Truth, values: Values) -> bool | None:
    """Kleene's three-valued logic: UNKNOWN (None) only where the known parts do not settle it."""
    match node:
        case Const(value):
            return value
        case Known(name):
            return values.get(name) is not None
        case Flag(name):
            found = values.get(name)
            return None if found is None else bool(found)
        case Same(name, value):
            found = values.get(name)
            return None if found is None else found == value
        case Alike(first, second):
            one, other = values.get(first), values.get(second)
            return None if one is None or other is None else one == other
        case InList(name):
            found = values.get(name)
            return None if found is None else found in node.on(values.get(AS_OF))
        case Cmp(op, left, right):
            a, b = number(left, values), number(right, values)
            return None if a is None or b is None else bool(OPERATORS[op](a, b))
        case And(parts):
            found_parts = [truth(p, values) for p in parts]
            return False if False in found_parts else None if None in found_parts else True
        case Or(parts):
            found_parts = [truth(p, values) for p in parts]
            return True if True in found_parts else None if None in found_parts else False
        case Not(part):
            inner = truth(part, values)
            return None if inner is None else not inner


def number(node: Num, values: Values) -> int | None:
    """The number, or None when any part of it is missing."""
    match node:
        case Int(value):
            return value
        case Attr(name):
            found = values.get(name)
            return None if found is None else int(found)
        case DayStart(day, timezone):
            day_ = number(day, values)
            return None if day_ is None else start_second(timezone, day_)
        case Op(op, left, right):
            a, b = number(left, values), number(right, values)
            return None if a is None or b is None else int(OPERATORS[op](a, b))
