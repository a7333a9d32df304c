"""Explain the result of a condition: the attributes that made it unknown, and how far each comparison is from its turn."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from engine.lang.engines.reference import number, truth
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
    Truth,
    Values,
    names,
)
from engine.lang.model.types import DATE, Schema, Type, Value, format_value

INVERSE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


@dataclass(frozen=True)
class Atom:
    """One comparison of a condition, as text for people.

    `value` is the actual value. `threshold` is set if it is a number. `distance` is the change of the value that would
    turn the result. A text is empty if it does not apply.
    """

    text: str
    status: bool | None
    value: str
    threshold: str
    distance: str


def causes(node: Truth, values: Values) -> tuple[str, ...]:
    """The missing attributes that make the condition UNKNOWN, in the order in which it reads them; none if it is known."""
    return tuple(dict.fromkeys(_causes(node, values)))


def _causes(node: Truth, values: Values) -> Iterator[str]:
    if truth(node, values) is not None:
        return
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _causes(part, values)
        case Not(part):
            yield from _causes(part, values)
        case Const():
            yield from [node.cause] if node.cause else []
        case _:
            yield from (n for n in names(node) if values.get(n) is None)


def atoms(node: Truth, values: Values, schema: Schema, *, negated: bool = False) -> Iterator[Atom]:
    """All comparisons of the condition, with `not` moved into them: a met atom supports the condition."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from atoms(part, values, schema, negated=negated)
        case Not(part):
            yield from atoms(part, values, schema, negated=not negated)
        case _:
            status = truth(node, values)
            status = (not status) if negated and status is not None else status
            yield _atom(node, status, values, schema, negated)


def _atom(node: Truth, status: bool | None, values: Values, schema: Schema, negated: bool) -> Atom:
    not_ = "not " if negated else ""
    match node:
        case Cmp(op, left, right):
            return _comparison(INVERSE[op] if negated else op, left, right, status, values, schema)
        case AttrKnown(name):
            return Atom(
                f"{'missing' if negated else 'known'}({name})", status, _value_text(name, values, schema), "", ""
            )
        case Flag(name):
            return Atom(f"{not_}{name}", status, _value_text(name, values, schema), "", "")
        case Same(name, value):
            return Atom(
                f"{name} {'!=' if negated else '=='} '{value}'", status, _value_text(name, values, schema), value, ""
            )
        case AttrsEqual(left, right):
            text = f"{left} {'!=' if negated else '=='} {right}"
            return Atom(text, status, _value_text(left, values, schema), _value_text(right, values, schema), "")
        case InList(name):
            text = f"{name} {not_}in a list of {len(node.on(values.get(AS_OF)))}"
            return Atom(text, status, _value_text(name, values, schema), "", "")
        case _:
            usual_text = "true" if status else "never known" if status is None else "false"
            return Atom((isinstance(node, Const) and node.text) or usual_text, status, "", "", "")


def _comparison(op: str, left: Num, right: Num, status: bool | None, values: Values, schema: Schema) -> Atom:
    type_ = _type(left, schema) or _type(right, schema) or Type("int")
    text = f"{_text(left, type_, schema)} {op} {_text(right, type_, schema)}"
    first, second = number(left, values), number(right, values)
    if first is None or second is None:
        return Atom(text, status, format_value(first, type_), format_value(second, type_), "")
    gap = _gap(op, second - first, bool(status))
    span = Type("duration", unit=type_.step) if type_.moment else type_
    return Atom(
        text, status, format_value(first, type_), format_value(second, type_), _signed_text(gap, span) if gap else ""
    )


def _signed_text(gap: int, type_: Type) -> str:
    return ("+" if gap > 0 else "") + format_value(gap, type_)


def _gap(op: str, gap: int, met: bool) -> int:
    """The change of the left side that would turn the result; 0 if no single smallest change exists."""
    if op == "==":
        return 0 if met else gap
    if op == "!=":
        return gap if met else 0
    strict = op in ("<", ">") if not met else op in ("<=", ">=")
    up = (op in (">", ">=")) != met
    return gap + (strict if up else -strict)


def _type(num: Num, schema: Schema) -> Type | None:
    """The type in which we write a side. None for constants alone: we write them in the type of the other side."""
    match num:
        case Attr(name):
            return schema[name].type if name in schema else None
        case Op("*", left, Int(factor)) if num.scaling:
            of = _type(left, schema)
            return of and _finer(of, factor)
        case DayStart():
            return Type("timestamp")
        case Op("*", left, right):
            return _product(_factor(left, schema), _factor(right, schema))
        case Op("+" | "-" as op, left, right):
            return _sum(op, _type(left, schema), _type(right, schema))
        case _:
            return None


def _finer(type_: Type, factor: int) -> Type:
    if type_.step:
        unit = Fraction(type_.step) / factor
        return Type("timestamp" if type_.moment else "duration", unit=unit if unit < 1 else int(unit))
    shape = type_ if type_.kind == "money" else Type("decimal")
    return replace(shape, digits=type_.digits + len(str(factor)) - 1)


def _factor(num: Num, schema: Schema) -> Type | None:
    """The type of a factor. A constant has as many digits as in the rule file."""
    if isinstance(num, Int):
        return Type("decimal", len(num.text.partition(".")[2]))
    return _type(num, schema)


def _product(first: Type | None, second: Type | None) -> Type | None:
    if first is None or second is None:
        return None
    time_type = next((t for t in (first, second) if t.step), None)
    money = next((t for t in (first, second) if t.kind == "money"), Type("decimal"))
    return time_type or replace(money, digits=first.digits + second.digits)


def _sum(op: str, first: Type | None, second: Type | None) -> Type | None:
    moments = [t for t in (first, second) if t and t.moment]
    if op == "-" and len(moments) == 2:
        return Type("duration", unit=moments[0].step)
    return moments[0] if moments else first or second


def _text(num: Num, type_: Type, schema: Schema) -> str:
    match num:
        case Int(value, text):
            return text or format_value(value, type_)
        case Attr(name):
            return name
        case Op(_, left, _) if num.scaling:
            return _text(left, type_, schema)
        case DayStart(day):
            return _text(day, DATE, schema)
        case Op(op, left, right):
            right_type = Type("duration", unit=type_.step) if type_.moment else type_
            first, second = _text(left, type_, schema), _text(right, right_type, schema)
            if op == "*" and _sign(left) in ("+", "-"):
                first = f"({first})"
            return f"{first} {op} {f'({second})' if _sign(right) and (op == '*' or _sign(right) != '*') else second}"


def _sign(num: Num) -> str:
    """The operator between the two parts of the number as we write it; empty for a single part."""
    if isinstance(num, DayStart):
        return _sign(num.day)
    return "" if not isinstance(num, Op) else _sign(num.left) if num.scaling else num.op


def _value_text(name: str, values: Values, schema: Schema) -> str:
    value: Value | None = values.get(name)
    return format_value(value, schema[name].type) if name in schema else str(value)
