"""Evaluate conditions in the simplest possible way. This engine is the oracle of all other engines."""

import operator
from typing import Final

from engine.lang.model.conditions import (
    AS_OF,
    And,
    Attr,
    AttrKnown,
    AttrsEqual,
    Cmp,
    Const,
    DayStart,
    Flag,
    InList,
    Int,
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
from engine.lang.model.timezones import start_second

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
    """The status of each condition: True met, False not met, None unknown. An absent value is missing."""
    return {id_: truth(condition, values) for id_, condition in stage.items()}


def truth(node: Truth, values: Values) -> bool | None:
    """Kleene's three-valued logic: UNKNOWN (None) only if the known parts do not decide the result."""
    match node:
        case Const(value):
            return value
        case AttrKnown(name):
            return values.get(name) is not None
        case Flag(name):
            attribute_value = values.get(name)
            return None if attribute_value is None else bool(attribute_value)
        case Same(name, value):
            attribute_value = values.get(name)
            return None if attribute_value is None else attribute_value == value
        case AttrsEqual(first, second):
            one, other = values.get(first), values.get(second)
            return None if one is None or other is None else one == other
        case InList(name):
            attribute_value = values.get(name)
            return None if attribute_value is None else attribute_value in node.on(values.get(AS_OF))
        case Cmp(op, left, right):
            a, b = number(left, values), number(right, values)
            return None if a is None or b is None else bool(OPERATORS[op](a, b))
        case And(parts):
            part_values = [truth(p, values) for p in parts]
            return False if False in part_values else None if None in part_values else True
        case Or(parts):
            part_values = [truth(p, values) for p in parts]
            return True if True in part_values else None if None in part_values else False
        case Not(part):
            inner = truth(part, values)
            return None if inner is None else not inner


def number(node: Num, values: Values) -> int | None:
    """The number; None if any part of it is missing."""
    match node:
        case Int(value):
            return value
        case Attr(name):
            attribute_value = values.get(name)
            return None if attribute_value is None else int(attribute_value)
        case DayStart(day, timezone):
            day_ = number(day, values)
            return None if day_ is None else start_second(timezone, day_)
        case Op(op, left, right):
            a, b = number(left, values), number(right, values)
            return None if a is None or b is None else int(OPERATORS[op](a, b))
